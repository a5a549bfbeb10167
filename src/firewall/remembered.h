// The bans that a backend was given, for those whose firewall can't be asked: it forgets them when the
// program ends, so that the caller puts all of them in again at the next start.
#pragma once

#include <map>
#include <vector>

#include "firewall/firewall.h"

namespace mailward {

class Remembered {
 public:
  void put_in(const Ban& ban) { ends_[ban.network] = ban.until; }
  void take_out(const Network& network) { ends_.erase(network); }
  void forget_over(Instant now) {
    std::erase_if(ends_, [&](const auto& entry) { return entry.second <= now; });
  }
  std::vector<Held> all() const {
    std::vector<Held> held;
    held.reserve(ends_.size());
    for (const auto& [network, until] : ends_) held.push_back({network, until});
    return held;
  }

 private:
  std::map<Network, Instant> ends_;
};

}  // namespace mailward
