// A time zone: which offset from UTC its clocks show at which instant, and which instants a reading
// of its clocks can mean.
//
// Read once from the TZif file of the system (RFC 8536) or from a rule in POSIX form, expanded to
// the year 2200 and immutable from then on: nothing is opened later, so it works in a process that
// has locked itself in, and any number of threads may share it. Own reader, because libc's zone is
// process-wide and date-tz can't be linked under libc++ (docs/dependencies.md).
// Seconds are Unix seconds; "local seconds" are what the zone's clock shows, counted as if it were UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailward {

// A span of instants [begin, end) with one offset: local = utc + offset.
struct ZoneSpan {
  int64_t begin = INT64_MIN;
  int64_t end = INT64_MAX;
  int32_t offset = 0;
};

// What one reading of the clock can mean. kOnce: early == late. kTwice (an hour in autumn): both.
// kNever (an hour in spring): both are the reading with the offset that held before the clock was
// put forward, as a process would write it that had not noticed yet.
struct LocalReading {
  enum class Kind : uint8_t { kOnce, kTwice, kNever } kind = Kind::kOnce;
  int64_t early = 0;
  int64_t late = 0;
};

class Zone {
 public:
  // UTC.
  Zone();

  // "Europe/Berlin", "UTC", an offset ("+01:00", "-0330"), or a POSIX rule ("CET-1CEST,M3.5.0,M10.5.0/3").
  // The error says that the zone is unknown and what to type instead.
  static Result<Zone> load(std::string_view name);
  // What the system is set to: $TZ, else /etc/localtime, else UTC.
  static Result<Zone> system();
  // The bytes of a TZif file. For load() and for fuzzing.
  static Result<Zone> from_tzif(std::string_view bytes, std::string name);

  const std::string& name() const { return name_; }
  ZoneSpan span_at(int64_t utc_seconds) const;
  LocalReading read_local(int64_t local_seconds) const;

 private:
  struct Change {
    int64_t at;
    int32_t offset;  // from then on
  };
  void add_change(int64_t at, int32_t offset);
  bool follow_rule(std::string_view text);
  size_t index_at(int64_t utc_seconds) const;
  ZoneSpan span(size_t index) const;

  std::string name_ = "UTC";
  int32_t first_offset_ = 0;     // before the first change
  std::vector<Change> changes_;  // ascending
};

}  // namespace mailward
