#include "daemon/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "base/text.h"
#include "daemon/control.h"
#include "daemon/helper.h"
#include "daemon/link.h"
#include "daemon/notify.h"
#include "daemon/parts.h"
#include "daemon/processes.h"
#include "daemon/reader.h"
#include "daemon/timer.h"
#include "firewall/host.h"
#include "log/follow/watch.h"

namespace mailward {
namespace {

using Steady = std::chrono::steady_clock;

constexpr uint64_t kEndWithin = 10'000;                        // ms for the others to end, when told
constexpr uint64_t kSettleFiles = 200;                         // ms after a change of the ignore list
constexpr uint64_t kFirstPause = 100, kLongestPause = 60'000;  // ms before all is started anew
constexpr auto kLongRun = std::chrono::minutes(1);             // after such a run the pause is short again
constexpr size_t kHardBrake = 10;  // times the configured one: for what the keeper lets through

enum Part : uint8_t { kReader, kKeeper, kHelper };
constexpr size_t kParts = 3;
constexpr std::array<std::string_view, kParts> kNames{"reader", "keeper", "helper"};

class Supervisor {
 public:
  Supervisor(DaemonConfig config, const std::function<Result<DaemonConfig>()>& reload)
      : config_(std::move(config)), make_config_(reload) {}

  int run() {
    uv_loop_init(&loop_);
    ::openlog("mailward", LOG_PID, facility_of(config_.facility));
    ::signal(SIGPIPE, SIG_IGN);
    signals_.emplace(&loop_, std::initializer_list<int>{SIGTERM, SIGINT, SIGHUP, SIGCHLD},
                     [this](int number) { signal(number); });
    force_.emplace(&loop_, [this] { kill_all(); });
    again_.emplace(&loop_, [this] { start(); });
    changed_.emplace(&loop_, [this] { reload_quietly(); });
    watchdog_.emplace(&loop_, [this] { keep_watchdog(); });
    if (open_control()) start();
    if (!ended_) uv_run(&loop_, UV_RUN_DEFAULT);
    close();
    return status_;
  }

 private:
  // ---------------------------------------------------------------- beginning

  static int facility_of(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, int>, 11> kAll{{{"daemon", LOG_DAEMON},
                                                                     {"mail", LOG_MAIL},
                                                                     {"user", LOG_USER},
                                                                     {"local0", LOG_LOCAL0},
                                                                     {"local1", LOG_LOCAL1},
                                                                     {"local2", LOG_LOCAL2},
                                                                     {"local3", LOG_LOCAL3},
                                                                     {"local4", LOG_LOCAL4},
                                                                     {"local5", LOG_LOCAL5},
                                                                     {"local6", LOG_LOCAL6},
                                                                     {"local7", LOG_LOCAL7}}};
    const auto* at = std::find_if(kAll.begin(), kAll.end(), [&](const auto& one) { return one.first == name; });
    return at == kAll.end() ? LOG_DAEMON : at->second;
  }

  bool open_control() {
    if (config_.control.empty() || config_.keeper.once) return true;
    auto socket = Control::listen(config_.control);
    if (socket) {
      control_ = std::move(*socket);
      return true;
    }
    fail_with(socket.error().message);
    return false;
  }

  void log(int priority, const std::string& sentence) const {
    if (!config_.quiet_in_syslog) ::syslog(priority, "%s", for_terminal(sentence, 1000).c_str());
  }

  void fail_with(const std::string& sentence) {
    config_.say(sentence);
    log(LOG_ERR, sentence);
    status_ = 1;
    end_loop();
  }

  void start() {
    if (auto started = start_parts(); !started) fail_with(started.error().message);
  }

