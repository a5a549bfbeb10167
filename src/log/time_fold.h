// Which instant a stamp means. A pure fold over the records of one log: its only state is the
// instant of the record before, so a log can be cut anywhere, each part read with a guess of that
// instant, and the guess checked afterwards: if the first stamp of the part reads the same from the
// true instant, the whole part does.
//
// Rules:
//  - A stamp with an offset ("+01:00", "Z") means what it says.
//  - A missing year is the one that puts the record nearest to the record before it; the first
//    record has the year that the caller gives. 29 February only falls into leap years.
//  - A reading that comes twice (the hour in autumn) is the earlier one, unless that lies more
//    than kDisorder before the record before it.
//  - A reading that never comes (the hour in spring) is taken with the offset that held before.
//  - Stamps may go backwards; they are believed.
// Not thread-safe; make one for each part that is read. The Zone must outlive it.
#pragma once

#include <cstdint>

#include "base/instant.h"
#include "log/zone.h"

namespace mailward {

// A stamp's fields as written. Fields are in range (month 1-12, day 1-31, hour 0-23, minute 0-59,
// second 0-60, micros 0-999999); day 31 of a short month counts on into the next one.
struct Stamp {
  int16_t year = 0;  // 0: not written
  uint8_t month = 1;
  uint8_t day = 1;
  uint8_t hour = 0;
  uint8_t minute = 0;
  uint8_t second = 0;
  bool has_offset = false;
  int32_t offset = 0;  // seconds east of UTC
  int32_t micros = 0;
};

// Records of one log may be out of order by this much (several processes write, and each takes its
// stamp before its line is queued) without being taken for the second pass of the autumn's hour.
inline constexpr Duration kDisorder = std::chrono::seconds(60);

// One step of the fold, without any cache: the definition. `previous` kNoInstant: the first record;
// a missing year is then `base_year`.
Instant resolve_stamp(const Zone& zone, const Stamp& stamp, Instant previous, int base_year);

// The year that puts a stamp without one nearest before `limit` (a day after it is still allowed:
// clocks and zones differ). For the last line of a log: limit is the present or the file's time.
int year_nearest_before(const Zone& zone, const Stamp& stamp, Instant limit);

// The year that a clock of the zone shows at an instant.
int local_year_of(const Zone& zone, Instant t);

class TimeFold {
 public:
  TimeFold(const Zone& zone, int base_year) : zone_(&zone), base_year_(base_year) {}
  TimeFold(const Zone& zone, Instant previous, int base_year)
      : zone_(&zone), previous_(previous), base_year_(base_year) {}

  // Equal to resolve_stamp(zone, stamp, previous(), base_year), and remembers the result. The same
  // hour as the last stamp's costs a few instructions.
  Instant resolve(const Stamp& stamp) {
    if (key_of(stamp) == hour_key_ && !stamp.has_offset) [[likely]] {
      return previous_ = hour_ + Duration{(stamp.minute * 60 + stamp.second) * int64_t{1'000'000} + stamp.micros};
    }
    return resolve_slowly(stamp);
  }

  const Zone& zone() const { return *zone_; }
  int base_year() const { return base_year_; }
  Instant previous() const { return previous_; }
  // Is the hour of previous() free of changes of the zone? Then another second of that hour needs no
  // resolve(): it is told here.
  bool steady() const { return hour_key_ != kNoKey; }
  void step_within_hour(Instant t) { previous_ = t; }
  // For a record whose instant needs no folding (a stamp with its own offset, read elsewhere).
  void set_previous(Instant t) {
    previous_ = t;
    hour_key_ = kNoKey;
  }

 private:
  static constexpr uint64_t kNoKey = ~uint64_t{0};
  static uint64_t key_of(const Stamp& s) {
    return uint64_t{static_cast<uint16_t>(s.year)} << 24 | uint64_t{s.month} << 16 | uint64_t{s.day} << 8 | s.hour;
  }
  Instant resolve_slowly(const Stamp& stamp);

  const Zone* zone_;
  Instant previous_ = kNoInstant;
  int base_year_;
  uint64_t hour_key_ = kNoKey;  // an hour that lies within one span of the zone and reads only once
  Instant hour_ = kNoInstant;   // its beginning
};

}  // namespace mailward
