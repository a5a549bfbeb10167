#include "cli/by_hand.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "firewall/host.h"
#include "ledger/ledger.h"
#include "view/bans.h"

namespace mailward {
namespace {

constexpr std::chrono::milliseconds kWaitForAnother{10'000};

// No log is read, and this host may have none.
LogOptions no_log() {
  LogOptions options;
  options.files.emplace_back("-");
  return options;
}

Result<Guard> guard_of(const GlobalOptions& globals) {
  auto all = protected_of_host();
  if (!all) return std::unexpected(all.error());
  const auto settings = settle(globals, no_log());
  if (!settings) return fail(settings.error().message);
  for (const Network& n : settings->ignore.networks()) all->push_back({n, "on the ignore list"});
  return Guard(*all);
}

// The firewall follows at once where it can; else the next `mailward run` does it.
std::string tell_firewall(const Site& site, const std::vector<Ban>& bans, const std::vector<Network>& free) {
  auto firewall = make_firewall(site.config.firewall);
  Result<void> done;
  if (!firewall) {
    done = std::unexpected(firewall.error());
  } else {
    done = (*firewall)->prepare();
    if (done) done = (*firewall)->ban(bans, site.now);
    if (done) done = (*firewall)->unban(free);
  }
  return done ? ""
              : fmt::format("; the firewall was not changed ({}): the next `mailward run` does it",
                            done.error().message);
}

Outcome<std::string> ban(const GlobalOptions& globals, const Site& site, Ledger& ledger, const Request& request) {
  if (!request.force) {
    const auto guard = guard_of(globals);
    if (!guard) return failed(guard.error().message);
    if (const auto why = guard->refuses(request.network)) return failed(*why + "; --force bans it all the same");
  }
  BanRow row;
  row.network = request.network;
  row.since = site.now;
  row.until = site.now + request.length;
  row.origin = "manual";
  row.policy = request.force ? std::string(kForced) : "";
  ledger.note(row);
  if (auto done = ledger.commit(); !done) return failed(done.error().message);
  return fmt::format("{} is banned until {}{}", address_of(row.network), format_instant(row.until, false),
                     tell_firewall(site, {{row.network, row.until, "manual"}}, {}));
}

Outcome<std::string> unban(const Site& site, Ledger& ledger, const Request& request) {
  const auto rows = ledger.bans(site.now, false);
  if (!rows) return failed(rows.error().message);
  std::vector<Network> free;
  for (const BanRow& row : *rows) {
    const bool within = row.network.address.is_v4() == request.network.address.is_v4() &&
                        row.network.prefix >= request.network.prefix && contains(request.network, row.network.address);
    if (!within) continue;
    free.push_back(row.network);
    ledger.withdraw(row.network, row.since, site.now);
  }
  ledger.add_pardon(request.network, site.now);  // what happened before convicts nobody there any more
  if (auto done = ledger.commit(); !done) return failed(done.error().message);
  std::string sentence = free.empty() ? fmt::format("{} was not banned", address_of(request.network))
                                      : fmt::format("{} is let in again", address_of(request.network));
  for (const BanRow& row : *rows)
    if (row.network.prefix < request.network.prefix && contains(row.network, request.network.address))
      sentence +=
          fmt::format("; it lies in {}, which is banned: unban that too to let it in", format_network(row.network));
  return sentence + tell_firewall(site, {}, free);
}

}  // namespace

Outcome<Site> site_of(const GlobalOptions& globals, const std::string& timezone, Broken broken) {
  auto config = find_config(globals.config);
  // The daemon goes on with what it has read before; who asks it something must be able to.
  if (!config && broken == Broken::kRefused) return failed(config.error().message);
  if (!config) {
    globals.messages().note(config.error().message + "; going on without it");
    config = Config();
  }
  Site site;
  auto zone = choose_zone(timezone, *config);
  if (!zone) return std::unexpected(zone.error());
  site.zone = std::move(*zone);
  const auto now = choose_now(globals.now, site.zone);
  if (!now) return std::unexpected(now.error());
  site.now = *now;
  site.ledger = ledger_path(globals, *config);
  if (site.ledger.empty()) return failed("there is no site for the ledger: HOME isn't set; name a file by --ledger");
  site.control = control_path(globals, *config);
  site.config = std::move(*config);
  return site;
}

Outcome<std::string> change_by_hand(const GlobalOptions& globals, const Site& site, const Request& request) {
  std::error_code error;
  if (!std::filesystem::exists(site.ledger, error) && request.verb == Request::Verb::kUnban)
    return failed(fmt::format("{}: there is no ledger, so nobody is banned", site.ledger));
  if (auto made = make_folder_of(site.ledger, 0700); !made) return std::unexpected(made.error());
  const auto lock = lock_ledger(site.ledger, kWaitForAnother);
  if (!lock) return failed(lock.error().message);
  auto ledger = Ledger::open(site.ledger);
  if (!ledger) return failed(ledger.error().message);
  return request.verb == Request::Verb::kBan ? ban(globals, site, *ledger, request) : unban(site, *ledger, request);
}

}  // namespace mailward
