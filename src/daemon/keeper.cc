#include "daemon/keeper.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "daemon/bans.h"
#include "daemon/control.h"
#include "daemon/link.h"
#include "daemon/requests.h"
#include "daemon/standing.h"
#include "firewall/guard.h"
#include "judge/live.h"
#include "ledger/ledger.h"
#include "log/follow/journal_files.h"
#include "log/follow/position.h"
#include "session/helpers.h"

namespace mailward {
namespace {

constexpr uint64_t kTick = 1000;        // ms between looks at what only time brings, while there is any
constexpr uint64_t kCommitAgain = 250;  // ms after a commit that failed
constexpr size_t kMostHeldBack = size_t{1} << 20;
constexpr Duration kForgetEvery = std::chrono::minutes(1);  // bans that are over

class Keeper {
 public:
  Keeper(const KeeperConfig& config, Channel reader, Channel helper, Channel supervisor, Descriptor control)
      : config_(config), brake_(std::max<uint64_t>(1, config.brake)) {
    uv_loop_init(&loop_);
    reader_.emplace(
        &loop_, std::move(reader), [this](Say kind, Channel::Message& m) { return hear_reader(kind, m); },
        [this] {
          if (!ending_) gone("the reader");
        });
    helper_.emplace(
        &loop_, std::move(helper), [this](Say kind, Channel::Message& m) { return hear_helper(kind, m); },
        [this] { gone("the helper"); });
    supervisor_.emplace(
        &loop_, std::move(supervisor), [this](Say kind, Channel::Message& m) { return hear_supervisor(kind, m); },
        [this] { gone("the supervisor"); });
    control_fd_ = std::move(control);
    stored_.data = this;
    uv_async_init(&loop_, &stored_, [](uv_async_t* a) { static_cast<Keeper*>(a->data)->committed(); });
    timer_.data = this;
    uv_timer_init(&loop_, &timer_);
  }

  int run() {
    if (auto begun = begin(); !begun) {
      say_done(begun.error().message, false, true);
      return 1;
    }
    uv_run(&loop_, UV_RUN_DEFAULT);
    close();
    return status_;
  }

 private:
  Instant now() const { return config_.now(); }

  Result<void> begin() {
    struct stat there{};
    if (config_.must_exist && ::stat(config_.ledger.c_str(), &there) != 0)
      return fail(
          fmt::format("{}: the ledger has gone; bring it back, or start mailward again for a new one", config_.ledger));
    Ledger::Options options;
    options.judging = fingerprint_of(config_.judge);
    auto ledger = Ledger::open(config_.ledger, options);
    if (!ledger) return std::unexpected(ledger.error());
    ledger_.emplace(std::move(*ledger));
    ledger_->on_committed([this] { uv_async_send(&stored_); });
    judge_.emplace(config_.judge, *ledger_);
    if (auto restored = restore_parts(); !restored) return restored;
    if (auto told = tell_bans(); !told) return told;
    if (auto told = tell_positions(); !told) return told;
    standing_.started = now();
    if (control_fd_.get() >= 0)
      control_.emplace(&loop_, std::move(control_fd_),
                       [this](std::string_view line, bool may_change, const Control::Reply& reply) {
                         answer(line, may_change, reply);
                       });
    supervisor_->put(Say::kReady);
    return {};
  }

  // Learned domains and helpers' lines. Bytes that aren't whole are of an older version: they are left out.
  Result<void> restore_parts() {
    for (const auto& [name, restore] : {std::pair<std::string, std::function<bool(Decoder&)>>(
                                            "judge", [this](Decoder& in) { return judge_->restore(in); }),
                                        {"helpers", [this](Decoder& in) { return helpers_.restore(in); }}}) {
      const auto bytes = ledger_->part(name);
      if (!bytes) return std::unexpected(bytes.error());
      Decoder in(*bytes);
      if (!bytes->empty() && !restore(in)) warn(fmt::format("what was kept of \"{}\" can't be used", name));
    }
    return {};
  }

  // Who is kept out by the ledger. Whom the ignore list has by now is let in.
  Result<void> tell_bans() {
    auto rows = ledger_->bans(now(), false);
    if (!rows) return std::unexpected(rows.error());
    for (const BanRow& row : *rows) {
      const bool forced = row.policy == kForced;
      const BansInForce::Entry entry{row.since, row.until, forced};
      if (!forced && config_.guard->refuses(row.network)) {
        withdraw(row.network, entry);
        desire(row.network);
        continue;
      }
      bans_.add(row.network, entry);
      reasons_[row.network] = row.policy;
    }
    for (const BanRow& row : *rows) desire(row.network);
    reasons_.clear();
    if (auto told = tell_ended(); !told) return told;
    helper_->put(Say::kAllDesired);
    return {};
  }

