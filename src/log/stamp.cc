#include "log/stamp.h"

#include <algorithm>
#include <array>

namespace mailward {
namespace {

// `n` digits at `at`; -1 where there are none.
int digits(std::string_view t, size_t at, size_t n) {
  if (t.size() < at + n) return -1;
  int value = 0;
  for (size_t i = at; i < at + n; ++i) {
    if (!is_digit(t[i])) return -1;
    value = value * 10 + (t[i] - '0');
  }
  return value;
}

bool has(std::string_view t, size_t at, char c) { return at < t.size() && t[at] == c; }

// "hh:mm:ss" at `at`.
bool parse_clock(std::string_view t, size_t at, Stamp& out) {
  const int h = digits(t, at, 2), m = digits(t, at + 3, 2), s = digits(t, at + 6, 2);
  if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 || t[at + 2] != ':' || t[at + 5] != ':') return false;
  out.hour = static_cast<uint8_t>(h);
  out.minute = static_cast<uint8_t>(m);
  out.second = static_cast<uint8_t>(s);
  return true;
}

// ".123456" at `at`, if it is there; returns the place after it.
size_t parse_fraction(std::string_view t, size_t at, Stamp& out) {
  if (!has(t, at, '.') || at + 1 >= t.size() || !is_digit(t[at + 1])) return at;
  int32_t micros = 0, unit = 100'000;
  size_t i = at + 1;
  for (; i < t.size() && i <= at + 12 && is_digit(t[i]); ++i) {
    micros += (t[i] - '0') * unit;
    unit /= 10;
  }
  out.micros = micros;
  return i;
}

int month_of(std::string_view t) {
  constexpr std::array<std::string_view, 12> kNames = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (t.starts_with(kNames[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

bool is_year(int y) { return y >= 1970 && y <= 2199; }

void set_unix_time(int64_t seconds, int32_t micros, Stamp& out) {
  using namespace std::chrono;
  const sys_seconds t{std::chrono::seconds{seconds}};
  const sys_days day = floor<days>(t);
  const year_month_day date{day};
  const hh_mm_ss clock{t - day};
  out.year = static_cast<int16_t>(static_cast<int>(date.year()));
  out.month = static_cast<uint8_t>(static_cast<unsigned>(date.month()));
  out.day = static_cast<uint8_t>(static_cast<unsigned>(date.day()));
  out.hour = static_cast<uint8_t>(clock.hours().count());
  out.minute = static_cast<uint8_t>(clock.minutes().count());
  out.second = static_cast<uint8_t>(clock.seconds().count());
  out.micros = micros;
  out.has_offset = true;
}

// 'Z', "+01:00", "+0100" at `at`, " +0100" with the blank; returns the place after it.
size_t parse_offset(std::string_view t, size_t at, Stamp& out) {
  if (has(t, at, 'Z') || has(t, at, 'z')) {
    out.has_offset = true;
    return at + 1;
  }
  size_t i = has(t, at, ' ') ? at + 1 : at;
  if (!has(t, i, '+') && !has(t, i, '-')) return at;
  const bool west = t[i] == '-';
  const int hours = digits(t, i + 1, 2);
  const bool colon = has(t, i + 3, ':');
  const int minutes = digits(t, i + (colon ? 4 : 3), 2);
  if (hours < 0 || hours > 24 || minutes < 0 || minutes > 59) return at;
  out.has_offset = true;
  out.offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
  return i + (colon ? 6 : 5);
}

// "UTC", "CET", "-03", "+0530" at `at`; the place after it, 0: no name of a zone.
size_t parse_zone_name(std::string_view t, size_t at, Stamp& out) {
  constexpr size_t kShortest = 3, kLongest = 6;  // POSIX, TZNAME_MAX of the usual systems
  const size_t end = std::min(t.find(' ', at), t.size());
  const std::string_view name = t.substr(at, end - at);
  if (name.size() < kShortest || name.size() > kLongest) return 0;
  if (name[0] == '+' || name[0] == '-') {
    const int hours = digits(name, 1, 2), minutes = name.size() == 5 ? digits(name, 3, 2) : 0;
    if ((name.size() != 3 && name.size() != 5) || hours < 0 || hours > 24 || minutes < 0 || minutes > 59) return 0;
    out.has_offset = true;
    out.offset = (hours * 60 + minutes) * 60 * (name[0] == '-' ? -1 : 1);
    return end;
  }
  if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) return 0;
  out.has_offset = name == "UTC" || name == "GMT";
  return end;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

size_t parse_traditional_stamp(std::string_view t, Stamp& out) {
  if (t.size() < 14 || t[3] != ' ') return 0;
  Stamp s;
  const int month = month_of(t);
  size_t at = t[4] == ' ' ? 5 : 4;
  const size_t width = at + 1 < t.size() && is_digit(t[at + 1]) ? 2 : 1;
  const int day = digits(t, at, width);
  at += width;
  if (month == 0 || day < 1 || day > 31 || !has(t, at, ' ')) return 0;
  ++at;
  if (const int year = digits(t, at, 4); is_year(year) && has(t, at + 4, ' ')) {
    s.year = static_cast<int16_t>(year);
    at += 5;
  }
  if (!parse_clock(t, at, s)) return 0;
  at = parse_fraction(t, at + 8, s);
  if (at < t.size() && t[at] != ' ') return 0;
  if (s.year == 0) {
    if (const int year = digits(t, at + 1, 4); is_year(year) && has(t, at + 5, ' ')) {
      s.year = static_cast<int16_t>(year);
      at += 5;
    }
  }
  s.month = static_cast<uint8_t>(month);
  s.day = static_cast<uint8_t>(day);
  out = s;
  return at;
}

size_t parse_iso_stamp(std::string_view t, Stamp& out) {
  if (t.size() < 19 || t[4] != '-' || t[7] != '-' || (t[10] != 'T' && t[10] != ' ')) return 0;
  Stamp s;
  const int year = digits(t, 0, 4), month = digits(t, 5, 2), day = digits(t, 8, 2);
  if (!is_year(year) || month < 1 || month > 12 || day < 1 || day > 31 || !parse_clock(t, 11, s)) return 0;
  s.year = static_cast<int16_t>(year);
  s.month = static_cast<uint8_t>(month);
  s.day = static_cast<uint8_t>(day);
  const size_t at = parse_offset(t, parse_fraction(t, 19, s), s);
  if (at < t.size() && t[at] != ' ') return 0;
  out = s;
  return at;
}

size_t parse_unix_stamp(std::string_view t, Stamp& out) {
  const int high = digits(t, 0, 5), low = digits(t, 5, 5);
  if (high < 10'000 || low < 0) return 0;
  Stamp s;
  const size_t at = parse_fraction(t, 10, s);
  if (at < t.size() && t[at] != ' ') return 0;
  const int32_t micros = s.micros;
  set_unix_time(int64_t{high} * 100'000 + low, micros, s);
  out = s;
  return at;
}

size_t parse_full_stamp(std::string_view t, Stamp& out) {
  constexpr std::array<std::string_view, 7> kDays = {"Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "};
  constexpr size_t kDay = 4;
  if (std::none_of(kDays.begin(), kDays.end(), [&](std::string_view day) { return t.starts_with(day); })) return 0;
  Stamp s;
  size_t at = parse_iso_stamp(t.substr(kDay), s);
  if (at == 0 || t[kDay + 10] != ' ') return 0;
  at += kDay;
  if (!s.has_offset) {
    at = has(t, at, ' ') ? parse_zone_name(t, at + 1, s) : 0;
    if (at == 0) return 0;
  }
  out = s;
  return at;
}

size_t parse_uptime_stamp(std::string_view t) {
  constexpr size_t kLongest = 64;
  if (!has(t, 0, '[')) return 0;
  size_t at = 1;
  while (has(t, at, ' ')) ++at;
  const size_t seconds = at;
  while (at < t.size() && is_digit(t[at])) ++at;
  if (at == seconds || !has(t, at, '.') || digits(t, at + 1, 6) < 0) return 0;
  at += 7;
  while (at < t.size() && at < kLongest && (is_digit(t[at]) || std::string_view(" <>.").contains(t[at]))) ++at;
  return has(t, at, ']') && at < kLongest && has(t, at + 1, ' ') ? at + 1 : 0;
}

size_t parse_tai64_stamp(std::string_view t, Stamp& out) {
  constexpr uint64_t kEpoch = (uint64_t{1} << 62) + 10;
  if (t.size() < 17 || t[0] != '@') return 0;
  uint64_t seconds = 0, nanos = 0;
  size_t at = 1;
  for (; at < 17; ++at) {
    const int v = hex_value(t[at]);
    if (v < 0) return 0;
    seconds = seconds << 4 | static_cast<uint64_t>(v);
  }
  for (; at < 25 && at < t.size() && hex_value(t[at]) >= 0; ++at)
    nanos = nanos << 4 | static_cast<uint64_t>(hex_value(t[at]));
  if ((at != 17 && at != 25) || (at < t.size() && t[at] != ' ')) return 0;
  // Years 1970 to 2199, as everywhere.
  if (seconds < kEpoch || seconds - kEpoch > 7'258'118'399ULL || nanos > 999'999'999) return 0;
  Stamp s;
  set_unix_time(static_cast<int64_t>(seconds - kEpoch), static_cast<int32_t>(nanos / 1000), s);
  out = s;
  return at;
}

}  // namespace mailward
