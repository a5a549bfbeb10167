// Names of rotated logs.
#include <algorithm>
#include <array>
#include <utility>

#include "log/log_set.h"

namespace mailward {
namespace {

bool all_digits(std::string_view t) {
  return !t.empty() && std::all_of(t.begin(), t.end(), [](char c) { return c >= '0' && c <= '9'; });
}

uint64_t number(std::string_view digits) {
  uint64_t v = 0;
  for (const char c : digits) v = v * 10 + static_cast<uint64_t>(c - '0');
  return v;
}

// "20250101", "20250101-1736", "2025010117", "20250101_173600", "2025-01-01", "1735689600" (seconds):
// as yyyymmddHHMMSS; 0: no date.
uint64_t date_rank(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else if (c != '-' && c != '_' && c != 'T') {
      return 0;
    }
  }
  if (!all_digits(text.substr(0, 1)) || !all_digits(text.substr(text.size() - 1))) return 0;
  if (digits.size() < 8 || digits.size() > 14) return 0;
  if (digits.size() == 10 && all_digits(text) && digits[0] == '1') {  // seconds: logrotate's dateformat %s
    using namespace std::chrono;
    const sys_seconds t{seconds{static_cast<int64_t>(number(digits))}};
    const sys_days day = floor<days>(t);
    const year_month_day d{day};
    const hh_mm_ss clock{t - day};
    return ((static_cast<uint64_t>(static_cast<int>(d.year())) * 100 + static_cast<unsigned>(d.month())) * 100 +
            static_cast<unsigned>(d.day())) *
               1'000'000 +
           static_cast<uint64_t>(clock.hours().count() * 10'000 + clock.minutes().count() * 100 +
                                 clock.seconds().count());
  }
  const uint64_t year = number(std::string_view(digits).substr(0, 4)),
                 month = number(std::string_view(digits).substr(4, 2)),
                 day = number(std::string_view(digits).substr(6, 2));
  if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1 || day > 31) return 0;
  digits.resize(14, '0');
  return number(digits);
}

std::string_view without_compression(std::string_view name) {
  for (const std::string_view ending : {".gz", ".xz", ".bz2", ".zst", ".zstd", ".Z"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  }
  return name;
}

// "@4000000065c0a1b2c3d4e5f6.s" of multilog: the seconds; 0: not that.
uint64_t multilog_rank(std::string_view base) {
  if (!base.starts_with('@') || base.size() < 25) return 0;
  uint64_t rank = 0;
  for (const char c : base.substr(1, 16)) {
    const bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    if (!digit && !letter) return 0;
    rank = rank << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return base.size() == 25 || base[25] == '.' ? rank : 0;
}

}  // namespace

RotatedName parse_rotated_name(std::string_view path) {
  RotatedName r;
  const size_t slash = path.rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
  const std::string_view base = without_compression(path.substr(folder.size()));
  const auto stem_is = [&](std::string_view stem) { r.stem = std::string(folder) + std::string(stem); };
  stem_is(base);
  if (const uint64_t rank = multilog_rank(base); rank != 0) {
    stem_is("current");
    r.dated = true;
    r.rank = rank;
    return r;
  }
  // "mail.log.2"
  if (const size_t dot = base.rfind('.'); dot != std::string_view::npos && dot > 0) {
    const std::string_view end = base.substr(dot + 1);
    if (all_digits(end) && end.size() <= 4) {
      stem_is(base.substr(0, dot));
      r.rank = number(end) + 1;
      return r;
    }
  }
  // "mail.log-20250101-1736", "mail.log.20250101", "mail-20250101.log": a mark, a date, the rest of the name.
  for (size_t i = 1; i + 8 < base.size() + 1; ++i) {
    const char mark = base[i];
    if (mark != '-' && mark != '.' && mark != '_') continue;
    const std::string_view rest = base.substr(i + 1);
    const size_t dot = std::min(rest.find('.'), rest.size());
    if (dot == 0) continue;
    const uint64_t rank = date_rank(rest.substr(0, dot));
    if (rank == 0) continue;
    r.stem = std::string(folder) + std::string(base.substr(0, i)) + std::string(rest.substr(dot));
    r.dated = true;
    r.rank = rank;
    return r;
  }
  return r;
}

bool is_older(const RotatedName& a, const RotatedName& b) {
  const auto age = [](const RotatedName& n) -> std::pair<int, uint64_t> {
    if (n.dated) return {2, ~n.rank};
    return {n.rank == 0 ? 0 : 1, n.rank};
  };
  return age(a) > age(b);
}

}  // namespace mailward
