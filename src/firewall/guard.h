// What may never be banned, whatever somebody asks for: the last check before a Firewall, made by the part that
// changes it, from what that part sees itself. It knows nothing of logs and policies.
//
// Two halves: Guard says yes or no to one network (pure); Brake lets so many new ones through in a minute.
// This host's own facts are read by host.h. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/instant.h"

namespace mailward {

struct Protected {
  Network network;
  std::string why;  // "an address of this host (eth0)", "the gateway", "on the ignore list"
};

struct Widest {  // shorter prefixes are refused
  int prefix4 = 24;
  int prefix6 = 48;
};

class Guard {
 public:
  // `more` is what is to be protected besides what always is: "this network", loopback, link-local, multicast and
  // what is reserved (RFC 6890), of both families.
  explicit Guard(const std::vector<Protected>& more, Widest widest = {});

  // Nothing: it may be banned. Else one sentence. A network is refused if it holds anything protected, or lies in
  // it. IPv4 addresses inside of IPv6 (mapped, 6to4, NAT64's 64:ff9b::/96) count as what they stand for.
  std::optional<std::string> refuses(const Network& network) const;

 private:
  using Bits = std::pair<uint64_t, uint64_t>;  // an address of 128 bits, an IPv4 one in its mapped form
  struct Range {
    Bits first, last;
    std::string why;
  };
  static Range range_of(const Network& network);

  std::vector<Range> ranges_;  // sorted, none overlaps another
  Widest widest_;
};

// At most so many new bans in any 60 seconds; the rest waits, in order, and follows. A jump of the clock
// backwards frees nothing early and holds nothing longer than a minute.
class Brake {
 public:
  explicit Brake(size_t most_a_minute) : most_(most_a_minute) {}  // at least 1

  // How many of `wanted` may pass now; they count as passed.
  size_t pass(size_t wanted, Instant now);
  // When the next may pass, if none may now; else `now`.
  Instant next(Instant now);

 private:
  void forget(Instant now);

  size_t most_;
  std::deque<std::pair<Instant, size_t>> passed_;  // of the last minute
  size_t count_ = 0;
};

}  // namespace mailward
