// Points in time as people type them.
#pragma once

#include <string_view>

#include "base/instant.h"
#include "base/result.h"
#include "log/zone.h"

namespace mailward {

// "2026-03-09", "2026-03-09T08:00", "2026-03-09 08:00:30": the zone's clock (the earlier reading of an
// hour that comes twice); or RFC 3339 with its own offset.
Result<Instant> parse_moment(std::string_view text, const Zone& zone);

// Also a span ("24h", "7d", "90m"), which counts back from `now`.
Result<Instant> parse_when(std::string_view text, Instant now, const Zone& zone);

}  // namespace mailward
