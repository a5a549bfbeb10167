// Which names are of a local domain. Where domains are configured, that is all there is to know.
// Where none is, a domain is local when somebody logged in with a name of it; so a name can be judged
// only at the end, and the domains tried are kept in a table of bounded size.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/encoding.h"
#include "base/inline.h"
#include "judge/mark.h"

namespace mailward {

// The parts of a login name. The domain is what follows the last '@' (RFC 5321, 4.1.2: one before it
// may stand in the local part). A name without '@', with nothing before or after it, has no domain.
struct LoginName {
  std::string_view local;
  std::string_view domain;  // without a final dot
};
LoginName split_login(std::string_view name);

class Domains {
 public:
  explicit Domains(const std::vector<std::string>& configured);

  bool is_local(uint16_t domain) const { return domain == kLocal || (domain >= kFirstDomain && let_in_[domain]); }
  bool is_foreign(uint16_t domain) const { return domain == kForeign || (domain >= kFirstDomain && !let_in_[domain]); }
  // A local domain is known, told or learned.
  bool any_known() const { return !configured_.empty() || learned_; }
  bool learns() const { return configured_.empty(); }

  // The number of a name's domain, if it has one by now; else kNoName.
  uint16_t number_of(std::string_view name) const;

  // What a name says of its domain (see classify) and of its user (see user_hash).
  struct Reading {
    uint16_t domain;
    uint32_t user;
  };
  MAILWARD_INLINE Reading read(std::string_view name, bool logged_in, bool wants_user) {
    if (name.empty()) return {kNoName, 0};
    if (!wants_user && name.find('@') == std::string_view::npos) return {kBare, 0};
    return read_all(name, logged_in, wants_user);
  }

  // The table; restoring refuses what is not whole.
  void save(Encoder& out) const;
  bool restore(Decoder& in);

  // A hash of a name, the same for names that mean one mailbox: letters' case doesn't matter, and a
  // configured domain was taken off. Never 0.
  static uint32_t user_hash(std::string_view name);

 private:
  Reading read_all(std::string_view name, bool logged_in, bool wants_user);

  // The number for a domain: kLocal, kForeign, kUndecided (the table is full)
  // or a place in the table. `logged_in`: this name was let in.
  uint16_t classify(std::string_view domain, bool logged_in);

  // Looked up by views, without a copy.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::unordered_set<std::string, Hash, std::equal_to<>> configured_;  // lower case
  std::vector<std::string> few_;  // the same where they are few: compared one by one
  std::unordered_map<std::string, uint16_t, Hash, std::equal_to<>> table_;
  std::vector<bool> let_in_;  // by number
  bool learned_ = false;
};

}  // namespace mailward
