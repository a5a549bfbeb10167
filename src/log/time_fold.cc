#include "log/time_fold.h"

#include <algorithm>
#include <cstdlib>

namespace mailward {
namespace {

constexpr int64_t kMicros = 1'000'000;
constexpr int64_t kDay = 86400;

bool falls_into(const Stamp& s, int year) { return s.month != 2 || s.day != 29 || std::chrono::year{year}.is_leap(); }

// The clock's reading, as if it were UTC.
int64_t local_seconds(const Stamp& s, int year) {
  using namespace std::chrono;
  const sys_days first = std::chrono::year{year} / month{s.month} / 1;
  const int64_t days = first.time_since_epoch().count() + s.day - 1;
  return days * kDay + s.hour * 3600 + s.minute * 60 + s.second;
}

Instant instant_of(int64_t utc_seconds, const Stamp& s) { return Instant{Duration{utc_seconds * kMicros + s.micros}}; }

int64_t seconds_of(Instant t) { return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count(); }

Instant resolve_in_year(const Zone& zone, const Stamp& s, int year, Instant previous) {
  const int64_t local = local_seconds(s, year);
  if (s.has_offset) return instant_of(local - s.offset, s);
  const LocalReading reading = zone.read_local(local);
  const Instant early = instant_of(reading.early, s);
  if (reading.kind != LocalReading::Kind::kTwice || !has_time(previous)) return early;
  return early < previous - kDisorder ? instant_of(reading.late, s) : early;
}

// Years around `middle` into which the stamp falls: three, or for 29 February the leap years within
// the longest gap between two of them (1896 to 1904, 2096 to 2104).
template <class Visit>
void each_near_year(const Stamp& s, int middle, Visit visit) {
  const int reach = s.month == 2 && s.day == 29 ? 8 : 1;
  for (int year = middle - reach; year <= middle + reach; ++year) {
    if (falls_into(s, year)) visit(year);
  }
}

}  // namespace

int local_year_of(const Zone& zone, Instant t) {
  using namespace std::chrono;
  const int64_t utc = seconds_of(t);
  const auto day = floor<days>(sys_seconds{seconds{utc + zone.span_at(utc).offset}});
  return static_cast<int>(year_month_day{day}.year());
}

Instant resolve_stamp(const Zone& zone, const Stamp& stamp, Instant previous, int base_year) {
  if (stamp.year != 0) return resolve_in_year(zone, stamp, stamp.year, previous);
  Instant best = kNoInstant;
  if (!has_time(previous)) {
    int best_distance = INT32_MAX;
    each_near_year(stamp, base_year, [&](int year) {
      if (std::abs(year - base_year) >= best_distance) return;
      best_distance = std::abs(year - base_year);
      best = resolve_in_year(zone, stamp, year, previous);
    });
    return best;
  }
  Duration best_distance = Duration::max();
  each_near_year(stamp, local_year_of(zone, previous), [&](int year) {
    const Instant t = resolve_in_year(zone, stamp, year, previous);
    const Duration distance = t < previous ? previous - t : t - previous;
    if (distance >= best_distance) return;
    best_distance = distance;
    best = t;
  });
  return best;
}

int year_nearest_before(const Zone& zone, const Stamp& stamp, Instant limit) {
  if (stamp.year != 0) return stamp.year;
  const int now = local_year_of(zone, limit);
  int found = now;
  bool any = false;
  each_near_year(stamp, now, [&](int year) {
    if (any && resolve_in_year(zone, stamp, year, kNoInstant) > limit + std::chrono::days(1)) return;
    found = year;
    any = true;
  });
  return found;
}

Instant TimeFold::resolve_slowly(const Stamp& stamp) {
  const Instant t = resolve_stamp(*zone_, stamp, previous_, base_year_);
  previous_ = t;
  hour_key_ = kNoKey;
  if (stamp.has_offset) return t;
  // The hour is remembered only where no change of the zone is near: then it reads once.
  const int64_t hour = seconds_of(t) - (stamp.minute * 60 + stamp.second);
  const ZoneSpan span = zone_->span_at(hour);
  const int64_t margin = 2 * kDay;
  if ((span.begin == INT64_MIN || hour - margin > span.begin) && (span.end == INT64_MAX || hour + margin < span.end)) {
    hour_key_ = key_of(stamp);
    hour_ = Instant{Duration{hour * kMicros}};
  }
  return t;
}

}  // namespace mailward