  // One channel between each two; a process keeps its own ends.
  Result<void> start_parts() {
    started_ = Steady::now();
    auto firewall = make_firewall(config_.firewall);
    if (!firewall) return std::unexpected(firewall.error());
    auto own = protected_of_host();
    if (!own) return std::unexpected(own.error());
    if (auto given = give_ledger_to_its_keeper(config_.keeper.ledger); !given) return given;
    KeeperConfig keeper = config_.keeper;
    for (const Protected& p : *own) keeper.judge.ignore.add(p.network);
    own->insert(own->end(), config_.protects.begin(), config_.protects.end());
    keeper.guard = std::make_shared<const Guard>(*own);
    HelperConfig helper;
    helper.inputs = keeper.inputs;
    helper.firewall = config_.firewall;
    helper.protects = config_.protects;
    helper.brake = config_.keeper.brake * kHardBrake;
    helper.now = config_.keeper.now;
    helper.once = keeper.once;

    std::array<std::pair<Descriptor, Descriptor>, 4> ends;
    for (auto& pair : ends) {
      auto made = Channel::pair();
      if (!made) return std::unexpected(made.error());
      pair = std::move(*made);
    }
    auto& [reader_keeper, reader_helper, helper_keeper, us_keeper] = ends;
    const auto run = [&](Part part, const std::vector<int>& keep, const std::function<int()>& body) -> Result<void> {
      auto pid = start_process(keep, body);
      if (!pid) return std::unexpected(pid.error());
      pids_[part] = *pid;
      return {};
    };
    if (auto done = run(kReader, {reader_keeper.first.get(), reader_helper.first.get()},
                        [&] {
                          const auto locked = become_reader();
                          if (!locked) return refuse(locked.error());
                          return config_.read(reading_rules(), keeper.inputs, Channel(std::move(reader_keeper.first)),
                                              Channel(std::move(reader_helper.first)));
                        });
        !done)
      return done;
    if (auto done = run(kHelper, {reader_helper.second.get(), helper_keeper.first.get()},
                        [&] {
                          const auto locked = become_helper(helper, config_.readable);
                          if (!locked) return refuse(locked.error());
                          return run_helper(helper, std::move(*firewall), Channel(std::move(reader_helper.second)),
                                            Channel(std::move(helper_keeper.first)));
                        });
        !done)
      return done;
    if (auto done = run(
            kKeeper, {reader_keeper.second.get(), helper_keeper.second.get(), us_keeper.second.get(), control_.get()},
            [&] {
              const auto locked = become_keeper(keeper.ledger);
              if (!locked) return refuse(locked.error());
              keeper.sandbox = *locked;
              return run_keeper(keeper, Channel(std::move(reader_keeper.second)),
                                Channel(std::move(helper_keeper.second)), Channel(std::move(us_keeper.second)),
                                std::move(control_));
            });
        !done)
      return done;
    keeper_.emplace(
        &loop_, Channel(std::move(us_keeper.first)),
        [this](Say kind, Channel::Message& m) { return hear_keeper(kind, m); }, [] {});
    if (!config_.watched.empty() && !config_.keeper.once)
      watch_.emplace(&loop_, config_.watched, Watch::Options{},
                     [this](size_t, Watch::What) { changed_->set(kSettleFiles); });
    return {};
  }

  int refuse(const Error& error) const {
    config_.say(error.message);
    log(LOG_ERR, error.message);
    return 1;
  }

  ReadingRules reading_rules() const {
    ReadingRules rules;
    rules.grammar = config_.grammar.get();
    rules.zone = &config_.zone;
    rules.fingerprint = config_.rules_fingerprint;
    rules.options.zone = &config_.zone;
    rules.options.now = config_.keeper.now();
    rules.options.threads = 1;
    rules.options.wanted = ~(bit(EventKind::kConnect) | bit(EventKind::kDisconnect) | bit(EventKind::kTlsStarted));
    rules.options.keep_facts = false;
    rules.options.keep_raw = true;
    rules.options.unexplained = true;
    return rules;
  }

  void tell(int priority, const std::string& sentence) {
    log(priority, sentence);
    if (!config_.keeper.once) config_.say(sentence);
  }

  // ---------------------------------------------------------------- the keeper

  bool hear_keeper(Say kind, Channel::Message& m) {
    Decoder in(m.bytes);
    switch (kind) {
      case Say::kReady:
        return ready();
      case Say::kReload:
        reload();
        return m.bytes.empty();
      case Say::kWarn:
        tell(LOG_WARNING, std::string(in.text()));
        return in.finished();
      case Say::kFinished:
        done_well_ = in.number(1) == 1;
        for_good_ = in.number(1) == 1;
        done_ = in.text();
        return in.finished();
      default:
        return false;
    }
  }

  bool ready() {
    config_.keeper.must_exist = true;
    if (!std::exchange(told_ready_, true)) {
      notify_.say("READY=1");
      if (const auto every = notify_.watchdog(); every.count() > 0) {
        const auto ms = static_cast<uint64_t>(every.count() / 2000);
        watchdog_->set(ms, std::max<uint64_t>(ms, 1));
      }
    }
    keeper_answered_ = true;
    return true;
  }

  void keep_watchdog() {
    if (!keeper_ || !std::exchange(keeper_answered_, false)) return;
    notify_.say("WATCHDOG=1");
    keeper_->put(Say::kAskReady);
  }

  // ---------------------------------------------------------------- reload and end

  Result<void> take_new_config() {
    auto next = make_config_();
    if (!next) return std::unexpected(next.error());
    if (next->keeper.ledger != config_.keeper.ledger)
      return fail("the ledger is another one now: restart mailward for that");
    next_ = std::make_unique<DaemonConfig>(std::move(*next));
    return {};
  }

  void reload() {
    const auto taken = take_new_config();
    Encoder out;
    out.number(taken.has_value());
    out.text(taken ? std::string("the new configuration is in force")
                   : taken.error().message + "; the old configuration stays in force");
    if (keeper_) keeper_->put(Say::kReloadAnswer, out.take());
    if (!taken) return tell(LOG_ERR, taken.error().message + "; the old configuration stays in force");
    notify_.say("RELOADING=1");
    told_ready_ = false;
    stop_parts();
  }

