// The POSIX form of a zone's rule ("CET-1CEST,M3.5.0,M10.5.0/3"; IEEE 1003.1, 8.3, with the wider
// times of RFC 8536 3.3.1): what holds after the last change that a TZif file lists.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mailward {

struct ZoneRule {
  struct Day {
    enum class Kind : uint8_t { kMonthWeek, kJulian, kZeroBased } kind = Kind::kMonthWeek;
    int month = 1, week = 1, weekday = 0;  // kMonthWeek: "M3.5.0"
    int day = 0;                           // kJulian "J60" (29 February never counts), kZeroBased "59"
    int32_t time = 7200;                   // seconds of local time on that day
  };
  int32_t standard = 0;  // offset east of UTC
  bool has_summer = false;
  int32_t summer = 0;
  Day begin, end;  // of summer time

  // Unix seconds at which summer time begins and ends in that year.
  int64_t begin_in(int year) const;
  int64_t end_in(int year) const;
};

std::optional<ZoneRule> parse_zone_rule(std::string_view text);

}  // namespace mailward
