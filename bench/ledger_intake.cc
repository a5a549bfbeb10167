// What the keeper costs: judging and the ledger together, without rules and reading.
//
//   ledger_intake LEDGER FILE [GROUP]      the events of a log, as the reader hands them over
//   ledger_intake LEDGER random:N [GROUP]  N hostile and other events of 30,000 addresses
//   ledger_intake LEDGER sources:N         N addresses, each tenth of which is banned; then what opening it costs
//
// LEDGER is made anew. GROUP is how many lines one commit takes (125,000: a quarter of a second of them). The
// figures are processor time: run it under `taskset -c 0` for what one core does.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "judge/live.h"
#include "ledger/ledger.h"
#include "log/log_set.h"
#include "log/zone.h"
#include "session/event_stream.h"

namespace mailward {
namespace {

double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "ledger_intake: {}\n", why);
  std::exit(1);
}

JudgeConfig config() {
  JudgeConfig made;
  auto policies = load_policies("default");
  if (!policies) give_up(policies.error().message);
  made.policies = std::move(*policies);
  made.local_domains = {"domain1.example", "domain2.example"};
  return made;
}

class Keeper {
 public:
  explicit Keeper(Ledger ledger) : ledger_(std::move(ledger)), config_(config()), judge_(config_, ledger_) {}

  void take(std::span<const Event> events) {
    double at = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (const Event& event : events) ledger_.note(event, "mail.log");
    noting_ += since(at);
    for (const Event& event : events) {
      changes_.clear();
      judge_.take(event, changes_);
      for (const LiveChange& change : changes_) ledger_.note(change, config_.policies, event.time);
      for (const LiveChange& change : changes_) (change.what == LiveChange::What::kBan ? bans_ : withdrawn_) += 1;
      counted_ += !is_frame(event.kind);
    }
    judging_ += since(at);
    events_ += events.size();
  }

  bool crowded() const { return ledger_.crowded(); }
  void commit() {
    double at = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (auto done = ledger_.commit(); !done) give_up(done.error().message);
    const double now = seconds(CLOCK_PROCESS_CPUTIME_ID);
    writing_ += now - at;
    ++commits_;
  }

  void tell(uint64_t lines) const {
    const auto each = [&](const char* what, double time) {
      fmt::print("{:<8} {:6.3f} s  {:6.2f} us a line  {:6.2f} us an event that is no frame\n", what, time,
                 1e6 * time / static_cast<double>(lines), 1e6 * time / static_cast<double>(counted_));
    };
    fmt::print("{} lines, {} events, {} of them no frames; {} bans, {} withdrawn; {} commits\n", lines, events_,
               counted_, bans_, withdrawn_, commits_);
    each("noting", noting_);
    each("judging", judging_);
    each("writing", writing_);
    each("all", noting_ + judging_ + writing_);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print("peak {} MB\n", usage.ru_maxrss / 1024);
  }

 private:
  static double since(double& at) {
    const double now = seconds(CLOCK_THREAD_CPUTIME_ID), took = now - at;
    at = now;
    return took;
  }

  Ledger ledger_;
  JudgeConfig config_;
  LiveJudge judge_;
  std::vector<LiveChange> changes_;
  double noting_ = 0, judging_ = 0, writing_ = 0;
  size_t events_ = 0, counted_ = 0, bans_ = 0, withdrawn_ = 0, commits_ = 0;
};

uint64_t read_log(Keeper& keeper, const std::string& file, uint64_t group) {
  auto grammar = Grammar::open("rules");
  if (!grammar) give_up(grammar.error().message);
  OpenedLogs logs = arrange_logs(open_files(std::vector{file}));
  for (const std::string& sentence : logs.trouble) give_up(sentence);
  const Zone zone;
  ReadOptions options;
  options.zone = &zone;
  options.now = *parse_rfc3339("2026-03-20T00:00:00Z");
  options.threads = 1;  // here the reader, whose time is not counted
  options.keep_raw = true;
  uint64_t committed = 0;
  const auto figures = read_events(logs.sets, *grammar, options,
                                   [&](std::span<const Event> events) {
                                     keeper.take(events);
                                     if (events.back().line - committed < group && !keeper.crowded()) return;
                                     committed = events.back().line;
                                     keeper.commit();
                                   },
                                   {});
  keeper.commit();
  return figures.lines;
}

