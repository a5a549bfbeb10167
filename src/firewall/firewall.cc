#include "firewall/firewall.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "firewall/backends.h"

namespace mailward {
namespace {

struct Backend {
  std::string_view name;
  Result<std::unique_ptr<Firewall>> (*make)(const FirewallConfig&);
};

constexpr std::array kBackends{
    Backend{"nftables", make_nftables}, Backend{"pf", make_pf},     Backend{"crowdsec", make_crowdsec},
    Backend{"command", make_command},   Backend{"none", make_none},
};

// A network that isn't one is our own mistake; it must not become a wider ban than was meant.
Result<void> check(const Network& n) {
  if (n.prefix >= 0 && n == network_of(n.address, n.prefix, n.prefix)) return {};
  return fail(fmt::format("{} is no network: it has bits right of its prefix", format_network(n)));
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_name(std::string_view text) {
  const auto part_of_name = [](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !text.empty() && text.size() <= 31 && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(), part_of_name);
}

}  // namespace

Result<void> Firewall::ban(std::span<const Ban> bans, Instant now) {
  std::vector<Ban> sorted(bans.begin(), bans.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const Ban& a, const Ban& b) { return a.network < b.network; });
  std::vector<Ban> in;
  std::vector<Network> out;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (auto ok = check(sorted[i].network); !ok) return ok;
    if (i + 1 < sorted.size() && sorted[i + 1].network == sorted[i].network) continue;  // the last word counts
    if (sorted[i].until > now)
      in.push_back(sorted[i]);
    else
      out.push_back(sorted[i].network);
  }
  if (!out.empty())
    if (auto ok = take_out(out); !ok) return ok;
  return in.empty() ? Result<void>() : put_in(in, now);
}

Result<void> Firewall::unban(std::span<const Network> networks) {
  std::vector<Network> out(networks.begin(), networks.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  for (const Network& n : out)
    if (auto ok = check(n); !ok) return ok;
  return out.empty() ? Result<void>() : take_out(out);
}

Result<std::unique_ptr<Firewall>> make_firewall(const FirewallConfig& config) {
  if (!is_name(config.table))
    return fail(fmt::format("firewall.table is {}: it must be a letter and then at most 30 letters, digits, - and _",
                            for_terminal(config.table)));
  if (!config.anchor.empty() && !is_name(config.anchor))
    return fail(fmt::format("firewall.anchor is {}: it must be a letter and then at most 30 letters, digits, - and _",
                            for_terminal(config.anchor)));
  if (!config.ports.all && config.ports.some.empty())
    return fail("firewall.ports is an empty list: no ban would close anything; \"mail\" and \"all\" are possible too");
  if (std::ranges::count(config.ports.some, 0) > 0)
    return fail("firewall.ports has the port 0, which nobody can reach");
  for (const Backend& backend : kBackends)
    if (backend.name == config.backend) return backend.make(config);
  return fail(fmt::format("firewall.backend is {}; there are {}", for_terminal(config.backend),
                          fmt::join(firewall_backends(), ", ")));
}

std::vector<std::string_view> firewall_backends() {
  std::vector<std::string_view> names;
  for (const Backend& backend : kBackends) names.push_back(backend.name);
  return names;
}

}  // namespace mailward
