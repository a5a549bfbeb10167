#include "daemon/helper.h"

#include <algorithm>
#include <optional>

#include "daemon/enforcer.h"
#include "daemon/link.h"
#include "daemon/timer.h"
#include "firewall/host.h"
#include "log/follow/journal_files.h"
#include "log/follow/journal_watch.h"
#include "log/follow/series.h"
#include "log/follow/watch.h"

namespace mailward {
namespace {

constexpr size_t kMostGiven = Channel::kMostFiles;
constexpr uint64_t kReopenEvery = 60'000;  // ms, logs that can't be opened

class Helper {
 public:
  Helper(const HelperConfig& config, std::unique_ptr<Firewall> firewall, Channel reader, Channel keeper)
      : config_(config), asked_(config.inputs.size(), 0), missing_(config.inputs.size(), false) {
    uv_loop_init(&loop_);
    reopen_.emplace(&loop_, [this] { open_missing(); });
    make_enforcer(std::move(firewall));
    watch();  // before the reader asks for the files: nothing is missed in between
    reader_.emplace(
        &loop_, std::move(reader), [this](Say kind, Channel::Message& m) { return hear_reader(kind, m); },
        [this] { end(); });
    keeper_.emplace(
        &loop_, std::move(keeper), [this](Say kind, Channel::Message& m) { return hear_keeper(kind, m); },
        [this] { end(); });
  }

  int run() {
    uv_run(&loop_, UV_RUN_DEFAULT);
    reader_.reset();
    keeper_.reset();
    watch_.reset();
    journals_.clear();
    enforcer_.reset();
    reopen_.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
    return 0;
  }

 private:
  // The keeper has stored what there was; without the reader it will not say more.
  void end() {
    if (keeper_ && keeper_->is_open()) return;
    uv_stop(&loop_);
  }

  void make_enforcer(std::unique_ptr<Firewall> firewall) {
    Enforcer::Options options;
    options.most_a_minute = config_.brake;
    options.now = config_.now;
    options.guard = [this]() -> Result<Guard> {
      auto all = protected_of_host();
      if (!all) return std::unexpected(all.error());
      all->insert(all->end(), config_.protects.begin(), config_.protects.end());
      return Guard(*all);
    };
    Enforcer::Told told;
    told.refused = [this](const Network& network, const std::string& why) {
      Encoder out;
      write_network(network, out);
      out.text(why);
      keeper_->put(Say::kRefused, out.take());
    };
    told.strays = [this](const std::vector<Network>& strays) {
      Encoder out;
      out.number(strays.size());
      for (const Network& n : strays) write_network(n, out);
      keeper_->put(Say::kStrays, out.take());
    };
    told.health = [this](const FirewallHealth& health) {
      Encoder out;
      write_health(health, out);
      keeper_->put(Say::kFirewall, out.take());
    };
    told.settled = [this] {
      Encoder out;
      out.number(heard_);
      keeper_->put(Say::kSettled, out.take());
    };
    enforcer_.emplace(&loop_, std::move(firewall), std::move(options), std::move(told));
  }

  // ---------------------------------------------------------------- logs

  void watch() {
    if (config_.once) return;
    std::vector<std::string> files;
    for (uint32_t i = 0; i < config_.inputs.size(); ++i) {
      if (!is_journal_input(config_.inputs[i])) {
        files.push_back(config_.inputs[i]);
        watched_.push_back(i);
        continue;
      }
      journals_.push_back(std::make_unique<JournalWatch>(&loop_, journal_of_input(config_.inputs[i]), Watch::Options{},
                                                         [this, i](Watch::What what) { noticed(i, what); }));
    }
    watch_.emplace(&loop_, files, Watch::Options{},
                   [this](size_t file, Watch::What what) { noticed(watched_[file], what); });
  }

  void noticed(uint32_t input, Watch::What what) {
    if (what == Watch::What::kChanged) return open(input, asked_[input]);
    Encoder out;
    out.number(input);
    reader_->put(Say::kGrew, out.take());
  }

