// mailward bans, ban, unban: who is kept out, and changing it by hand.
#include "view/bans.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "cli/by_hand.h"
#include "cli/command.h"
#include "cli/daemon_client.h"
#include "cli/daemon_setup.h"
#include "cli/reading.h"
#include "cli/when.h"

namespace mailward {
namespace {

constexpr std::array<std::string_view, 4> kFormats{"table", "plain", "json", "csv"};

struct BansOptions {
  std::string format, timezone;
  bool all = false;
};

struct HandOptions {
  std::string network, length = "7d";
  bool force = false;
};

Outcome<int> bans(const GlobalOptions& globals, const BansOptions& options) {
  const Messages messages = globals.messages();
  const auto format = choose_format(options.format, ::isatty(STDOUT_FILENO) == 1 ? "table" : "plain", kFormats);
  if (!format) return std::unexpected(format.error());
  const auto site = site_of(globals, options.timezone, Broken::kTold);
  if (!site) return std::unexpected(site.error());
  // A daemon first stores what it has found out by now.
  const auto asked = ask_daemon(site->control, {.verb = Request::Verb::kSync});
  if (!asked) messages.note(asked.error().message);

  std::vector<BanRow> rows;
  std::error_code error;
  if (!std::filesystem::exists(site->ledger, error)) {
    messages.note(fmt::format("{}: there is no ledger yet; `mailward run` makes it", site->ledger));
  } else {
    auto ledger = Ledger::open_to_read(site->ledger);
    if (!ledger) return failed(ledger.error().message);
    auto found = ledger->bans(site->now, options.all);
    if (!found) return failed(found.error().message);
    rows = std::move(*found);
  }
  Output out(STDOUT_FILENO);
  if (*format == "table") {
    const BansView view{screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice()), local_time(site->zone),
                        site->now, options.all};
    put_bans_table(rows, view, out);
  } else if (*format == "plain") {
    put_bans_plain(rows, out);
  } else if (*format == "json") {
    put_bans_json(rows, out);
  } else {
    put_bans_csv(rows, out);
  }
  return finish_output(out, messages, kDone);
}

Outcome<Network> network_typed(const std::string& text) {
  const auto network = parse_network(text);
  if (network) return *network;
  return wrong_usage(
      fmt::format("'{}' is neither an address nor a network like 192.0.2.0/24 (without bits right of its prefix)",
                  for_terminal(text)));
}

// The address from which somebody is logged in by ssh: sshd(8) sets these.
std::optional<Address> ssh_client() {
  for (const char* name : {"SSH_CONNECTION", "SSH_CLIENT"}) {
    const char* const value = std::getenv(name);
    if (!value) continue;
    const std::string_view text(value);
    if (const auto address = parse_address(text.substr(0, text.find(' ')))) return address;
  }
  return std::nullopt;
}

// By the daemon where one runs, else by the ledger itself.
Outcome<int> by_hand(const GlobalOptions& globals, const Request& request) {
  const Messages messages = globals.messages();
  const auto site = site_of(globals, "", Broken::kTold);
  if (!site) return std::unexpected(site.error());
  const auto answer = ask_daemon(site->control, request);
  if (!answer) return failed(answer.error().message);
  if (!*answer) {
    const auto done = change_by_hand(globals, *site, request);
    if (!done) return std::unexpected(done.error());
    messages.note(*done);
    return kDone;
  }
  const auto json = nlohmann::json::parse(**answer, nullptr, false);
  if (!json.is_object()) return failed("what the daemon answered can't be read; is it of another version?");
  const std::string sentence = json.value("message", "");
  if (!json.value("ok", false)) return failed(sentence);
  messages.note(sentence);
  return kDone;
}

Outcome<int> ban(const GlobalOptions& globals, const HandOptions& options) {
  const auto network = network_typed(options.network);
  if (!network) return std::unexpected(network.error());
  if (network->prefix < (network->address.is_v4() ? kWidestByHand4 : kWidestByHand6))
    return wrong_usage(fmt::format("{} is too wide to be banned: /{} is the widest for IPv4, /{} for IPv6",
                                   format_network(*network), kWidestByHand4, kWidestByHand6));
  const auto length = parse_duration(options.length);
  if (!length || *length <= Duration(0))
    return wrong_usage(fmt::format("--for wants a duration (15m, 24h, 7d), not '{}'", for_terminal(options.length)));
  if (const auto client = ssh_client(); client && contains(*network, *client) && !options.force)
    return failed(
        fmt::format("{} is where you are logged in from; --force bans it all the same", format_address(*client)));
  return by_hand(globals, {Request::Verb::kBan, *network, *length, options.force});
}

Outcome<int> unban(const GlobalOptions& globals, const HandOptions& options) {
  const auto network = network_typed(options.network);
  if (!network) return std::unexpected(network.error());
  return by_hand(globals, {Request::Verb::kUnban, *network, {}, false});
}

}  // namespace

Body declare_bans(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<BansOptions>();
  app.add_option("--format", options->format, "table, plain, json or csv")->option_text("F");
  app.add_option("--timezone", options->timezone, "in which the table shows times")->option_text("ZONE");
  app.add_flag("--all", options->all, "past ones too");
  return [&globals, options] { return status_or_end(bans(globals, *options), globals.messages()); };
}

Body declare_ban(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<HandOptions>();
  app.add_option("NETWORK", options->network, "an address, or a network as 192.0.2.0/24")->required()->option_text(" ");
  app.add_option("--for", options->length, "how long; 7d if nothing is said")->option_text("DURATION");
  app.add_flag("--force", options->force, "also what is on the ignore list, or this host's own");
  return [&globals, options] { return status_or_end(ban(globals, *options), globals.messages()); };
}

Body declare_unban(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<HandOptions>();
  app.add_option("NETWORK", options->network, "an address, or a network as 192.0.2.0/24")->required()->option_text(" ");
  return [&globals, options] { return status_or_end(unban(globals, *options), globals.messages()); };
}

}  // namespace mailward
