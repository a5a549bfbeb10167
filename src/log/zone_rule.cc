#include "log/zone_rule.h"

#include <chrono>

namespace mailward {
namespace {

// Eats the rule from the left; every function says whether it found its part.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // "CET", or "<+0330>".
  bool name() {
    size_t n = 0;
    if (skip('<')) {
      n = rest_.find('>');
      if (n == std::string_view::npos || n < 3) return false;
      rest_.remove_prefix(n + 1);
      return true;
    }
    while (n < rest_.size() && is_letter(rest_[n])) ++n;
    if (n < 3) return false;
    rest_.remove_prefix(n);
    return true;
  }

  bool number(int& out, int max) {
    size_t n = 0;
    int value = 0;
    while (n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9') {
      value = value * 10 + (rest_[n] - '0');
      if (value > max) return false;
      ++n;
    }
    if (n == 0) return false;
    rest_.remove_prefix(n);
    out = value;
    return true;
  }

  // [+-]hh[:mm[:ss]]
  bool clock(int32_t& out) {
    const bool negative = skip('-');
    if (!negative) skip('+');
    int h = 0, m = 0, s = 0;
    if (!number(h, 167)) return false;
    if (skip(':') && !number(m, 59)) return false;
    if (skip(':') && !number(s, 59)) return false;
    out = h * 3600 + m * 60 + s;
    if (negative) out = -out;
    return true;
  }

  bool day(ZoneRule::Day& out) {
    using Kind = ZoneRule::Day::Kind;
    if (skip('M')) {
      out.kind = Kind::kMonthWeek;
      if (!number(out.month, 12) || out.month == 0 || !skip('.') || !number(out.week, 5) || out.week == 0 ||
          !skip('.') || !number(out.weekday, 6)) {
        return false;
      }
    } else if (skip('J')) {
      out.kind = Kind::kJulian;
      if (!number(out.day, 365) || out.day == 0) return false;
    } else {
      out.kind = Kind::kZeroBased;
      if (!number(out.day, 365)) return false;
    }
    return !skip('/') || clock(out.time);
  }

  bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }

 private:
  static bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
  std::string_view rest_;
};

int64_t seconds_of(std::chrono::sys_days d) { return d.time_since_epoch().count() * int64_t{86400}; }

int64_t local_seconds_of(const ZoneRule::Day& day, int year) {
  using namespace std::chrono;
  const std::chrono::year y{year};
  switch (day.kind) {
    case ZoneRule::Day::Kind::kMonthWeek: {
      const month m{static_cast<unsigned>(day.month)};
      const weekday w{static_cast<unsigned>(day.weekday)};
      const sys_days d =
          day.week == 5 ? sys_days{y / m / w[last]} : sys_days{y / m / w[static_cast<unsigned>(day.week)]};
      return seconds_of(d) + day.time;
    }
    case ZoneRule::Day::Kind::kJulian: {
      const int leap = y.is_leap() && day.day >= 60 ? 1 : 0;
      return seconds_of(sys_days{y / January / 1} + days{day.day - 1 + leap}) + day.time;
    }
    case ZoneRule::Day::Kind::kZeroBased:
      break;
  }
  return seconds_of(sys_days{y / January / 1} + days{day.day}) + day.time;
}

}  // namespace

int64_t ZoneRule::begin_in(int year) const { return local_seconds_of(begin, year) - standard; }
int64_t ZoneRule::end_in(int year) const { return local_seconds_of(end, year) - summer; }

std::optional<ZoneRule> parse_zone_rule(std::string_view text) {
  RuleReader in(text);
  ZoneRule rule;
  int32_t west = 0;
  if (!in.name() || !in.clock(west)) return std::nullopt;
  rule.standard = -west;
  if (in.at_end()) return rule;
  if (!in.name()) return std::nullopt;
  rule.has_summer = true;
  rule.summer = rule.standard + 3600;
  if (!in.at_end() && !in.next_is(',')) {
    if (!in.clock(west)) return std::nullopt;
    rule.summer = -west;
  }
  if (in.at_end()) {  // no rule given: that of the United States, as libc takes it
    rule.begin = {ZoneRule::Day::Kind::kMonthWeek, 3, 2, 0, 0, 7200};
    rule.end = {ZoneRule::Day::Kind::kMonthWeek, 11, 1, 0, 0, 7200};
    return rule;
  }
  if (!in.skip(',') || !in.day(rule.begin) || !in.skip(',') || !in.day(rule.end) || !in.at_end()) return std::nullopt;
  return rule;
}

}  // namespace mailward
