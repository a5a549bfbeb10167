#include "cli/when.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/text.h"

namespace mailward {
namespace {

constexpr std::string_view kForms = "2026-03-09, 2026-03-09T08:00, or 2026-03-09T08:00:00Z";

// The instant of a clock without a zone, as if it were UTC: RFC 3339 with what is missing filled in.
std::optional<Instant> clock_reading(std::string_view text) {
  std::string whole(text);
  if (whole.size() == 10) whole += "T00:00";
  if (whole.size() == 16) whole += ":00";
  if (whole.size() != 19) return std::nullopt;
  if (whole[10] == ' ') whole[10] = 'T';
  return parse_rfc3339(whole + 'Z');
}

}  // namespace

Result<Instant> parse_moment(std::string_view text, const Zone& zone) {
  if (const auto instant = parse_rfc3339(text)) return *instant;
  if (const auto clock = clock_reading(text)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(clock->time_since_epoch()).count();
    return Instant(std::chrono::seconds(zone.read_local(seconds).early));
  }
  return fail(fmt::format("'{}' is no time; write {}", for_terminal(text), kForms));
}

Result<Instant> parse_when(std::string_view text, Instant now, const Zone& zone) {
  if (const auto span = parse_duration(text)) return now - *span;
  if (const auto moment = parse_moment(text, zone)) return *moment;
  return fail(
      fmt::format("'{}' is no time; write a span back from now (90m, 24h, 7d), {}", for_terminal(text), kForms));
}

}  // namespace mailward
