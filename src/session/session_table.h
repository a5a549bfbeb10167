// Open sessions, by key. Open addressing with linear probing over small places that lead to the
// sessions; those stand close together and are used again as soon as they end, so that all that is
// open on a busy server stays in the cache: of 800,000 sessions in half a gigabyte of log fewer than
// a hundred are open at once.
//
// Bounded: at kMaxSessions the older half (by the time of the last line) is dropped. What is dropped
// is told to the caller, who may have something to say about it. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/instant.h"
#include "grammar/grammar.h"

namespace mailward {

inline constexpr size_t kMaxSessions = size_t{1} << 18;
inline constexpr uint32_t kNothing = UINT32_MAX;

struct Session {
  uint64_t key = 0;
  Address address;
  Instant last = kNoInstant;                         // of its last line
  std::array<uint16_t, kAttemptClasses> attempts{};  // told by each class of lines
  uint16_t told = 0;                                 // login attempts that were put out
  KeyKind kind = KeyKind::kNone;
  bool has_address = false;
  uint32_t host = 0;            // hash of the host's name
  uint32_t hint = kNothing;     // kept event that waits for the end
  uint32_t waiting = kNothing;  // first kept event that waits for an address
  uint32_t copy = 0;            // hash of a line that may come a second time; 0: none
};
static_assert(sizeof(Session) <= 64);

namespace hash {
inline constexpr uint64_t kPrime = 0x9e3779b97f4a7c15ULL;
inline uint64_t mix(uint64_t h) {
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ULL;
  return h ^ (h >> 29);
}
uint64_t text(std::string_view text, uint64_t h);
}  // namespace hash

// Never 0. `text` is the id's text (empty for pids), `pid` the process (0 for ids).
inline uint64_t session_key(uint32_t group, KeyKind kind, uint32_t host, uint32_t pid, std::string_view text) {
  const uint64_t seed =
      ((uint64_t{group} << 40 ^ uint64_t{static_cast<uint8_t>(kind)} << 32 ^ pid) + host) * hash::kPrime;
  uint64_t h;
  if (text.empty()) {
    h = hash::mix(seed * hash::kPrime);
  } else if (text.size() == 16) {  // OpenSMTPD's ids
    uint64_t a, b;
    std::memcpy(&a, text.data(), 8);
    std::memcpy(&b, text.data() + 8, 8);
    h = hash::mix((a ^ seed) * hash::kPrime ^ (b + seed) * 0xd6e8feb86659fd93ULL);
  } else {
    h = hash::text(text, seed);
  }
  return h ? h : 1;
}
uint32_t hash_host(std::string_view host);

// How long after its last line a session is believed to go on.
constexpr Duration lifetime(KeyKind kind) {
  return kind == KeyKind::kQueue ? std::chrono::days(7) : std::chrono::days(1);
}

class SessionTable {
 public:
  SessionTable();

  size_t size() const { return size_; }
  Session* find(uint64_t key) {
    for (size_t i = key & mask_;; i = (i + 1) & mask_) {
      if (places_[i].key == key) return &sessions_[places_[i].session];
      if (places_[i].key == 0) return nullptr;
    }
  }
  // The key must not be in the table, and the table not full (size() < kMaxSessions). Pointers into
  // the table are void afterwards.
  Session& add(uint64_t key) {
    if (size_ >= most_ || free_ == kNothing) [[unlikely]]
      grow();
    size_t i = key & mask_;
    while (places_[i].key) i = (i + 1) & mask_;
    places_[i] = {key, free_};
    ++size_;
    Session& s = sessions_[free_];
    free_ = s.waiting;
    // One by one: as a whole it would be made elsewhere and copied.
    s.key = key;
    s.address = {};
    s.last = kNoInstant;
    s.attempts = {};
    s.told = 0;
    s.kind = KeyKind::kNone;
    s.has_address = false;
    s.host = 0;
    s.hint = s.waiting = kNothing;
    s.copy = 0;
    return s;
  }
  // Other pointers into the table hold.
  void erase(Session* s);
  void clear();

  // All sessions, in no order.
  template <class F>
  void each(F f) {
    for (const Place& place : places_)
      if (place.key) f(sessions_[place.session]);
  }
  // The keys of the half that was silent longest, in a fixed order.
  std::vector<uint64_t> older_half();

 private:
  struct Place {
    uint64_t key = 0;      // 0: empty
    uint32_t session = 0;  // index
  };
  void grow();  // until there is a place, and a session
  void resize(size_t places);
  std::vector<Place> places_;  // a small table is kept three quarters empty: most searches end at the first
  std::vector<Session> sessions_;
  uint32_t free_ = kNothing;  // of sessions_, the last one that ended; its `waiting` leads to the one before
  size_t mask_ = 0;
  size_t size_ = 0;
  size_t most_ = 0;  // of size_, until there must be more places
};

}  // namespace mailward
