// `pf`: a table of pf, by pfctl(8); the rule that drops what is in it is the admin's (docs/firewalls.md). The table may
// have entries of others: we put in and take out what we are told, and held() tells all there is.
//
// Addresses go through standard input, many a process; nothing of them is ever an option. What pfctl answers, and
// that it makes a table that isn't there instead of refusing, was taken from its source (OpenBSD 7.6).
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "firewall/backends.h"
#include "firewall/process.h"

namespace mailward {
namespace {

constexpr size_t kMostAtOnce = 10'000;  // FreeBSD's kernel takes 65,535 in one request (net.pf.request_maxcount)
constexpr size_t kKillUnseen = 16;      // so many new bans: their states are killed without a look at what there is

bool single(const Network& n) { return n.prefix == (n.address.is_v4() ? 32 : 128); }
std::string shown(const Network& n) { return single(n) ? format_address(n.address) : format_network(n); }

template <class Each>
void each_line(std::string_view text, Each each) {
  for (size_t end = 0; !text.empty(); text.remove_prefix(std::min(end + 1, text.size()))) {
    end = std::min(text.find('\n'), text.size());
    each(text.substr(0, end));
  }
}

// An address as the list of states writes it: "192.0.2.7:25", "2001:db8::7[25]", translated ones in brackets.
std::optional<Address> address_of_state(std::string_view word) {
  if (word.starts_with('(')) word.remove_prefix(1);
  const size_t end = word.find('[') != std::string_view::npos ? word.find('[') : word.rfind(':');
  return parse_address(word.substr(0, end));
}

class Pf : public Firewall {
 public:
  explicit Pf(const FirewallConfig& config) : config_(config) {}

  std::string_view name() const override { return "pf"; }
  bool ends_bans() const override { return false; }
  bool is_shared() const override { return true; }

  // The table is made by pf.conf, not by us: without a rule that uses it no ban would do anything.
  Result<void> prepare() override {
    const auto tables = pfctl({"-v", "-s", "Tables"});
    if (!tables) return std::unexpected(tables.error());
    bool there = false, used = false;
    each_line(tables->output, [&](std::string_view line) {
      const size_t tab = line.find('\t');
      if (tab == std::string_view::npos || line.substr(0, line.find('@')).substr(tab + 1) != config_.table) return;
      there = true;
      used = line.substr(0, tab).find_first_of("rh") != std::string_view::npos;  // by a rule, by one in an anchor
    });
    return used ? Result<void>() : unused(there ? "no rule uses it" : "it isn't there");
  }

  Result<std::vector<Held>> held(Instant) override {
    if (auto ok = prepare(); !ok) return std::unexpected(ok.error());
    const auto ran = pfctl({"-t", config_.table, "-T", "show"});
    if (!ran) return std::unexpected(ran.error());
    std::vector<Held> all;
    each_line(ran->output, [&](std::string_view line) {  // three columns of marks, then the network
      if (line.size() < 4 || line[2] == '!') return;     // an exception from a wider entry, made by hand
      if (const auto network = parse_network(line.substr(3))) all.push_back({*network, kNoInstant});
    });
    return all;
  }

 private:
  Result<void> put_in(std::span<const Ban> bans, Instant) override {
    std::vector<Network> networks;
    for (const Ban& ban : bans) networks.push_back(ban.network);
    return in_batches(networks, [&](std::string_view input) -> Result<void> {
      const auto ran = pfctl({"-v", "-t", config_.table, "-T", "add", "-f", "-"}, input);
      if (!ran) return std::unexpected(ran.error());
      if (ran->errors.find("table created") != std::string::npos) return unused("it wasn't there");
      std::vector<Network> added;
      each_line(ran->output, [&](std::string_view line) {
        if (!line.starts_with("A  ")) return;
        if (const auto network = parse_network(line.substr(3))) added.push_back(*network);
      });
      return kill_states(added);
    });
  }

  Result<void> take_out(std::span<const Network> networks) override {
    return in_batches(networks, [&](std::string_view input) -> Result<void> {
      const auto ran = pfctl({"-q", "-t", config_.table, "-T", "delete", "-f", "-"}, input);
      return ran ? Result<void>() : std::unexpected(ran.error());
    });
  }

  template <class Each>
  Result<void> in_batches(std::span<const Network> networks, Each each) {
    for (; !networks.empty(); networks = networks.subspan(std::min(kMostAtOnce, networks.size()))) {
      std::string input;
      for (const Network& n : networks.first(std::min(kMostAtOnce, networks.size()))) input += shown(n) + '\n';
      if (auto ok = each(input); !ok) return ok;
    }
    return {};
  }

  // What passes by a state is asked no rule: without this a guesser keeps his connection. Two processes a network;
  // of many networks only for those that have a state at all, so that a restart costs seconds and not minutes.
  Result<void> kill_states(std::vector<Network> added) {
    if (added.size() > kKillUnseen) {
      const auto connected = addresses_with_states();
      if (!connected) return std::unexpected(connected.error());
      std::erase_if(added, [&](const Network& n) {
        const auto first = connected->lower_bound(n.address);
        return first == connected->end() || !contains(n, *first);
      });
    }
    for (const Network& n : added) {
      const std::string text = shown(n);
      if (const auto from = pfctl({"-q", "-k", text}, {}, false); !from) return std::unexpected(from.error());
      const auto to = pfctl({"-q", "-k", n.address.is_v4() ? "0.0.0.0/0" : "::/0", "-k", text}, {}, false);
      if (!to) return std::unexpected(to.error());
    }
    return {};
  }

  Result<std::set<Address>> addresses_with_states() const {
    const auto ran = pfctl({"-s", "states"}, {}, false);
    if (!ran) return std::unexpected(ran.error());
    std::set<Address> addresses;
    each_line(ran->output, [&](std::string_view line) {
      while (!line.empty()) {
        const size_t end = std::min(line.find(' '), line.size());
        if (const auto address = address_of_state(line.substr(0, end))) addresses.insert(*address);
        line.remove_prefix(std::min(end + 1, line.size()));
      }
    });
    return addresses;
  }

  Result<Ran> pfctl(std::vector<std::string> arguments, std::string_view input = {}, bool in_anchor = true) const {
    if (in_anchor && !config_.anchor.empty()) arguments.insert(arguments.begin(), {"-a", config_.anchor});
    arguments.insert(arguments.begin(), config_.pfctl);
    return run_well(arguments, input, config_.timeout);
  }

  Result<void> unused(std::string_view how) const {
    return fail(
        fmt::format("the table <{}> of pf{} keeps nobody out: {}. In pf.conf, or what its anchor loads: \"table "
                    "<{}> persist\" and \"block drop in quick from <{}>\"",
                    config_.table, config_.anchor.empty() ? "" : " in the anchor " + config_.anchor, how, config_.table,
                    config_.table));
  }

  const FirewallConfig config_;
};

}  // namespace

Result<std::unique_ptr<Firewall>> make_pf(const FirewallConfig& config) { return std::make_unique<Pf>(config); }

}  // namespace mailward