  // Bans that ended while nobody was there to take them out, where no kernel does.
  Result<void> tell_ended() {
    const auto stored = ledger_->part("present");
    if (!stored) return std::unexpected(stored.error());
    Decoder in(*stored);
    const Instant before = in.time();
    if (!in.finished() || before >= now()) return {};
    auto ended = ledger_->ended(before, now());
    if (!ended) return std::unexpected(ended.error());
    for (const Network& n : *ended)
      if (!bans_.longest(n, now())) desire(n);
    return {};
  }

  Result<void> tell_positions() {
    Encoder out;
    for (const std::string& name : config_.inputs) {
      auto row = ledger_->input(name);
      if (!row) return std::unexpected(row.error());
      Position fresh;
      if (::getrandom(&fresh.key, sizeof fresh.key, 0) != sizeof fresh.key) return fail("there are no random numbers");
      out.text(*row ? (*row)->position : is_journal_input(name) ? std::string() : to_text(fresh));
      out.text(*row ? (*row)->state : std::string());
    }
    reader_->put(Say::kBegin, out.take());
    return {};
  }

  // ---------------------------------------------------------------- from the reader

  bool hear_reader(Say kind, Channel::Message& m) {
    switch (kind) {
      case Say::kEvents:
        return take_events(m.bytes);
      case Say::kMark:
        return take_mark(m.bytes);
      case Say::kLoss:
        return take_loss(m.bytes);
      case Say::kCaughtUp:
        caught_up_ = true;
        helper_->put(Say::kTakeOutStrays);
        if (config_.once) finish_if_done();
        return m.bytes.empty();
      case Say::kEnd:
        ending_ = true;  // its last mark is being stored
        if (!writing_) finish();
        return m.bytes.empty();
      default:
        return false;
    }
  }

  bool take_events(std::string_view bytes) {
    Decoder in(bytes);
    events_.clear();
    unmarked_ = true;
    while (!in.finished()) {
      events_.push_back(read_event(in));
      if (!in.good() || events_.back().file >= config_.inputs.size()) return false;
    }
    helpers_.pass(events_, [this](std::span<const Event> events) { judge(events); });
    hold_reader();
    return true;
  }

  void judge(std::span<const Event> events) {
    for (const Event& e : events) {
      ++standing_.events;
      if (e.time > reached_) reached_ = e.time;
      ledger_->note(e, config_.inputs[e.file]);
      judge_->take(e, changes_);
      for (const LiveChange& change : changes_) apply(change, e.time);
      changes_.clear();
    }
    if (!held_back_.empty()) let_through();
  }

  void apply(const LiveChange& change, Instant when) {
    const LiveBan& ban = change.ban;
    ledger_->note(change, judge_->policies(), now());
    const BansInForce::Entry entry{ban.since, ban.until, false};
    if (change.what == LiveChange::What::kWithdraw) {
      bans_.remove(ban.network, ban.since);
      ++standing_.withdrawn;
      return desire(ban.network);
    }
    ++standing_.bans;
    if (ban.until <= now()) return;  // over when it was found out: known, and no more
    bans_.add(ban.network, entry);
    if (brake_.pass(1, when) == 0 && held_back_.size() < kMostHeldBack) {
      if (held_back_.empty()) warn("more new bans than the brake allows in a minute: the rest follows");
      held_back_.push_back({ban.network, ban.policy});
      return;
    }
    desire(ban.network, name_of(ban.policy));
  }

  std::string name_of(uint32_t policy) const {
    const PolicySet& set = judge_->policies();
    return policy < set.policies.size() ? set.name + "/" + set.policies[policy].name : set.name;
  }

  // By the log's time while old lines are read, by the clock where that is later.
  void let_through() {
    const Instant when = caught_up_ ? std::max(reached_, now()) : reached_;
    while (!held_back_.empty() && brake_.pass(1, when) > 0) {
      const auto [network, policy] = held_back_.front();
      held_back_.pop_front();
      desire(network, name_of(policy));
    }
  }

  // Tells the helper how it stands with a network.
  void desire(const Network& network, std::string_view reason = {}) {
    Encoder out;
    write_network(network, out);
    const auto ban = bans_.longest(network, now());
    ++told_helper_;
    settled_ = false;
    if (!ban) return helper_->put(Say::kRelease, out.take());
    const auto known = reasons_.find(network);
    out.time(ban->until);
    out.number(ban->forced);
    out.text(known != reasons_.end() ? std::string_view(known->second) : reason);
    helper_->put(Say::kDesire, out.take());
  }