  void open(uint32_t input, uint64_t answers) {
    Encoder out;
    std::vector<int> files;
    out.number(input);
    const std::string& name = config_.inputs[input];
    const auto give = [&](auto listed, auto write, bool any) {
      listed->answers = answers;
      std::string trouble;
      for (const std::string& sentence : listed->trouble) trouble = sentence;
      if (!any && trouble.empty()) trouble = "there is no such file yet";
      input_trouble(input, trouble);
      write(*listed, out, files);
      reader_->put(Say::kSeries, out.take(), files);
    };
    if (is_journal_input(name)) {
      auto listed = open_journal_files(journal_of_input(name), kMostGiven);
      if (!listed) return closed(input, listed.error().message);
      return give(&*listed, write_journal_files, !listed->files.empty());
    }
    auto listed = open_series(name);
    if (!listed) return closed(input, listed.error().message);
    give(&*listed, write_series, !listed->members.empty());
  }

  void closed(uint32_t input, const std::string& why) {
    input_trouble(input, why);
    Encoder out;
    out.number(input);
    reader_->put(Say::kNoSeries, out.take());
  }

  void input_trouble(uint32_t input, const std::string& trouble) {
    const bool missing = !trouble.empty();
    if (!missing && !missing_[input]) return;
    missing_[input] = missing;
    Encoder out;
    out.number(input);
    out.text(trouble);
    keeper_->put(Say::kInputTrouble, out.take());
    if (missing && !config_.once) reopen_->set(kReopenEvery);
  }

  void open_missing() {
    if (!reader_) return;
    for (uint32_t i = 0; i < missing_.size(); ++i)
      if (missing_[i]) open(i, asked_[i]);
  }

  bool hear_reader(Say kind, Channel::Message& m) {
    if (kind != Say::kAsk) return false;
    Decoder in(m.bytes);
    const auto input = static_cast<uint32_t>(in.number(config_.inputs.size() - 1));
    const uint64_t question = in.number();
    if (!in.finished()) return false;
    asked_[input] = question;
    open(input, question);
    return true;
  }

  // ---------------------------------------------------------------- the keeper

  bool hear_keeper(Say kind, Channel::Message& m) {
    Decoder in(m.bytes);
    switch (kind) {
      case Say::kDesire: {
        const Network network = read_network(in);
        const Instant until = in.time();
        const bool forced = in.number(1) == 1;
        const std::string_view reason = in.text();
        if (!in.finished()) return false;
        ++heard_;
        enforcer_->desire(network, until, reason, forced);
        enforcer_->say_if_settled();
        return true;
      }
      case Say::kRelease: {
        const Network network = read_network(in);
        if (!in.finished()) return false;
        ++heard_;
        enforcer_->release(network);
        enforcer_->say_if_settled();
        return true;
      }
      case Say::kAllDesired:
        enforcer_->all_desired();
        return m.bytes.empty();
      case Say::kTakeOutStrays:
        enforcer_->take_out_strays();
        return m.bytes.empty();
      case Say::kOurs: {
        std::vector<Network> ours;
        for (uint64_t n = in.count(); n > 0 && in.good(); --n) ours.push_back(read_network(in));
        if (in.finished()) enforcer_->ours(ours);
        return in.finished();
      }
      default:
        return false;
    }
  }

  const HelperConfig& config_;
  uv_loop_t loop_{};
  std::optional<Timer> reopen_;
  std::optional<Link> reader_, keeper_;
  std::optional<Watch> watch_;
  std::vector<uint32_t> watched_;  // inputs, as watch_ counts them
  std::vector<std::unique_ptr<JournalWatch>> journals_;
  std::optional<Enforcer> enforcer_;
  uint64_t heard_ = 0;  // kDesire and kRelease
  std::vector<uint64_t> asked_;
  std::vector<bool> missing_;
};

}  // namespace

int run_helper(const HelperConfig& config, std::unique_ptr<Firewall> firewall, Channel reader, Channel keeper) {
  return Helper(config, std::move(firewall), std::move(reader), std::move(keeper)).run();
}

}  // namespace mailward
