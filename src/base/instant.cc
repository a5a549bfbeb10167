#include "base/instant.h"

#include <fmt/format.h>

namespace mailward {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

// Exactly `n` digits at `at`; moves it behind them. Anything else: -1.
int take_digits(std::string_view text, size_t& at, size_t n) {
  if (text.size() - at < n) return -1;
  int value = 0;
  for (const size_t end = at + n; at < end; ++at) {
    if (text[at] < '0' || text[at] > '9') return -1;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}

bool take_char(std::string_view text, size_t& at, std::string_view one_of) {
  if (at >= text.size() || one_of.find(text[at]) == std::string_view::npos) return false;
  ++at;
  return true;
}

// ".123456789": microseconds, further digits are dropped; nothing there: 0; no digit after the dot: -1.
int64_t take_fraction(std::string_view text, size_t& at) {
  if (!take_char(text, at, ".")) return 0;
  int64_t micros = 0;
  int digits = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
    if (digits < 6) micros = micros * 10 + (text[at] - '0');
  if (digits == 0) return -1;
  for (; digits < 6; ++digits) micros *= 10;
  return micros;
}

// "Z", "+01:00", "-05:30" at the end of the text.
std::optional<std::chrono::minutes> take_offset(std::string_view text, size_t& at) {
  if (take_char(text, at, "Zz")) return at == text.size() ? std::optional(std::chrono::minutes(0)) : std::nullopt;
  if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return std::nullopt;
  const int sign = text[at++] == '-' ? -1 : 1;
  const int hours = take_digits(text, at, 2);
  if (!take_char(text, at, ":")) return std::nullopt;
  const int minutes = take_digits(text, at, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || at != text.size()) return std::nullopt;
  return std::chrono::minutes(sign * (hours * 60 + minutes));
}

}  // namespace

std::string format_instant(Instant t, bool with_fraction) {
  if (!has_time(t)) return "";
  const auto day = std::chrono::floor<days>(t);
  const std::chrono::year_month_day date(day);
  const int64_t micros = (t - day).count();
  const int64_t seconds = micros / 1'000'000;
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), seconds / 3600,
                                 seconds / 60 % 60, seconds % 60);
  if (with_fraction) text += fmt::format(".{:06}", micros % 1'000'000);
  return text += 'Z';
}

std::optional<Instant> parse_rfc3339(std::string_view text) {
  size_t at = 0;
  const int year = take_digits(text, at, 4);
  if (year < 0 || !take_char(text, at, "-")) return std::nullopt;
  const int month = take_digits(text, at, 2);
  if (month < 0 || !take_char(text, at, "-")) return std::nullopt;
  const int day = take_digits(text, at, 2);
  if (day < 0 || !take_char(text, at, "Tt")) return std::nullopt;
  const int hour = take_digits(text, at, 2);
  if (hour < 0 || hour > 23 || !take_char(text, at, ":")) return std::nullopt;
  const int minute = take_digits(text, at, 2);
  if (minute < 0 || minute > 59 || !take_char(text, at, ":")) return std::nullopt;
  const int second = take_digits(text, at, 2);
  if (second < 0 || second > 60) return std::nullopt;  // 60: a leap second is the next second's first
  const int64_t micros = take_fraction(text, at);
  if (micros < 0) return std::nullopt;
  const auto offset = take_offset(text, at);
  if (!offset) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return Instant(sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + Duration(micros) - *offset;
}

std::optional<Duration> parse_duration(std::string_view text) {
  constexpr int64_t kMostSeconds = int64_t{36525} * 86400;  // a hundred years
  if (text.size() < 2) return std::nullopt;
  int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
    if (value > kMostSeconds) return std::nullopt;
  }
  switch (text.back()) {
    case 's':
      break;
    case 'm':
      value *= 60;
      break;
    case 'h':
      value *= 3600;
      break;
    case 'd':
      value *= 86400;
      break;
    case 'w':
      value *= 7 * 86400;
      break;
    default:
      return std::nullopt;
  }
  if (value > kMostSeconds) return std::nullopt;
  return std::chrono::seconds(value);
}

std::string format_duration(Duration d) {
  const int64_t micros = d.count();
  if (micros % 1'000'000 != 0) return fmt::format("{}s", static_cast<double>(micros) / 1e6);
  const int64_t seconds = micros / 1'000'000;
  if (seconds == 0) return "0s";
  if (seconds % 86400 == 0 && seconds != 86400) return fmt::format("{}d", seconds / 86400);  // a day is written 24h
  if (seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
  if (seconds % 60 == 0) return fmt::format("{}m", seconds / 60);
  return fmt::format("{}s", seconds);
}

}  // namespace mailward
