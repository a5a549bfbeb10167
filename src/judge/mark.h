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
  uint8_t spared = 0;     // bit i: not counted by policies with the i-th span of sparing

  void add(uint32_t more) { weight += std::min(more, UINT32_MAX - weight); }
};

static_assert(sizeof(Mark) == 24);
static_assert(kEventKinds <= 32);

}  // namespace mailward