  void withdraw(const Network& network, const BansInForce::Entry& entry) {
    bans_.remove(network, entry.since);
    LiveBan ban;
    ban.network = network;
    ban.since = entry.since;
    ban.until = entry.until;
    ledger_->note(LiveChange{LiveChange::What::kWithdraw, ban}, judge_->policies(), now());
    ++standing_.withdrawn;
  }

  bool take_mark(std::string_view bytes) {
    Decoder in(bytes);
    uint64_t lines = 0;
    for (size_t i = 0; i < config_.inputs.size(); ++i) {
      MarkOfInput m = read_mark(in);
      if (!in.good()) return false;
      lines += m.lines;
      standing_.take(i, m);
      InputRow row;
      row.name = config_.inputs[i];
      row.position = std::move(m.position);
      row.state = std::move(m.state);
      row.offset = m.offset;
      row.lines = m.line;
      row.reached = m.reached;
      ledger_->note(std::move(row));
    }
    if (!in.finished()) return false;
    standing_.rate(lines, uv_now(&loop_));
    unmarked_ = false;
    store();
    return true;
  }

  bool take_loss(std::string_view bytes) {
    Decoder in(bytes);
    const uint64_t number = in.number(config_.inputs.size() - 1);
    const std::string reason(in.text()), file(in.text());
    if (!in.finished()) return false;
    ++standing_.input(number).losses;
    warn(fmt::format("{}: {}{}{}", config_.inputs[number], reason, file.empty() ? "" : "; reading goes on in ", file));
    return true;
  }

  // ---------------------------------------------------------------- storing

  // Everything up to the last mark, which is all that was noted.
  void store() {
    Encoder judge, helpers;
    judge_->save(judge);
    helpers_.save(helpers);
    ledger_->note_part("judge", judge.take());
    ledger_->note_part("helpers", helpers.take());
    if (now() - forgot_ > kForgetEvery || now() < forgot_) {
      forgot_ = now();
      bans_.forget_over(forgot_);
    }
    Encoder present;
    present.time(now());
    ledger_->note_part("present", present.take());
    commit();
  }

  // The ledger's thread writes; what is noted meanwhile comes with the next. Whoever waits for a commit waits for the
  // first that has what he asked for.
  void commit() {
    if (!ledger_->begin_commit()) {
      commit_owed_ = true;  // when this one is done
      return;
    }
    commit_owed_ = false;
    if (!commit_failed_) ++begun_;
    writing_ = true;
  }

  void committed() {
    const auto done = ledger_->committed();
    if (!done) return;
    writing_ = false;
    commit_failed_ = !*done;
    standing_.stored(*done ? "" : done->error().message, uv_now(&loop_));
    if (!*done && ledger_->why_failed() == LedgerTrouble::kGone) return gone_for_good(done->error().message);
    if (*done) {
      for (const auto& [needs, waiting] : std::exchange(wait_for_commit_, {}))
        needs <= begun_ ? waiting() : void(wait_for_commit_.emplace_back(needs, waiting));
      // What was marked since, if nothing came after the mark; else the next mark stores it.
      if (commit_owed_ && !unmarked_) commit();
    }
    hold_reader();
    if (config_.once && *done) finish_if_done();
    const bool in_vain = config_.once && !standing_.ledger_trouble.empty();
    if ((ending_ && (!writing_ || commit_failed_)) || in_vain) return finish();
    arm();
  }

  // While more waits than may, the reader waits as well; but not for what only its next mark can bring.
  void hold_reader() { reader_->pause(writing_ && ledger_->crowded()); }

  void gone_for_good(const std::string& why) {
    finished_ = true;
    say_done(why, false, true);
    status_ = 1;
    uv_stop(&loop_);
  }

  void arm() {
    const bool needed = commit_failed_ || !held_back_.empty() || helpers_.waiting() > 0;
    if (!needed) return void(uv_timer_stop(&timer_));
    if (uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) != 0) return;
    uv_timer_start(
        &timer_, [](uv_timer_t* t) { static_cast<Keeper*>(t->data)->tick(); }, commit_failed_ ? kCommitAgain : kTick,
        0);
  }

  void tick() {
    let_through();
    if (caught_up_) helpers_.overdue(now(), [this](std::span<const Event> events) { judge(events); });
    if (commit_failed_ && !writing_) commit();
    arm();
  }

