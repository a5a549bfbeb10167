// A mark: one event as the judge keeps it, 24 bytes without any text.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/event.h"

namespace mailward {

inline constexpr int64_t kUntimed = INT64_MIN;  // the time of a record without one

// What is known of the domain of the name that was tried. Numbers from kFirstDomain on stand for the
// domains of a table (domains.h), used only where no local domain is configured.
enum : uint16_t { kNoName, kBare, kLocal, kForeign, kUndecided, kFirstDomain };

// In Mark::spared, beside the spans: a mild refusal. Where `user` is no login's, it stands for what was refused.
inline constexpr uint8_t kMild = 0x80;

// Events of logins: they have a user.
constexpr bool names_user(EventKind k) { return (bit(k) & kLoginKinds) != 0; }

struct Mark {
  int64_t time = kUntimed;  // microseconds since 1970
  uint32_t source = 0;      // index in the table of addresses
  uint32_t user = 0;        // a hash of the name; 0: none
  uint32_t weight = 0;      // of how many attempts it tells; more where marks were added up
  uint16_t domain = kNoName;
  EventKind kind : 5 = EventKind::kNone;
  bool unknown_user : 1 = false;
  bool sum : 1 = false;   // tells of events that no window needs any more; `time` says nothing
  bool keep : 1 = false;  // while compacting: some window may still need it
  uint8_t spared = 0;     // bit i: not counted by policies with the i-th span of sparing; and kMild

  void add(uint32_t more) { weight += std::min(more, UINT32_MAX - weight); }
};

static_assert(sizeof(Mark) == 24);
static_assert(kEventKinds <= 32);

// What marks of one address come to that differ in their time and weight alone: words, compared at once.
struct Sum {
  uint32_t weight = 0;  // 0: none yet
  uint32_t user = 0;
  uint32_t what = 0;  // from the high bits on: domain, spared, untimed, unknown_user, kind

  static constexpr uint32_t kDomain = 0xffff0000, kSpared = 0xff00, kUntimedBit = 0x40, kUnknownUser = 0x20;

  static Sum of(EventKind kind, uint32_t weight, uint32_t user, uint16_t domain, bool unknown_user, bool untimed,
                uint8_t spared) {
    return {weight, user,
            uint32_t{domain} << 16 | uint32_t{spared} << 8 | uint32_t{untimed} << 6 | uint32_t{unknown_user} << 5 |
                static_cast<uint32_t>(kind)};
  }
  static Sum of(const Mark& m) {
    return of(m.kind, m.weight, m.user, m.domain, m.unknown_user, m.time == kUntimed && !m.sum, m.spared);
  }
  Mark mark(uint32_t source) const {
    Mark m;
    m.source = source;
    m.user = user;
    m.weight = weight;
    m.domain = static_cast<uint16_t>(what >> 16);
    m.kind = kind();
    m.unknown_user = (what & kUnknownUser) != 0;
    m.sum = !untimed();
    m.spared = static_cast<uint8_t>(what >> 8);
    return m;
  }

  EventKind kind() const { return static_cast<EventKind>(what & 31); }
  bool untimed() const { return (what & kUntimedBit) != 0; }
  bool mild() const { return (what >> 8 & kMild) != 0; }
  bool same(const Sum& other) const { return what == other.what && user == other.user; }
  void add(uint32_t more) { weight += std::min(more, UINT32_MAX - weight); }
};
static_assert(sizeof(Sum) == 12);

}  // namespace mailward
