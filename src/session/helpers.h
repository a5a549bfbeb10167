// One attempt to log in that two processes write about without a session between them: the server that
// the client spoke to (Postfix, Exim, Dovecot's login process), and the helper that was asked for the
// password (Dovecot's auth process on behalf of another server, each of its databases, PAM's modules;
// rules with `helper = true`). They have the address and the user's name in common, and the time.
//
// So refused logins are counted here once more, for each address and user: those that servers tell, and
// apart from them those that each helper tells. Of each event as many attempts are left as nobody has
// told before. What several servers tell adds up, for those are several attempts. After kTogether
// without a refused login of that user from there the counting begins anew.
//
// Stands behind the merge of all logs, so that each may be in a file of its own, and the outcome is the
// same for any number of threads. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/event.h"

namespace mailward {

// A helper's number, for Event::helper: 1 to 63. `name` is "pam_unix", "passwd-file", "sql" …
uint8_t helper_number(std::string_view name);

class Helpers {
 public:
  // Dovecot's login process writes when the client has gone, or after this time.
  static constexpr Duration kTogether = std::chrono::minutes(3);
  static constexpr size_t kMostAddresses = 1 << 16;
  static constexpr size_t kMostUsers = 32;  // of one address, in that time

  // Takes out what was told already: events are dropped, or their count is lowered; those that are left
  // stand in front. Returns how many are left. Events come in the order in which they were written.
  size_t settle(std::span<Event> events);

  uint64_t dropped() const { return dropped_; }
  size_t addresses() const { return logins_.size(); }

 private:
  struct Login {
    uint64_t user = 0;  // hash; 0: no name was told
    Instant last = kNoInstant;
    uint64_t told = 0;
    uint64_t by_servers = 0;
    std::vector<std::pair<uint8_t, uint64_t>> by_helpers;
  };
  struct Logins {
    Instant last = kNoInstant;
    std::vector<Login> users;
  };
  struct Hash {
    size_t operator()(const Address& a) const { return hash_address(a); }
  };

  static constexpr size_t kCompared = 24;  // bytes of a name; Dovecot's auth process cuts them after 64

  // What is told of an attempt.
  struct Attempt {
    Address address;
    Instant time = kNoInstant;
    uint32_t count = 0;
    uint8_t helper = 0;
    uint8_t length = 0;
    std::array<char, kCompared> user{};  // the beginning of the name
  };
  static Attempt attempt_of(const Event& event);
  void first_helper();
  uint64_t untold(const Attempt& attempt);
  Login& login_of(const Attempt& attempt);
  void forget(Instant now);

  std::unordered_map<Address, Logins, Hash> logins_;
  size_t forget_at_ = 1024;
  // Until a helper is seen nothing is to be done; but servers may write before their helpers, so that what they told
  // last must be known then.
  bool any_helper_ = false;
  static constexpr size_t kRecent = 32;
  std::array<Attempt, kRecent> recent_;
  size_t recent_count_ = 0;  // of all so far
  uint64_t dropped_ = 0;
};

}  // namespace mailward