uint64_t make_events(Keeper& keeper, uint64_t number, uint64_t group) {
  std::mt19937 random(1);
  std::vector<std::string> users;
  for (int i = 0; i < 5'000; ++i) users.push_back(fmt::format("user{}{}", i, i % 2 ? "@domain1.example" : ""));
  for (uint64_t i = 0; i < number; ++i) {
    Event e;
    e.time = Instant(Duration(int64_t{1'772'409'600'000'000} + static_cast<int64_t>(i) * 200'000));
    e.address = Address::v4(0x0a000000 + (random() % 4 ? random() % 30'000 : random() % 100));
    e.kind = random() % 8 == 0   ? EventKind::kAuthOk
             : random() % 3 != 0 ? EventKind::kAuthFailed
                                 : EventKind::kUnknownRecipient;
    if (e.kind != EventKind::kUnknownRecipient) e.facts[0] = users[random() % users.size()];
    e.line = i + 1;
    e.raw =
        "Mar  2 00:00:00 mail dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<info>, "
        "method=PLAIN, rip=10.0.0.1, lip=10.0.0.2, TLS, session=<abc>";
    keeper.take(std::span(&e, 1));
    if (e.line % group == 0 || keeper.crowded()) keeper.commit();
  }
  keeper.commit();
  return number;
}

uint64_t make_sources(Keeper& keeper, uint64_t number) {
  for (uint64_t i = 0; i < number; ++i) {
    Event e;
    e.time = Instant(Duration(int64_t{1'772'409'600'000'000} + static_cast<int64_t>(i) * 100'000));
    e.address = Address::v4(static_cast<uint32_t>(i) * 2'654'435'761U);
    e.kind = EventKind::kAuthFailed;
    const std::string user = fmt::format("name{}{}", i / 4, i % 10 == 0 ? "@elsewhere.example" : "");
    e.facts[0] = user;
    e.line = i + 1;
    e.raw = "Mar  2 00:00:00 mail dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<info>";
    keeper.take(std::span(&e, 1));
    if (keeper.crowded()) keeper.commit();
  }
  keeper.commit();
  return number;
}

void tell_opening(const std::string& path) {
  const double begin = seconds(CLOCK_MONOTONIC);
  auto ledger = Ledger::open(path);
  if (!ledger) give_up(ledger.error().message);
  const double opened = seconds(CLOCK_MONOTONIC);
  const auto figures = ledger->figures(Instant(std::chrono::seconds(1'772'409'600)));
  const double looked = seconds(CLOCK_MONOTONIC);
  const auto bans = ledger->bans(Instant(std::chrono::seconds(1'772'409'600)), false);
  if (!figures || !bans) give_up("it can't be read");
  fmt::print("{} sources, {} MB: opened in {:.1f} ms, figures in {:.1f} ms, its {} bans in {:.1f} ms\n",
             figures->sources, figures->bytes >> 20, 1e3 * (opened - begin), 1e3 * (looked - opened), bans->size(),
             1e3 * (seconds(CLOCK_MONOTONIC) - looked));
}

}  // namespace
}  // namespace mailward

int main(int argc, char** argv) {
  using namespace mailward;
  if (argc < 3) give_up("usage: ledger_intake LEDGER FILE|random:N [GROUP]");
  const std::string path = argv[1], input = argv[2];
  for (const char* end_of_name : {"", "-wal", "-shm"}) ::unlink((path + end_of_name).c_str());
  const uint64_t group = argc > 3 ? std::stoull(argv[3]) : 125'000;
  {
    auto ledger = Ledger::open(path);
    if (!ledger) give_up(ledger.error().message);
    Keeper keeper(std::move(*ledger));
    const auto number_of = [&] { return std::stoull(input.substr(input.find(':') + 1)); };
    if (input.starts_with("random:"))
      keeper.tell(make_events(keeper, number_of(), group));
    else if (input.starts_with("sources:"))
      keeper.tell(make_sources(keeper, number_of()));
    else
      keeper.tell(read_log(keeper, input, group));
  }
  tell_opening(path);
  return 0;
}
