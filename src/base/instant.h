// Time. An Instant is a point in UTC with microseconds; it comes from a log or from --now, never
// from the clock inside an engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailward {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;

// "This record has no time" (text without a header). Smaller than every real instant.
inline constexpr Instant kNoInstant{Duration{INT64_MIN}};

inline constexpr bool has_time(Instant t) { return t != kNoInstant; }

// "2026-03-09T07:55:42.000000Z", or without the fraction ("2026-03-09T07:55:42Z"). Empty for kNoInstant.
std::string format_instant(Instant t, bool with_fraction);

// RFC 3339 ("2026-03-09T08:00:48Z", "…+01:00", fraction optional). Anything else: nothing.
std::optional<Instant> parse_rfc3339(std::string_view text);

// "90s", "15m", "24h", "7d" (also "2w"); no sign, no blank, bounded to a hundred years.
std::optional<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration d);

}  // namespace mailward
