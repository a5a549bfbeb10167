// What may never be banned, and the ways around it that must not be.
#include "firewall/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "firewall/host.h"
#include "firewall/world.h"

namespace mailward {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Network net(std::string_view text) { return *parse_network(text); }

const std::vector<Protected> kMore{
    {net("192.0.2.1"), "a gateway"},
    {net("198.51.100.64/26"), "the ignore list"},
    {net("198.51.100.70"), "an address in it"},
    {net("198.51.100.64"), "its first"},
    {net("2001:db8:0:1::5"), "this host"},
    {net("2001:db8:ffff::/48"), "the ignore list"},
};

TEST(Guard, RefusesWhatIsProtectedHoweverItIsWritten) {
  const Guard guard(kMore);
  for (const char* text : {
           // every one of those that always are: first, last, something in between
           "0.0.0.0",
           "0.255.255.255",
           "127.0.0.1",
           "127.0.0.0/24",
           "127.255.255.255",
           "169.254.169.254",
           "169.254.1.0/24",
           "224.0.0.1",
           "239.255.255.255",
           "240.0.0.1",
           "255.255.255.255",
           "::",
           "::1",
           "::1/128",
           "::/64",
           "::7f00:1",
           "fe80::1",
           "fe80::/64",
           "febf:ffff::1",
           "ff02::1",
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           // mapped, in both ways of writing, as a network of IPv6
           "::ffff:127.0.0.1",
           "::ffff:7f00:1",
           "::ffff:127.0.0.0/120",
           "::ffff:192.0.2.1",
           "::ffff:0:0/120",
           // what was handed in, itself, inside, around
           "192.0.2.1",
           "192.0.2.0/24",
           "192.0.2.0/31",
           "198.51.100.64/26",
           "198.51.100.70",
           "198.51.100.127",
           "198.51.100.0/24",
           "198.51.100.96/27",
           "2001:db8:0:1::5",
           "2001:db8:0:1::/64",
           "2001:db8::/48",
           "2001:db8:0:1::4/127",
           "2001:db8:ffff::/48",
           "2001:db8:ffff:1::/64",
           "2001:db8:ffff::1",
           // IPv4 inside of IPv6: NAT64 and 6to4
           "64:ff9b::127.0.0.1",
           "64:ff9b::c000:201",
           "64:ff9b::c000:200/120",
           "64:ff9b::/96",
           "64:ff9b::/64",
           "2002:7f00:1::/48",
           "2002:c000:201::1",
           "2002:c000:201:5::/64",
       })
    EXPECT_TRUE(guard.refuses(net(text))) << text;
}

TEST(Guard, RefusesWideNetworks) {
  const Guard guard({});
  for (const char* text : {"0.0.0.0/0", "::/0", "::ffff:0:0/96", "8.0.0.0/7", "203.0.112.0/23", "203.0.112.0/20",
                           "2001:db8::/47", "2000::/3", "2001:db8::/32", "::ffff:203.0.112.0/119", "8000::/1"})
    EXPECT_THAT(guard.refuses(net(text)).value_or(""), HasSubstr("wider")) << text;
  // Where the configuration allows all widths, what is inside still counts.
  const Guard loose({}, {0, 0});
  for (const char* text : {"0.0.0.0/0", "::/0", "::ffff:0:0/96", "64.0.0.0/2", "::/1", "::8000:0:0/81", "8000::/1",
                           "64:ff9b::/48", "64::/16", "126.0.0.0/7", "2002::/16"})
    EXPECT_TRUE(loose.refuses(net(text))) << text;
  for (const char* text : {"8.0.0.0/7", "2001:db8::/32", "2002:cb00::/24", "128.0.0.0/3", "4000::/2"})
    EXPECT_FALSE(loose.refuses(net(text))) << text << *loose.refuses(net(text));
}

TEST(Guard, LetsAllOthersThrough) {
  const Guard guard(kMore);
  for (const char* text : {"1.0.0.0",
                           "126.255.255.255",
                           "128.0.0.0",
                           "223.255.255.255",
                           "192.0.2.2",
                           "192.0.2.2/31",
                           "192.0.2.128/25",
                           "198.51.100.0/26",
                           "198.51.100.128/25",
                           "203.0.113.0/24",
                           "10.0.0.5",
                           "192.168.1.9",
                           "2001:db8:0:2::/64",
                           "2001:db8:0:1::6",
                           "2001:db8:0:1:1::/80",
                           "2001:db8:fffe::/48",
                           "fd00::/48",
                           "64:ff9b::c000:202",
                           "2002:c000:202::/48",
                           "1::1",
                           "0:0:0:1::/64",
                           "::fffe:7f00:1",
                           "::1:0:0:0"})
    EXPECT_FALSE(guard.refuses(net(text))) << text << ": " << *guard.refuses(net(text));
}

TEST(Guard, SaysWhy) {
  const Guard guard(kMore);
  EXPECT_THAT(*guard.refuses(net("192.0.2.0/24")), HasSubstr("a gateway"));
  EXPECT_THAT(*guard.refuses(net("198.51.100.70")), HasSubstr("the ignore list"));
  EXPECT_THAT(*guard.refuses({*parse_address("192.0.2.7"), 24}), HasSubstr("no network"));
  EXPECT_THAT(*guard.refuses({*parse_address("192.0.2.0"), 33}), HasSubstr("no network"));
}

// The same by looking at each of them in turn.
TEST(Guard, AgreesWithASlowOne) {
  std::mt19937 random(7);
  const auto any = [&] {  // near one another, so that they meet
    const bool v4 = random() % 2 == 0;
    const Address a =
        v4 ? Address::v4(0xcb007000 + random() % 2048) : Address{0x2001'0db8'0000'0000 + random() % 64, 0};
    return network_of(a, 18 + static_cast<int>(random() % 15), 52 + static_cast<int>(random() % 77));
  };
  int refused = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<Protected> some;
    for (size_t n = random() % 12; n > 0; --n) some.push_back({any(), "x"});
    const Guard guard(some, {0, 0});
    for (int i = 0; i < 100; ++i) {
      const Network asked = any();
      const bool meets = std::ranges::any_of(some, [&](const Protected& p) {
        return contains(p.network, asked.address) || contains(asked, p.network.address);
      });
      EXPECT_EQ(guard.refuses(asked).has_value(), meets) << format_network(asked);
      refused += meets ? 1 : 0;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 19'000);
}

TEST(Brake, LetsSoManyThroughInAnyMinute) {
  const Instant t = *parse_rfc3339("2026-03-09T08:00:00Z");
  Brake brake(10);
  EXPECT_EQ(brake.pass(4, t), 4U);
  EXPECT_EQ(brake.pass(4, t + 30s), 4U);
  EXPECT_EQ(brake.next(t + 30s), t + 30s);
  EXPECT_EQ(brake.pass(4, t + 30s), 2U);
  EXPECT_EQ(brake.pass(2, t + 59s), 0U);
  EXPECT_EQ(brake.next(t + 59s), t + 60s);
  EXPECT_EQ(brake.pass(100, t + 60s), 4U);
  EXPECT_EQ(brake.pass(100, t + 90s), 6U);
  EXPECT_EQ(brake.pass(100, t + 1h), 10U);
  EXPECT_EQ(brake.pass(0, t + 2h), 0U);
}

TEST(Brake, OutlivesAClockThatJumps) {
  const Instant t = *parse_rfc3339("2026-03-09T08:00:00Z");
  Brake brake(10);
  EXPECT_EQ(brake.pass(10, t), 10U);
  EXPECT_EQ(brake.pass(10, t - 24h), 0U);          // set back: nothing is free yet
  EXPECT_EQ(brake.next(t - 24h), t - 24h + 1min);  // but not held for a day
  EXPECT_EQ(brake.pass(10, t - 24h + 1min), 10U);
  EXPECT_EQ(brake.pass(10, t + 24h), 10U);
}

TEST(Brake, NeverExceedsItsRate) {
  std::mt19937 random(3);
  Instant now = *parse_rfc3339("2026-03-09T08:00:00Z");
  Brake brake(50);
  std::vector<std::pair<Instant, size_t>> passed;
  for (int i = 0; i < 3000; ++i) {
    now += std::chrono::milliseconds(random() % 3000);
    if (const size_t n = brake.pass(random() % 20, now); n > 0) passed.emplace_back(now, n);
    size_t in_minute = 0;
    for (const auto& [at, n] : passed) in_minute += at > now - 1min ? n : 0;
    ASSERT_LE(in_minute, 50U);
  }
}

std::vector<std::string> shown(const std::vector<Protected>& all) {
  std::vector<std::string> networks;
  for (const Protected& p : all) networks.push_back(format_network(p.network));
  return networks;
}

TEST(Host, ReadsGatewaysAndResolvers) {
  const ScriptFolder folder;
  HostFiles files{folder.path("resolv.conf"), folder.path("route"), folder.path("ipv6_route")};
  std::ofstream(files.resolvers) << "# nameserver 192.0.2.99\nsearch example.com\nnameserver 192.0.2.53\n"
                                    "nameserver\t2001:db8::53%eth0\nnameserver example.com\nnameserver\n";
  std::ofstream(files.routes4)
      << "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
         "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
         "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
         "eth1\t0000000A\t016433C6\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n"
         "eth1\tbroken\n";
  std::ofstream(files.routes6)
      << "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 "
         "00000400 00000001 00000000 00000003     eth0\n"
         "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 "
         "00000100 00000001 00000000 00000001     eth0\n";
  const auto all = protected_of_host(files);
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_THAT(shown(*all), testing::IsSupersetOf({"192.0.2.53/32", "2001:db8::53/128", "192.0.2.1/32",
                                                  "198.51.100.1/32", "2001:db8::1/128"}));
  EXPECT_THAT(shown(*all), testing::Not(testing::Contains("192.0.2.99/32")));
  EXPECT_THAT(shown(*all), testing::Not(testing::Contains("192.0.2.0/32")));
}

TEST(Host, KnowsTheKernelsOwnAnswer) {
  if (!enter_own_network()) GTEST_SKIP() << "no network namespace of its own to be had here (not root?)";
  ASSERT_EQ(shell("ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up && ip address add "
                  "192.0.2.7/24 dev d0 && "
                  "ip address add 2001:db8::7/64 dev d0 nodad && ip route add default via 192.0.2.1 && "
                  "ip route add 203.0.113.0/24 via 192.0.2.2 && ip -6 route add default via 2001:db8::1"),
            "");
  const auto all = protected_of_host();
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_THAT(shown(*all), testing::IsSupersetOf({"127.0.0.1/32", "192.0.2.7/32", "2001:db8::7/128", "192.0.2.1/32",
                                                  "192.0.2.2/32", "2001:db8::1/128"}));
  const Guard guard(*all);
  EXPECT_TRUE(guard.refuses(net("192.0.2.0/24")));
  EXPECT_TRUE(guard.refuses(net("2001:db8::/64")));
  EXPECT_FALSE(guard.refuses(net("192.0.2.9")));
}

TEST(Host, FailsWhenItCannotKnow) {
  const ScriptFolder folder;
  EXPECT_TRUE(protected_of_host(HostFiles{folder.path("none"), folder.path("none"), folder.path("none")}));
  const HostFiles files{folder.path("none"), folder.path("route/x"), folder.path("none")};
  std::ofstream(folder.path("route")) << "a file\n";  // ENOTDIR is not ENOENT
  EXPECT_FALSE(protected_of_host(files));
}

}  // namespace
}  // namespace mailward
