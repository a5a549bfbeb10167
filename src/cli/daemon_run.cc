// mailward run: the daemon, and --once for cron.
#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/daemon_check.h"
#include "cli/daemon_setup.h"

namespace mailward {
namespace {

constexpr std::chrono::milliseconds kWaitForAnother{10'000};

struct RunOptions {
  bool once = false, check = false;
};

Outcome<int> run(const GlobalOptions& globals, const LogOptions& options, const RunOptions& how) {
  auto config = daemon_config(globals, options, how.once);
  if (!config) return std::unexpected(config.error());
  if (how.check) return check_daemon(globals, std::move(*config));
  const auto lock = lock_ledger(config->keeper.ledger, kWaitForAnother);
  if (!lock) return failed(lock.error().message);
  const auto again = [&]() -> Result<DaemonConfig> {
    auto next = daemon_config(globals, options, how.once);
    if (!next) return fail(next.error().message);
    return std::move(*next);
  };
  return run_daemon(std::move(*config), again);
}

}  // namespace

Body declare_run(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<LogOptions>();
  auto how = std::make_shared<RunOptions>();
  app.add_flag("--once", how->once, "read what is new since the last time, and end (for cron)");
  app.add_flag("--check", how->check, "read everything, and say what would be done");
  declare_daemon_options(app, *options);
  return [&globals, options, how] { return status_or_end(run(globals, *options, *how), globals.messages()); };
}

}  // namespace mailward
