// Values of the first station: addresses, networks, time, kinds of event, data folders.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/address.h"
#include "base/data_dir.h"
#include "base/event.h"
#include "base/instant.h"

namespace mailward {
namespace {

TEST(Address, ReadsAndWritesInOneForm) {
  constexpr std::array<std::array<const char*, 2>, 18> kTable{{
      {"192.0.2.7", "192.0.2.7"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"::ffff:192.0.2.7", "192.0.2.7"},
      {"::FFFF:c000:207", "192.0.2.7"},
      {"0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7"},
      {"2001:db8::1", "2001:db8::1"},
      {"2001:db8:50:e2a3:0:0:0:1", "2001:db8:50:e2a3::1"},
      {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:db8:0:0:0:1:0:0", "2001:db8::1:0:0"},
      {"::1", "::1"},
      {"::", "::"},
      {"1::", "1::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"fe80::1", "fe80::1"},
  }};
  for (const auto& [text, canonical] : kTable) {
    const auto a = parse_address(text);
    ASSERT_TRUE(a) << text;
    EXPECT_EQ(format_address(*a), canonical) << text;
  }
}

TEST(Address, RefusesWhatIsNotExactlyOne) {
  for (const char* text : {"",
                           ":",
                           ":::",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.04",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "1.2.3.4\n",
                           "1.2.3.",
                           ".1.2.3",
                           "1..2.3",
                           "1.2.3.4/32",
                           "[1.2.3.4]",
                           "1.2.3.-4",
                           "1.2.3.4a",
                           "0x1.2.3.4",
                           "1.2.3.+4",
                           "2001:db8::1%eth0",
                           "[::1]",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1::",
                           "1::2::3",
                           "12345::",
                           ":1::",
                           "1:",
                           "::1:",
                           "g::",
                           "::ffff:1.2.3",
                           "::ffff:1.2.3.04",
                           "::1.2.3.4:5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "1.2.3.4::",
                           "::ffff:1.2.3.4.",
                           "00001::",
                           "2001:db8::1 ",
                           "1111:2222:3333:4444:5555:6666:7777:88888",
                           "111.222.333.444"})
    EXPECT_FALSE(parse_address(text)) << '"' << text << '"';
  EXPECT_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
}

// The C library's reader and writer are slow and right; they differ only in what is an IPv4 address.
TEST(Address, AgreesWithTheLibraryOnRandomValues) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::array<uint8_t, 16> raw{};
    for (size_t i = 0; i < 16; ++i) raw[i] = random() % 3 ? 0 : static_cast<uint8_t>(random() >> (random() % 8));
    char text[INET6_ADDRSTRLEN];
    ASSERT_TRUE(inet_ntop(AF_INET6, raw.data(), text, sizeof text));
    const auto a = parse_address(text);
    ASSERT_TRUE(a) << text;
    for (size_t i = 0; i < 16; ++i)
      ASSERT_EQ(raw[i], static_cast<uint8_t>((i < 8 ? a->high : a->low) >> (56 - 8 * (i & 7)))) << text;
    if (std::string_view(text).find('.') == std::string_view::npos) {
      EXPECT_EQ(format_address(*a), text);
    }
    EXPECT_EQ(parse_address(format_address(*a)), a) << text;
  }
}

TEST(Address, AgreesWithTheLibraryOnRandomText) {
  std::mt19937 random(11);
  constexpr std::string_view kLetters = "0123456789af:::...";
  for (int round = 0; round < 300'000; ++round) {
    std::string text;
    for (auto n = random() % 18; n > 0; --n) text += kLetters[random() % kLetters.size()];
    std::array<uint8_t, 16> raw{};
    const bool known =
        inet_pton(AF_INET, text.c_str(), raw.data()) == 1 || inet_pton(AF_INET6, text.c_str(), raw.data()) == 1;
    ASSERT_EQ(parse_address(text).has_value(), known) << text;
  }
}

TEST(Address, OrdersIpv4First) {
  std::vector<Address> list;
  for (const char* text : {"2001:db8::2", "::1", "10.0.0.1", "9.255.0.0", "2001:db8::1", "224.0.0.1"})
    list.push_back(*parse_address(text));
  std::sort(list.begin(), list.end());
  std::vector<std::string> texts;
  for (const Address& a : list) texts.push_back(format_address(a));
  EXPECT_THAT(texts, testing::ElementsAre("9.255.0.0", "10.0.0.1", "224.0.0.1", "::1", "2001:db8::1", "2001:db8::2"));
}

TEST(Network, HoldsItsAddressesOnly) {
  struct Row {
    const char *network, *address;
    bool inside;
  };
  constexpr std::array<Row, 12> kTable{{
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "192.0.2.1", false},
      {"2001:db8::/32", "2001:db8:ffff::", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"2001:db8::/65", "2001:db8::8000:0:0:1", false},
      {"::ffff:192.0.2.0/120", "192.0.2.9", true},
  }};
  for (const auto& [network, address, inside] : kTable) {
    const auto n = parse_network(network);
    ASSERT_TRUE(n) << network;
    EXPECT_EQ(contains(*n, *parse_address(address)), inside) << network << ' ' << address;
  }
}

TEST(Network, RefusesBitsRightOfThePrefixAndNonsense) {
  for (const char* text :
       {"192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/024", "192.0.2.0/+8", "192.0.2.0/8/8",
        "2001:db8::1/64", "2001:db8::/129", "/24", "x/24", "192.0.2.0/-1", "192.0.2.0 /24", "::ffff:0.0.0.0/90"})
    EXPECT_FALSE(parse_network(text)) << text;
}

TEST(Network, IsOfTheAddressesFamily) {
  EXPECT_EQ(format_network(network_of(*parse_address("192.0.2.77"), 24, 64)), "192.0.2.0/24");
  EXPECT_EQ(format_network(network_of(*parse_address("2001:db8:1:2:3::9"), 24, 64)), "2001:db8:1:2::/64");
  EXPECT_EQ(format_network(network_of(*parse_address("2001:db8:1:2:3::9"), 24, 128)), "2001:db8:1:2:3::9/128");
  EXPECT_EQ(format_network(network_of(*parse_address("192.0.2.77"), 0, 0)), "0.0.0.0/0");
}

TEST(Instant, ReadsRfc3339) {
  constexpr std::array<std::array<const char*, 2>, 9> kTable{{
      {"2026-03-09T08:00:48Z", "2026-03-09T08:00:48.000000Z"},
      {"2026-03-09T08:00:48.5Z", "2026-03-09T08:00:48.500000Z"},
      {"2026-03-09T08:00:48.1234567+01:00", "2026-03-09T07:00:48.123456Z"},
      {"2026-03-09t00:30:00-05:30", "2026-03-09T06:00:00.000000Z"},
      {"2024-02-29T23:59:60z", "2024-03-01T00:00:00.000000Z"},
      {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
      {"1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250000Z"},
      {"2026-01-01T00:00:00+23:59", "2025-12-31T00:01:00.000000Z"},
  }};
  for (const auto& [text, utc] : kTable) {
    const auto t = parse_rfc3339(text);
    ASSERT_TRUE(t) << text;
    EXPECT_EQ(format_instant(*t, true), utc) << text;
  }
  EXPECT_EQ(format_instant(*parse_rfc3339("2026-03-09T08:00:48.9Z"), false), "2026-03-09T08:00:48Z");
  EXPECT_EQ(format_instant(kNoInstant, true), "");
}

TEST(Instant, RefusesEverythingElse) {
  for (const char* text :
       {"", "2026-03-09", "2026-03-09T08:00:48", "2026-03-09 08:00:48Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-03-09T24:00:00Z", "2026-03-09T08:60:00Z",
        "2026-03-09T08:00:61Z", "2026-03-09T08:00:48.Z", "2026-03-09T08:00:48+24:00", "2026-03-09T08:00:48+0100",
        "2026-03-09T08:00:48Zx", "2026-3-9T08:00:48Z", "+026-03-09T08:00:48Z", "2026-03-09T08:00:48+01:60"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(Duration, ReadsAndWrites) {
  constexpr std::array<std::array<const char*, 2>, 9> kTable{{{"90s", "90s"},
                                                              {"15m", "15m"},
                                                              {"24h", "24h"},
                                                              {"7d", "7d"},
                                                              {"2w", "14d"},
                                                              {"120s", "2m"},
                                                              {"1d", "24h"},
                                                              {"0s", "0s"},
                                                              {"36500d", "36500d"}}};
  for (const auto& [text, canonical] : kTable) {
    const auto d = parse_duration(text);
    ASSERT_TRUE(d) << text;
    EXPECT_EQ(format_duration(*d), canonical) << text;
  }
  for (const char* text :
       {"", "s", "7", "-7d", "+7d", "7 d", " 7d", "7d ", "7D", "7y", "1.5h", "36526d", "99999999999999999999s"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(EventKind, NamesAreReadBack) {
  for (size_t i = 0; i < kEventKinds; ++i) {
    const auto kind = static_cast<EventKind>(i);
    EXPECT_FALSE(name_of(kind).empty()) << i;
    EXPECT_EQ(parse_event_kind(name_of(kind)), kind);
  }
  EXPECT_FALSE(parse_event_kind("hostile"));
  EXPECT_FALSE(parse_event_kind("Auth_failed"));
  EXPECT_FALSE(parse_event_kind(""));
  EXPECT_EQ(severity_of(EventKind::kAuthFailed), Severity::kHostile);
  EXPECT_EQ(severity_of(EventKind::kNoPtr), Severity::kWeak);
  EXPECT_EQ(severity_of(EventKind::kAccepted), Severity::kNeutral);
}

TEST(DataDir, PrefersTheEnvironment) {
  ASSERT_EQ(setenv("MAILWARD_DATA", "/nowhere", 1), 0);
  EXPECT_FALSE(find_data_dir("src"));  // a folder that isn't there is not passed over
  EXPECT_EQ(data_dirs_tried("src"), "/nowhere/src");
  ASSERT_EQ(setenv("MAILWARD_DATA", (std::string(MAILWARD_SOURCE_DATA) + "/src").c_str(), 1), 0);
  EXPECT_EQ(find_data_dir("base"), std::string(MAILWARD_SOURCE_DATA) + "/src/base");
  unsetenv("MAILWARD_DATA");
  EXPECT_EQ(find_data_dir("src"), std::string(MAILWARD_SOURCE_DATA) + "/src");  // run where it was built
  EXPECT_FALSE(find_data_dir("no-such-folder"));
  EXPECT_THAT(data_dirs_tried("no-such-folder"), testing::HasSubstr("no-such-folder"));
}

}  // namespace
}  // namespace mailward