  void reload_quietly() {
    if (stopping_ || next_) return;
    reload();
  }

  void stop_parts() {
    if (all_ended()) return parts_ended();
    if (std::exchange(stopping_parts_, true)) return;
    keeper_->put(Say::kStop);
    force_->set(kEndWithin);
  }

  bool all_ended() const {
    return std::all_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid < 0; });
  }

  void signal(int number) {
    if (number == SIGCHLD) return reap();
    if (number == SIGHUP) return reload_quietly();
    if (std::exchange(stopping_, true)) return;
    notify_.say("STOPPING=1");
    again_->stop();
    stop_parts();
  }

  void kill_all() {
    for (const pid_t pid : pids_)
      if (pid > 0) ::kill(pid, SIGKILL);
  }

  // One alone guards nobody: when one has gone, the others end by themselves, for their channels do.
  void reap() {
    bool any = false;
    for (size_t part = 0; part < kParts; ++part) {
      int how = 0;
      if (pids_[part] <= 0 || ::waitpid(pids_[part], &how, WNOHANG) != pids_[part]) continue;
      pids_[part] = -1;
      any = true;
      const bool well = WIFEXITED(how) && WEXITSTATUS(how) == 0;
      if (well || stopping_parts_ || !ended_badly_.empty()) continue;
      ended_badly_ = fmt::format("the {} {}", kNames[part],
                                 WIFSIGNALED(how) ? fmt::format("was ended by signal {}", WTERMSIG(how))
                                                  : fmt::format("ended with status {}", WEXITSTATUS(how)));
    }
    if (!any) return;
    if (all_ended()) return parts_ended();
    force_->set(kEndWithin);
  }

  void parts_ended() {
    force_->stop();
    if (keeper_) keeper_->drain();  // what it said last may not have been heard yet
    keeper_.reset();
    watch_.reset();
    const bool expected = std::exchange(stopping_parts_, false) || config_.keeper.once;
    if (stopping_ || config_.keeper.once || for_good_) return finish();
    if (next_ && expected) {
      config_ = std::move(*std::exchange(next_, nullptr));
      config_.keeper.must_exist = true;
      return start();
    }
    next_.reset();
    pause_ =
        Steady::now() - started_ > kLongRun ? kFirstPause : std::min(std::max(pause_ * 2, kFirstPause), kLongestPause);
    tell(LOG_ERR, fmt::format("{}{}{}; all parts start anew", ended_badly_,
                              ended_badly_.empty() || done_.empty() ? "" : ": ", done_));
    ended_badly_.clear();
    done_.clear();
    again_->set(pause_);
  }

  void finish() {
    if (done_.empty()) done_ = ended_badly_;
    if (!done_.empty()) log(done_well_ ? LOG_INFO : LOG_ERR, done_);
    if ((config_.keeper.once || for_good_) && !done_.empty()) config_.say(done_);
    status_ = done_well_ ? 0 : 1;
    end_loop();
  }

  void end_loop() {
    ended_ = true;
    uv_stop(&loop_);
  }

  void close() {
    kill_all();
    keeper_.reset();
    watch_.reset();
    signals_.reset();
    for (auto* timer : {&force_, &again_, &changed_, &watchdog_}) timer->reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
    if (control_.get() >= 0) ::unlink(config_.control.c_str());
  }

  DaemonConfig config_;
  const std::function<Result<DaemonConfig>()>& make_config_;
  std::unique_ptr<DaemonConfig> next_;
  uv_loop_t loop_{};
  std::optional<Signals> signals_;
  std::optional<Timer> force_, again_, changed_, watchdog_;
  Descriptor control_;
  std::optional<Link> keeper_;
  std::optional<Watch> watch_;
  Notify notify_;
  std::array<pid_t, kParts> pids_{-1, -1, -1};
  Steady::time_point started_{};
  uint64_t pause_ = 0;
  std::string done_, ended_badly_;
  bool done_well_ = false, for_good_ = false, stopping_ = false, stopping_parts_ = false, ended_ = false;
  bool told_ready_ = false, keeper_answered_ = false;
  int status_ = 0;
};

}  // namespace

int run_daemon(DaemonConfig config, const std::function<Result<DaemonConfig>()>& reload) {
  return Supervisor(std::move(config), reload).run();
}

Result<Descriptor> lock_ledger(const std::string& ledger, std::chrono::milliseconds wait) {
  const std::string path = ledger + ".lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  const auto end = Steady::now() + wait;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
    if (Steady::now() >= end) return fail(fmt::format("{}: another mailward works with this ledger", ledger));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return file;
}

}  // namespace mailward
