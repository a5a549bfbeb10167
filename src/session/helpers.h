// One refused login that two processes write about without a session between them: the server that the
// client spoke to (Postfix, Exim, Dovecot's login process), and the helper that was asked for the
// password (Dovecot's auth process, each of its databases, PAM's modules; rules with `helper`). They have
// the address and the user's name in common, and the time.
//
// The server's line is the event, for it knows more: the name as it was tried, the mechanism, how many.
// A helper's line waits for it, and is nothing once it has come (within kWait, or kShortly before). Where
// a server tells no name, or not that the user doesn't exist, it learns that from its helper. A login
// that succeeds shortly after takes back what a helper said on the way to it. What has waited in vain is
// the event after all, put out late but with its own time; of several helpers that were asked for the
// same login, one.
//
// Stands behind the merge of all logs, so that each may be in a file of its own, and the outcome is the
// same for any number of threads. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/encoding.h"
#include "base/event.h"

namespace mailward {

// A helper's number, for Event::helper: 1 to 31. `name` is "pam-unix", "passwd-file", "sql" … Other names may
// have the same number: then two databases of one site count as one that was asked twice.
uint8_t helper_number(std::string_view name);

class Helpers {
 public:
  // Dovecot's login process writes when the client has gone, or after this time.
  static constexpr Duration kWait = std::chrono::minutes(3);
  // Lines of two processes may change places; databases are asked one after the other.
  static constexpr Duration kShortly = std::chrono::seconds(5);
  // Bounds of what waits; beyond them the oldest is put out.
  static constexpr size_t kMostWaiting = 1 << 14;
  static constexpr size_t kMostBytes = 8 << 20;
  static constexpr size_t kMostOfOne = 64;  // address
  static constexpr size_t kMostTold = 4096;

  using Take = std::function<void(std::span<const Event>)>;

  // Hands on the events in the order in which they were written, but those of helpers, which wait. What is
  // handed on lives until `take` returns.
  void pass(std::span<Event> events, const Take& take);
  // It is so late by now, though no event said so: what has waited too long is put out.
  void overdue(Instant now, const Take& take);
  // No more come: what still waits is put out.
  void finish(const Take& take);

  // See saving.h.
  void save(Encoder& out) const;
  bool restore(Decoder& in);

  // Helpers' events so far that were events after all.
  uint64_t put_out() const { return put_out_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    Event event;
    std::string texts;
    uint64_t user = 0;  // hash
    bool gone = false;  // told by a server since, or put out
  };
  struct Told {  // by a server
    Address address;
    uint64_t user = 0;
    Instant time = kNoInstant;
    bool apart = false;
    bool many = false;
  };
  struct Hash {
    size_t operator()(const Address& a) const { return hash_address(a); }
  };
  using Numbers = std::vector<uint64_t>;

  void wait(const Event& event, const Take& take);
  void add(const Event& event, const Take& take);
  static uint64_t hash_user(std::string_view user);
  void note(const Event& event);
  void first_helper();
  bool told(Event& event);
  void let_in(const Event& event);
  bool was_told(const Event& helpers, uint64_t user) const;
  void put_out(uint64_t number, const Take& take);
  void forget(uint64_t number);
  bool is_overdue(Instant now) const;
  Waiting& at(uint64_t number) { return waiting_[number - first_]; }

  std::deque<Waiting> waiting_;  // in order of coming, numbered from first_ on; the first is never gone
  uint64_t first_ = 0;
  size_t bytes_ = 0;                               // of texts
  std::unordered_map<Address, Numbers, Hash> of_;  // who waits
  std::deque<Told> told_;                          // what servers told last
  // Until a helper is seen there is nothing to do; but its first line may stand behind its server's.
  static constexpr size_t kCompared = 24;  // bytes of a name; Dovecot's auth process cuts them after 64
  struct Recent {
    Told told;
    uint8_t length = 0;
    std::array<char, kCompared> user{};
  };
  std::array<Recent, 16> recent_;
  size_t recent_count_ = 0;  // of all so far
  std::string learned_;      // a name, until the event that it was given is handed on
  bool any_helper_ = false;
  uint64_t put_out_ = 0;
};

}  // namespace mailward
