#include "cli/daemon_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "cli/by_hand.h"
#include "cli/reading.h"
#include "ledger/copy.h"
#include "ledger/ledger.h"
#include "view/bans.h"

namespace mailward {
namespace {

constexpr size_t kShown = 50;  // bans that would come

class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* const where = std::getenv("TMPDIR");
    path_ = std::string(where && *where == '/' ? where : "/tmp") + "/mailward-check-XXXXXX";
    if (!::mkdtemp(path_.data())) path_.clear();
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string describe_firewall(const FirewallConfig& firewall) {
  if (firewall.backend == "none") return "none: what would be banned stands in the ledger only";
  std::string text = firewall.backend;
  if (firewall.backend == "nftables")
    text +=
        fmt::format(", table inet {}, {}", firewall.table,
                    firewall.ports.all ? "all ports" : fmt::format("ports {}", fmt::join(firewall.ports.some, ", ")));
  if (firewall.backend == "pf")
    text += fmt::format(", table {}{}", firewall.table, firewall.anchor.empty() ? "" : " in anchor " + firewall.anchor);
  if (firewall.backend == "crowdsec")
    text +=
        "; in its mode nftables, crowdsec-firewall-bouncer takes only the first address of a network, as IPv6 is "
        "banned: use its mode iptables";
  if (firewall.backend == "command") text += fmt::format(": {}", fmt::join(firewall.ban_command, " "));
  return text;
}

// What the log's lines since the last time would lead to: tried on a copy of the ledger.
Outcome<std::vector<BanRow>> try_it(DaemonConfig config, bool ledger_there, std::string& told) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return failed("no folder can be made in /tmp");
  const Instant now = config.keeper.now();
  const std::string original = config.keeper.ledger;
  config.keeper.ledger = folder.path() + "/ledger.sqlite";
  std::vector<BanRow> before;
  if (ledger_there) {
    if (auto copied = copy_ledger(original, config.keeper.ledger); !copied) return failed(copied.error().message);
    auto ledger = Ledger::open_to_read(config.keeper.ledger);
    auto rows = ledger ? ledger->bans(now, true) : Result<std::vector<BanRow>>(std::unexpected(ledger.error()));
    if (!rows) return failed(rows.error().message);
    before = std::move(*rows);
  }
  config.firewall = FirewallConfig();
  config.firewall.backend = "none";
  config.keeper.once = true;
  config.control.clear();
  config.quiet_in_syslog = true;
  config.say = [&told](std::string_view sentence) { told += std::string(sentence); };
  const int status = run_daemon(std::move(config), [] { return Result<DaemonConfig>(fail("nothing to reload")); });
  if (status != 0) return failed(told);
  auto ledger = Ledger::open_to_read(folder.path() + "/ledger.sqlite");
  if (!ledger) return failed(ledger.error().message);
  auto after = ledger->bans(now, false);
  if (!after) return failed(after.error().message);
  std::erase_if(*after, [&](const BanRow& row) {
    return std::any_of(before.begin(), before.end(),
                       [&](const BanRow& b) { return b.network == row.network && b.since == row.since; });
  });
  return std::move(*after);
}

}  // namespace

Outcome<int> check_daemon(const GlobalOptions& globals, DaemonConfig config) {
  Output out(STDOUT_FILENO);
  std::error_code error;
  const bool there = std::filesystem::exists(config.keeper.ledger, error);
  const std::string path = config.keeper.ledger;
  const Instant now = config.keeper.now();
  const Zone zone = config.zone;
  bool missing = false;
  std::string& text = out.text();
  text += fmt::format("policy     {} ({})\n", config.keeper.judge.policies.name,
                      counted(config.keeper.judge.policies.policies.size(), "rule"));
  for (const std::string& input : config.keeper.inputs) {
    const bool journal = input.starts_with("journal:");
    const bool readable = journal || ::access(input.c_str(), R_OK) == 0;
    missing |= !readable;
    text += fmt::format("log        {}{}\n", for_terminal(input, 1000),
                        readable ? "" : ": can't be read now; it is looked for again each minute");
  }
  text += fmt::format("ledger     {}{}\n", for_terminal(path, 1000), there ? "" : " (would be made)");
  text += fmt::format("firewall   {}\n", describe_firewall(config.firewall));
  text += fmt::format("never      what is this host's own, and {} of the ignore list\n",
                      counted(config.protects.size(), "line"));
  std::string told;
  const auto bans = try_it(std::move(config), there, told);
  if (!bans) return std::unexpected(bans.error());
  text += fmt::format("new        {}\n\n", for_terminal(told, 1000));
  const BansView view{screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice()), local_time(zone), now, false};
  if (bans->empty()) {
    text += "Nobody would be banned now.\n";
  } else {
    text += fmt::format("Would be banned now:\n");
    std::vector<BanRow> shown(bans->begin(),
                              bans->begin() + static_cast<std::ptrdiff_t>(std::min(kShown, bans->size())));
    put_bans_table(shown, view, out);
    if (bans->size() > kShown) out.text() += fmt::format("… and {} more\n", bans->size() - kShown);
  }
  return finish_output(out, globals.messages(), missing ? kFailed : kDone);
}

}  // namespace mailward