  // ---------------------------------------------------------------- from the helper

  bool hear_helper(Say kind, Channel::Message& m) {
    Decoder in(m.bytes);
    switch (kind) {
      case Say::kFirewall:
        note_firewall(read_health(in));
        if (config_.once) finish_if_done();
        return in.finished();
      case Say::kRefused: {
        const Network network = read_network(in);
        const std::string why(in.text());
        if (!in.finished()) return false;
        refused(network, why);
        return true;
      }
      case Say::kStrays:
        return take_strays(in);
      case Say::kSettled:
        settled_ = in.number() == told_helper_;
        if (config_.once) finish_if_done();
        return in.finished();
      case Say::kInputTrouble: {
        const uint64_t number = in.number(config_.inputs.size() - 1);
        standing_.input(number).closed = in.text();
        return in.finished();
      }
      default:
        return false;
    }
  }

  bool hear_supervisor(Say kind, Channel::Message& m) {
    Decoder in(m.bytes);
    switch (kind) {
      case Say::kReloadAnswer: {
        const bool done = in.number(1) == 1;
        const std::string sentence(in.text());
        if (reload_) (*reload_)(done ? ok(sentence) : error(sentence));
        reload_.reset();
        return in.finished();
      }
      case Say::kAskReady:
        supervisor_->put(Say::kReady);
        return m.bytes.empty();
      case Say::kStop:
        reader_->put(Say::kStop);
        return m.bytes.empty();
      default:
        return false;
    }
  }

  void note_firewall(FirewallHealth health) {
    const std::string before = std::exchange(standing_.firewall, std::move(health)).trouble;
    const std::string& trouble = standing_.firewall.trouble;
    if (trouble != before) warn(trouble.empty() ? "the firewall is well again" : "the firewall: " + trouble);
  }

  // For `status`, and for syslog.
  void warn(const std::string& sentence) {
    standing_.warn(sentence);
    Encoder out;
    out.text(sentence);
    supervisor_->put(Say::kWarn, out.take());
  }

  // A guard of the helper's: such a ban is none.
  void refused(const Network& network, const std::string& why) {
    for (const auto& entry : bans_.of(network)) withdraw(network, entry);
    warn(fmt::format("{} is not banned: {}", format_network(network), why));
  }

  // Of a table that others use too: ours is what the ledger has banned before.
  bool take_strays(Decoder& in) {
    std::vector<Network> asked;
    for (uint64_t n = in.count(); n > 0 && in.good(); --n) asked.push_back(read_network(in));
    if (!in.finished()) return false;
    Encoder out;
    std::vector<Network> ours;
    for (const Network& n : asked)
      if (ledger_->was_banned(n).value_or(false)) ours.push_back(n);
    out.number(ours.size());
    for (const Network& n : ours) write_network(n, out);
    helper_->put(Say::kOurs, out.take());
    return true;
  }

  // ---------------------------------------------------------------- control

  static std::string ok(std::string_view sentence) { return reply_of(true, sentence); }
  static std::string error(std::string_view sentence) { return reply_of(false, sentence); }

  void answer(std::string_view line, bool may_change, const Control::Reply& reply) {
    const auto request = parse_request(line);
    if (!request) return reply(error(request.error().message));
    if (request->changes() && !may_change) return reply(error("only root, or who runs the daemon, may do that"));
    switch (request->verb) {
      case Request::Verb::kStatus:
        bans_.forget_over(now());
        return reply(standing_.to_json(config_, bans_.size(), held_back_.size(), now()));
      case Request::Verb::kSync:
        return when_stored([reply] { reply(ok("")); });
      case Request::Verb::kReload:
        if (reload_) return reply(error("a reload is under way"));
        reload_.emplace(reply);
        return supervisor_->put(Say::kReload);
      case Request::Verb::kBan:
        return ban_by_hand(*request, reply);
      case Request::Verb::kUnban:
        return unban_by_hand(*request, reply);
    }
  }

  // All that was noted by now. Nothing may be stored before its mark: where there is such, the next mark stores it.
  void when_stored(std::function<void()> then) {
    wait_for_commit_.emplace_back(begun_ + 1, std::move(then));
    if (!unmarked_) commit();
  }

