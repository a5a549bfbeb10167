#include "log/time_fold.h"

#include <gtest/gtest.h>

#include "log/stamp.h"
#include "log/zone_rule.h"

namespace mailward {
namespace {

Zone zone(std::string_view name) {
  auto z = Zone::load(name);
  EXPECT_TRUE(z.has_value()) << name << ": " << (z ? "" : z.error().message);
  return z ? *z : Zone{};
}

Stamp stamp(std::string_view text) {
  Stamp s;
  if (parse_traditional_stamp(text, s) == 0 && parse_iso_stamp(text, s) == 0) ADD_FAILURE() << "no stamp: " << text;
  return s;
}

Instant utc(std::string_view text) {
  const auto t = parse_rfc3339(text);
  EXPECT_TRUE(t.has_value()) << text;
  return t.value_or(kNoInstant);
}

struct FoldCase {
  const char* zone;
  const char* previous;  // nullptr: the first record
  int base_year;
  const char* stamp;
  const char* want;
};

class FoldTest : public testing::TestWithParam<FoldCase> {};

TEST_P(FoldTest, Resolves) {
  const FoldCase& c = GetParam();
  const Zone z = zone(c.zone);
  const Instant previous = c.previous != nullptr ? utc(c.previous) : kNoInstant;
  EXPECT_EQ(format_instant(resolve_stamp(z, stamp(c.stamp), previous, c.base_year), true),
            format_instant(utc(c.want), true));
  TimeFold fold(z, previous, c.base_year);
  EXPECT_EQ(format_instant(fold.resolve(stamp(c.stamp)), true), format_instant(utc(c.want), true));
  EXPECT_EQ(fold.previous(), utc(c.want));
}

const char* const kBerlin = "Europe/Berlin";

INSTANTIATE_TEST_SUITE_P(
    Years, FoldTest,
    testing::Values(
        FoldCase{"UTC", nullptr, 2025, "Mar  2 10:00:00", "2025-03-02T10:00:00Z"},
        FoldCase{"UTC", nullptr, 1999, "2025-03-02T10:00:00.25Z", "2025-03-02T10:00:00.25Z"},
        FoldCase{"UTC", "2024-12-31T23:59:59Z", 0, "Jan  1 00:00:00", "2025-01-01T00:00:00Z"},
        FoldCase{"UTC", "2025-01-01T00:00:01Z", 0, "Dec 31 23:59:59", "2024-12-31T23:59:59Z"},  // out of order
        FoldCase{"UTC", "2025-01-20T00:00:00Z", 0, "Jun  1 00:00:00", "2025-06-01T00:00:00Z"},
        FoldCase{"UTC", "2025-11-20T00:00:00Z", 0, "Feb  1 00:00:00", "2026-02-01T00:00:00Z"},  // a quiet log
        FoldCase{kBerlin, "2024-12-31T22:59:59Z", 0, "Jan  1 00:30:00", "2024-12-31T23:30:00Z"},
        FoldCase{"UTC", "2024-02-28T23:59:59Z", 0, "Feb 29 00:00:01", "2024-02-29T00:00:01Z"},
        FoldCase{"UTC", nullptr, 2025, "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},  // falls into leap years only
        FoldCase{"UTC", nullptr, 2099, "Feb 29 12:00:00", "2096-02-29T12:00:00Z"},
        FoldCase{"UTC", "2025-03-01T00:00:00Z", 0, "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},
        FoldCase{"UTC", nullptr, 2025, "Apr 31 12:00:00", "2025-05-01T12:00:00Z"},
        FoldCase{"UTC", "2016-12-31T23:59:59Z", 0, "Dec 31 23:59:60", "2017-01-01T00:00:00Z"}));

INSTANTIATE_TEST_SUITE_P(
    Zones, FoldTest,
    testing::Values(
        // Spring: 02:00 to 03:00 is no time. Read as if the clock had not been put forward.
        FoldCase{kBerlin, "2025-03-30T00:59:59Z", 0, "Mar 30 03:00:00", "2025-03-30T01:00:00Z"},
        FoldCase{kBerlin, "2025-03-30T00:59:59Z", 0, "Mar 30 02:00:00", "2025-03-30T01:00:00Z"},
        FoldCase{kBerlin, "2025-03-30T00:59:59Z", 0, "Mar 30 02:59:59", "2025-03-30T01:59:59Z"},
        // Autumn: 02:00 to 03:00 comes twice.
        FoldCase{kBerlin, nullptr, 2025, "Oct 26 02:30:00", "2025-10-26T00:30:00Z"},
        FoldCase{kBerlin, "2025-10-26T00:59:59Z", 0, "Oct 26 02:00:00", "2025-10-26T01:00:00Z"},
        FoldCase{kBerlin, "2025-10-26T00:30:10Z", 0, "Oct 26 02:29:20", "2025-10-26T00:29:20Z"},  // small disorder
        FoldCase{kBerlin, "2025-10-26T00:30:10Z", 0, "Oct 26 02:29:09", "2025-10-26T01:29:09Z"},  // more than that
        FoldCase{kBerlin, "2025-10-26T01:30:00Z", 0, "Oct 26 02:31:00", "2025-10-26T01:31:00Z"},  // second pass
        FoldCase{kBerlin, "2025-10-26T01:30:00Z", 0, "Oct 26 02:29:59", "2025-10-26T01:29:59Z"},
        FoldCase{kBerlin, "2025-10-25T12:00:00Z", 0, "Oct 26 02:30:00", "2025-10-26T00:30:00Z"},
        FoldCase{kBerlin, "2025-10-26T01:00:00Z", 0, "Oct 26 02:59:59", "2025-10-26T00:59:59Z"},
        FoldCase{kBerlin, nullptr, 2025, "2025-10-26T02:30:00+01:00", "2025-10-26T01:30:00Z"},
        FoldCase{"Australia/Lord_Howe", "2025-04-05T14:59:59Z", 0, "Apr  6 01:30:00",
                 "2025-04-05T15:00:00Z"},  // 30 minutes
        FoldCase{"America/New_York", nullptr, 2025, "Jul  4 12:00:00", "2025-07-04T16:00:00Z"},
        FoldCase{"America/New_York", nullptr, 2150, "Jul  4 12:00:00", "2150-07-04T16:00:00Z"},  // from the rule
        FoldCase{"Asia/Kathmandu", nullptr, 2025, "Jul  4 12:00:00", "2025-07-04T06:15:00Z"},
        FoldCase{"+05:45", nullptr, 2025, "Jul  4 12:00:00", "2025-07-04T06:15:00Z"},
        FoldCase{"-0330", nullptr, 2025, "Jul  4 12:00:00", "2025-07-04T15:30:00Z"},
        FoldCase{"CET-1CEST,M3.5.0,M10.5.0/3", "2025-10-26T00:59:59Z", 0, "Oct 26 02:00:00", "2025-10-26T01:00:00Z"},
        FoldCase{"XXX3", nullptr, 2025, "Jul  4 12:00:00", "2025-07-04T15:00:00Z"}));

// A day of 25 hours, one record a minute: every instant must come once and in order.
TEST(TimeFold, LongDayComesOutEven) {
  const Zone z = zone(kBerlin);
  TimeFold fold(z, 2025);
  Instant expected = utc("2025-10-25T22:00:00Z");
  for (int minute = 0; minute < 25 * 60; ++minute, expected += std::chrono::minutes(1)) {
    const int64_t seconds = std::chrono::floor<std::chrono::seconds>(expected).time_since_epoch().count();
    const int64_t local = seconds + z.span_at(seconds).offset;
    Stamp s;
    s.month = 10;
    s.day = 26;
    s.hour = static_cast<uint8_t>(local / 3600 % 24);
    s.minute = static_cast<uint8_t>(local / 60 % 60);
    ASSERT_EQ(fold.resolve(s), expected) << format_instant(expected, false);
  }
}

// The remembered hour must not change anything: the same walk through several years with and without it.
TEST(TimeFold, MemoryChangesNothing) {
  for (const char* name : {"Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"}) {
    const Zone z = zone(name);
    TimeFold fold(z, 2023);
    Instant plain = kNoInstant;
    int64_t t = 1'672'531'200;
    uint64_t random = 88172645463325252ULL;
    for (int i = 0; i < 40'000; ++i) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      t += random % 100 == 0 ? static_cast<int64_t>(random % 400'000) : static_cast<int64_t>(random % 60) - 10;
      const int64_t local = t + z.span_at(t).offset;
      using namespace std::chrono;
      const sys_days day = floor<days>(sys_seconds{seconds{local}});
      const year_month_day date{day};
      Stamp s;
      s.month = static_cast<uint8_t>(static_cast<unsigned>(date.month()));
      s.day = static_cast<uint8_t>(static_cast<unsigned>(date.day()));
      const int64_t of_day = local - day.time_since_epoch().count() * 86400;
      s.hour = static_cast<uint8_t>(of_day / 3600);
      s.minute = static_cast<uint8_t>(of_day / 60 % 60);
      s.second = static_cast<uint8_t>(of_day % 60);
      plain = resolve_stamp(z, s, plain, 2023);
      ASSERT_EQ(fold.resolve(s), plain) << name << " step " << i;
    }
  }
}

TEST(TimeFold, YearOfTheLastLine) {
  const Zone z = zone(kBerlin);
  const Instant now = utc("2026-03-10T12:00:00Z");
  EXPECT_EQ(year_nearest_before(z, stamp("Mar  9 00:00:00"), now), 2026);
  EXPECT_EQ(year_nearest_before(z, stamp("Mar 11 00:00:00"), now), 2026);  // a day ahead is a clock
  EXPECT_EQ(year_nearest_before(z, stamp("Mar 13 00:00:00"), now), 2025);
  EXPECT_EQ(year_nearest_before(z, stamp("Dec 31 00:00:00"), now), 2025);
  EXPECT_EQ(year_nearest_before(z, stamp("Feb 29 00:00:00"), now), 2024);
  EXPECT_EQ(year_nearest_before(z, stamp("Jan  1 00:00:01"), utc("2025-12-31T23:00:05Z")), 2026);
}

TEST(Zone, RefusesWhatIsNone) {
  for (const char* name : {"", "Mars/Olympus", "Europe/Berlim", "../../etc/passwd", "/etc/passwd", "+1", "+25:00",
                           "+01:0x", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0", "Berlin", "CETx-"}) {
    const auto z = Zone::load(name);
    EXPECT_FALSE(z.has_value()) << name;
    EXPECT_NE((z ? std::string() : z.error().message).find("time zone"), std::string::npos) << name;
  }
}

TEST(Zone, BrokenFiles) {
  const std::string good_head = std::string("TZif2") + std::string(15, '\0') + std::string(24, '\0');
  EXPECT_FALSE(Zone::from_tzif("", "x").has_value());
  EXPECT_FALSE(Zone::from_tzif("TZif", "x").has_value());
  EXPECT_FALSE(Zone::from_tzif(good_head, "x").has_value());
  std::string huge = good_head;
  huge.replace(32, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(Zone::from_tzif(huge, "x").has_value());
}

TEST(ZoneRule, Days) {
  const auto julian = parse_zone_rule("AAA0BBB,J60,J300");
  ASSERT_TRUE(julian.has_value());
  EXPECT_EQ(julian->begin_in(2024), 1'709'258'400);  // 1 March in leap years too
  EXPECT_EQ(julian->begin_in(2025), 1'740'794'400);
  const auto zero = parse_zone_rule("AAA0BBB,59,300");
  ASSERT_TRUE(zero.has_value());
  EXPECT_EQ(zero->begin_in(2024), 1'709'172'000);  // 29 February
  EXPECT_TRUE(parse_zone_rule("<-03>3").has_value());
  EXPECT_FALSE(parse_zone_rule("<-03").has_value());
  EXPECT_FALSE(parse_zone_rule("AB3").has_value());
  EXPECT_FALSE(parse_zone_rule("CET-1CEST,M3.0.0,M10.5.0").has_value());
}

}  // namespace
}  // namespace mailward
