// The bans in force, as the ledger has them, by network: what the keeper must know to tell the firewall's side when
// a network is to be kept out, until when, and when not any more. One network can be banned more than once (judged,
// by hand); it is kept out as long as the longest of them says. One thread.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/instant.h"

namespace mailward {

class BansInForce {
 public:
  struct Entry {
    Instant since, until;
    bool forced = false;
  };

  void add(const Network& network, const Entry& entry) {
    auto& all = bans_[network];
    std::erase_if(all, [&](const Entry& e) { return e.since == entry.since; });
    all.push_back(entry);
  }
  void remove(const Network& network, Instant since) {
    const auto at = bans_.find(network);
    if (at == bans_.end()) return;
    std::erase_if(at->second, [&](const Entry& e) { return e.since == since; });
    if (at->second.empty()) bans_.erase(at);
  }
  // The one that lasts longest; nothing: not banned.
  std::optional<Entry> longest(const Network& network, Instant now) const {
    const auto at = bans_.find(network);
    std::optional<Entry> found;
    if (at == bans_.end()) return found;
    for (const Entry& e : at->second)
      if (e.until > now && (!found || e.until > found->until)) found = e;
    return found;
  }
  std::vector<Entry> of(const Network& network) const {
    const auto at = bans_.find(network);
    return at == bans_.end() ? std::vector<Entry>() : at->second;
  }
  // Networks with a ban in force that lie in this one, itself too.
  std::vector<Network> within(const Network& network, Instant now) const {
    std::vector<Network> found;
    for (const auto& [n, all] : bans_)
      if (n.address.is_v4() == network.address.is_v4() && n.prefix >= network.prefix && contains(network, n.address) &&
          longest(n, now))
        found.push_back(n);
    std::sort(found.begin(), found.end());
    return found;
  }
  // Networks with a ban in force that hold this one and are wider.
  std::vector<Network> around(const Network& network, Instant now) const {
    std::vector<Network> found;
    for (int prefix = network.prefix - 1; prefix >= 0; --prefix) {
      const Network wider = network_of(network.address, prefix, prefix);
      if (longest(wider, now)) found.push_back(wider);
    }
    return found;
  }
  void forget_over(Instant now) {
    for (auto at = bans_.begin(); at != bans_.end();) {
      std::erase_if(at->second, [&](const Entry& e) { return e.until <= now; });
      at = at->second.empty() ? bans_.erase(at) : std::next(at);
    }
  }
  size_t size() const { return bans_.size(); }

 private:
  struct Hash {
    size_t operator()(const Network& n) const {
      return hash_address(n.address) ^ static_cast<size_t>(n.prefix) * 0x9e3779b97f4a7c15ULL;
    }
  };
  std::unordered_map<Network, std::vector<Entry>, Hash> bans_;
};

}  // namespace mailward