  void ban_by_hand(const Request& request, const Control::Reply& reply) {
    if (const auto why = config_.guard->refuses(request.network); why && !request.force)
      return reply(error(fmt::format("{}; --force bans it all the same", *why)));
    const Instant since = now();
    BanRow row;
    row.network = request.network;
    row.since = since;
    row.until = since + request.length;
    row.origin = "manual";
    row.policy = request.force ? std::string(kForced) : "";
    row.count = 0;
    ledger_->note(row);
    bans_.add(row.network, {row.since, row.until, request.force});
    desire(row.network, "manual");
    when_stored([reply, row] {
      reply(ok(fmt::format("{} is banned until {}", format_network(row.network), format_instant(row.until, false))));
    });
  }

  void unban_by_hand(const Request& request, const Control::Reply& reply) {
    const std::vector<Network> within = bans_.within(request.network, now());
    const std::vector<Network> around = bans_.around(request.network, now());
    judge_->pardon(request.network, now(), changes_);
    for (const LiveChange& change : changes_) apply(change, now());
    changes_.clear();
    for (const Network& n : within) {  // those by hand, which the judge doesn't know
      for (const auto& entry : bans_.of(n)) withdraw(n, entry);
      desire(n);
    }
    std::string sentence = within.empty() ? fmt::format("{} was not banned", format_network(request.network))
                                          : fmt::format("{} is let in again", format_network(request.network));
    for (const Network& n : around)
      sentence += fmt::format("; it lies in {}, which is banned: unban that too to let it in", format_network(n));
    when_stored([reply, sentence] { reply(ok(sentence)); });
  }

  // ---------------------------------------------------------------- the end

  // --once: all is read, stored, and done in the firewall, or that failed.
  void finish_if_done() {
    if (!caught_up_ || writing_ || finished_ || ending_) return;
    helpers_.overdue(now(), [this](std::span<const Event> events) { judge(events); });
    if (!held_back_.empty()) let_through();
    if (!settled_ && standing_.firewall.trouble.empty()) return;
    ending_ = true;
    store();  // what was overdue
    if (!writing_) finish();
  }

  void finish() {
    if (std::exchange(finished_, true)) return;
    say_done(standing_.summary(held_back_.size()), standing_.firewall.trouble.empty() && !commit_failed_);
    status_ = commit_failed_ ? 1 : 0;
    uv_stop(&loop_);
  }

  void say_done(const std::string& sentence, bool well, bool for_good = false) {
    Encoder out;
    out.number(well);
    out.number(for_good);
    out.text(sentence);
    supervisor_->put(Say::kFinished, out.take());
    supervisor_->flush_all();
    if (helper_) helper_->flush_all();
  }

  // One part alone guards nobody: the supervisor starts all anew, from what is stored.
  void gone(std::string_view who) {
    if (finished_) return;
    finished_ = true;
    say_done(fmt::format("{} has gone", who), false);
    status_ = 1;
    uv_stop(&loop_);
  }

  void close() {
    control_.reset();
    reader_.reset();
    helper_.reset();
    supervisor_.reset();
    ledger_.reset();  // its thread tells nothing from here on
    for (auto* handle : {reinterpret_cast<uv_handle_t*>(&timer_), reinterpret_cast<uv_handle_t*>(&stored_)})
      uv_close(handle, nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  const KeeperConfig& config_;
  uv_loop_t loop_{};
  uv_timer_t timer_{};
  std::optional<Link> reader_, helper_, supervisor_;
  Descriptor control_fd_;
  std::optional<Control> control_;
  std::optional<Ledger> ledger_;
  std::optional<LiveJudge> judge_;
  Helpers helpers_;
  BansInForce bans_;
  std::map<Network, std::string> reasons_;  // at the start only
  Brake brake_;
  struct HeldBack {
    Network network;
    uint32_t policy;
  };
  std::deque<HeldBack> held_back_;
  Instant reached_ = kNoInstant;
  Instant forgot_{};
  Standing standing_;
  std::vector<Event> events_;
  std::vector<LiveChange> changes_;
  std::vector<std::pair<uint64_t, std::function<void()>>> wait_for_commit_;
  uint64_t begun_ = 0;        // commits
  uint64_t told_helper_ = 0;  // kDesire and kRelease
  uv_async_t stored_{};
  std::optional<Control::Reply> reload_;
  bool unmarked_ = false;  // events were noted whose mark has not come
  bool caught_up_ = false, settled_ = false, writing_ = false, commit_owed_ = false, commit_failed_ = false,
       ending_ = false, finished_ = false;
  int status_ = 0;
};

}  // namespace

int run_keeper(const KeeperConfig& config, Channel reader, Channel helper, Channel supervisor, Descriptor control) {
  return Keeper(config, std::move(reader), std::move(helper), std::move(supervisor), std::move(control)).run();
}

}  // namespace mailward
