// nftables for real, in a network namespace of the test's own: packets, other hands, figures.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "base/descriptor.h"
#include "firewall/world.h"

namespace mailward {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Another program's, which must stay as they are; one by the same name in another family.
constexpr std::string_view kOthers = R"(
table inet other {
  set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }
  chain c { type filter hook input priority 0; ip saddr @s counter accept; }
}
table ip mailward {
}
)";

class NftablesWorld : public World {
 public:
  NftablesWorld() : own_(enter_own_network()) {
    if (own_) shell("nft '" + std::string(kOthers) + "'");
  }
  std::string missing() override {
    if (const auto made = make_firewall({}); !made) return made.error().message;
    if (!own_) return "no network namespace of its own to be had here (not root?)";
    if (shell("nft --version").find("nftables v") == std::string::npos) return "the program nft is not installed";
    return {};
  }
  FirewallConfig config() override { return {}; }
  bool flush() override {
    EXPECT_EQ(shell("nft delete table inet mailward"), "");
    return true;
  }
  std::string others() override {
    const std::string all = shell("nft list table inet other; nft list table ip mailward");
    EXPECT_EQ(all.find("Error"), std::string::npos) << all;
    return all;
  }

 private:
  bool own_;
};

Network net(std::string_view text) { return *parse_network(text); }

class Nftables : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = world_.missing(); !why.empty()) GTEST_SKIP() << why;
    for (const char* address :
         {"192.0.2.7/32", "192.0.2.8/32", "198.51.100.9/32", "2001:db8::7/128", "2001:db8:0:1::7/128"})
      shell(fmt::format("ip address add {} dev lo {}", address, std::strchr(address, ':') ? "nodad" : ""));
    open({});
  }
  void open(const FirewallConfig& config) {
    firewall_ = std::move(*make_firewall(config));
    const auto ready = firewall_->prepare();
    ASSERT_TRUE(ready) << ready.error().message;
  }
  void ban(std::string_view network, Duration span = 1h) {
    const Ban one{net(network), wall_clock() + span, "default/test"};
    const auto done = firewall_->ban({&one, 1}, wall_clock());
    ASSERT_TRUE(done) << done.error().message;
  }
  size_t held() { return firewall_->held(wall_clock()).value_or(std::vector<Held>()).size(); }

  NftablesWorld world_;
  std::unique_ptr<Firewall> firewall_;
};

sockaddr_in6 endpoint(Address a, uint16_t port) {  // an IPv4 address as a mapped one: one kind of socket does for both
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  for (int i = 0; i < 8; ++i) {
    to.sin6_addr.s6_addr[i] = static_cast<uint8_t>(a.high >> (56 - 8 * i));
    to.sin6_addr.s6_addr[8 + i] = static_cast<uint8_t>(a.low >> (56 - 8 * i));
  }
  return to;
}

struct Server {
  explicit Server(uint16_t port) : listening(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in6 here = endpoint({}, port);
    if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) abort();
    ::listen(listening.get(), 100);
  }
  Descriptor listening;
};

// A connection from that address to our port, made in time; or nothing.
Descriptor connect(std::string_view from, uint16_t port, std::chrono::milliseconds patience = 300ms) {
  const Address source = *parse_address(from);
  Descriptor client(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in6 here = endpoint(source, 0);
  if (::bind(client.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) abort();
  const sockaddr_in6 there = endpoint(source.is_v4() ? *parse_address("127.0.0.1") : *parse_address("::1"), port);
  (void)::connect(client.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there);
  pollfd polled{client.get(), POLLOUT, 0};
  if (::poll(&polled, 1, static_cast<int>(patience.count())) != 1) return {};
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::move(client) : Descriptor();
}
bool connects(std::string_view from, uint16_t port) { return connect(from, port).get() >= 0; }

TEST_F(Nftables, DropsPacketsOfTheBannedAndNoOthers) {
  const Server smtp(25), imaps(993), ssh(22);
  EXPECT_TRUE(connects("192.0.2.7", 25));
  ban("192.0.2.7");
  EXPECT_FALSE(connects("192.0.2.7", 25));
  EXPECT_FALSE(connects("192.0.2.7", 993));
  EXPECT_TRUE(connects("192.0.2.7", 22));  // no port of mail
  EXPECT_TRUE(connects("192.0.2.8", 25));
  EXPECT_TRUE(connects("2001:db8::7", 25));
  ban("2001:db8::/64");
  EXPECT_FALSE(connects("2001:db8::7", 25));
  EXPECT_TRUE(connects("2001:db8:0:1::7", 25));
  ban("192.0.2.8/31");  // a length of its own
  EXPECT_FALSE(connects("192.0.2.8", 25));
  EXPECT_TRUE(connects("198.51.100.9", 25));
  const Network both[] = {net("192.0.2.7"), net("2001:db8::/64")};
  ASSERT_TRUE(firewall_->unban(both));
  EXPECT_TRUE(connects("192.0.2.7", 25));
  EXPECT_TRUE(connects("2001:db8::7", 25));
}

TEST_F(Nftables, ClosesThePortsThatAreConfigured) {
  const Server smtp(25), ssh(22), other(2525);
  ban("192.0.2.7");
  FirewallConfig config;
  config.ports = {false, {22, 2525}};
  open(config);  // the bans stay
  EXPECT_TRUE(connects("192.0.2.7", 25));
  EXPECT_FALSE(connects("192.0.2.7", 22));
  EXPECT_FALSE(connects("192.0.2.7", 2525));
  config.ports = {true, {}};
  open(config);
  EXPECT_FALSE(connects("192.0.2.7", 25));
  EXPECT_FALSE(connects("192.0.2.7", 22));
  EXPECT_TRUE(connects("192.0.2.8", 22));
}

// A client behind a wire of its own, and a port that is redirected as for a container: what counts is the port that
// the client dialled.
TEST_F(Nftables, ClosesPortsThatAreRedirected) {
  const std::string child = shell("unshare -n sleep 60 > /dev/null 2>&1 < /dev/null & echo $!");
  const std::string pid = child.substr(0, child.find('\n')), there = "nsenter -t " + pid + " -n ";
  std::this_thread::sleep_for(200ms);  // until it has its namespace
  ASSERT_EQ(
      shell(fmt::format("ip link add d0 type veth peer name d1 netns {0} && ip address add 203.0.113.1/24 dev d0 && "
                        "ip link set d0 up && {1} ip address add 203.0.113.7/24 dev d1 && {1} ip link set d1 up",
                        pid, there)),
      "");
  ASSERT_EQ(
      shell("nft 'table ip nat { chain c { type nat hook prerouting priority -100; tcp dport 25 redirect to :2525; "
            "}; }'"),
      "");
  const Server behind(2525);
  const std::string dial = there +
                           "python3 -c \"import socket; socket.create_connection(('203.0.113.1', 25), 1)\" "
                           "> /dev/null 2>&1; echo $?";
  EXPECT_EQ(shell(dial), "0\n");
  ban("203.0.113.7");
  EXPECT_EQ(shell(dial), "1\n");
  shell("kill " + pid);
}

// Though another table's chain lets in what is established, and comes first in the same hook.
TEST_F(Nftables, CutsConnectionsThatStand) {
  EXPECT_EQ(shell(R"(nft '
    table inet first {
      chain c { type filter hook prerouting priority -400; accept; }
      chain d { type filter hook input priority -400; ct state established accept; }
    }')"),
            "");
  const Server imap(143);
  const Descriptor client = connect("192.0.2.7", 143);
  const Descriptor server(::accept(imap.listening.get(), nullptr, nullptr));
  const auto arrives = [&] {
    EXPECT_EQ(::send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
    pollfd polled{server.get(), POLLIN, 0};
    char got = 0;
    return ::poll(&polled, 1, 300) == 1 && ::read(server.get(), &got, 1) == 1;
  };
  EXPECT_TRUE(arrives());
  ban("192.0.2.7");
  EXPECT_FALSE(arrives());
}

TEST_F(Nftables, NoticesEveryChangeOfItsTable) {
  for (const char* change : {
           "nft flush ruleset",
           "nft delete table inet mailward",
           "nft flush table inet mailward",  // rules go, elements stay
           "nft flush chain inet mailward banned",
           "nft 'insert rule inet mailward arriving accept'",
           "nft 'add table inet mailward { flags dormant; }'",
           "nft delete table inet mailward; nft add table inet mailward",
           // All as it was, and yet not ours: the elements' ends began anew.
           "all=$(nft list table inet mailward); nft delete table inet mailward; nft \"$all\"",
       }) {
    ban("192.0.2.7");
    EXPECT_EQ(held(), 1U) << change;
    EXPECT_EQ(shell(change), "");
    EXPECT_FALSE(firewall_->held(wall_clock())) << change;
    const Ban one{net("192.0.2.8"), wall_clock() + 1h, {}};
    EXPECT_FALSE(firewall_->ban({&one, 1}, wall_clock())) << change;
    const auto ready = firewall_->prepare();
    ASSERT_TRUE(ready) << change << ": " << ready.error().message;
    ban("192.0.2.7");
    EXPECT_EQ(held(), 1U) << change;
    const Server smtp(25);
    EXPECT_FALSE(connects("192.0.2.7", 25)) << change;
  }
}

TEST_F(Nftables, DoesNotMindWhatOthersDoElsewhere) {
  ban("192.0.2.7");
  EXPECT_EQ(shell("nft add table inet third; nft add element inet other s { 198.51.100.0/24 }"), "");
  ban("192.0.2.8");
  EXPECT_EQ(shell("nft delete table inet third"), "");
  EXPECT_EQ(held(), 2U);
}

TEST_F(Nftables, TellsOfATableThatIsNotItsOwn) {
  EXPECT_EQ(shell("nft 'table inet taken { set v4_32 { type ether_addr; }; }'"), "");
  FirewallConfig config;
  config.table = "taken";
  firewall_ = std::move(*make_firewall(config));
  const auto ready = firewall_->prepare();
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().message, HasSubstr("firewall.table"));
  EXPECT_FALSE(firewall_->held(wall_clock()));
}

TEST_F(Nftables, LeavesElementsOfAnAdminToHim) {  // they are in the table that is ours, without an end
  EXPECT_EQ(shell("nft add element inet mailward v4_32 { 203.0.113.1 }"), "");
  const auto held = firewall_->held(wall_clock());
  ASSERT_TRUE(held);
  EXPECT_THAT(*held, testing::ElementsAre(Held{net("203.0.113.1"), kNoInstant}));
}

TEST_F(Nftables, NeedsToBePreparedFirst) {
  firewall_ = std::move(*make_firewall({}));
  const Ban one{net("192.0.2.8"), wall_clock() + 1h, {}};
  EXPECT_FALSE(firewall_->ban({&one, 1}, wall_clock()));
  EXPECT_FALSE(firewall_->held(wall_clock()));
}

long peak_memory_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

// The figures of docs/firewalls.md: run the release build's tests for them.
TEST_F(Nftables, RestoresAHundredThousandInASecond) {
  std::vector<Ban> bans;
  for (uint32_t i = 0; i < 60'000; ++i)
    bans.push_back({{Address::v4(0x0b000000 + i * 131), 32}, wall_clock() + 24h, {}});
  for (uint64_t i = 0; i < 40'000; ++i)
    bans.push_back({{{0x2001'0db8'0000'0000 + i * 7, 0}, 64}, wall_clock() + 24h, {}});
  using Clock = std::chrono::steady_clock;
  const auto took = [](auto f) {
    const auto begin = Clock::now();
    f();
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
  };
  const long before = peak_memory_mb();
  const auto empty = took([&] { ASSERT_TRUE(firewall_->ban(bans, wall_clock())); });
  const auto again = took([&] { ASSERT_TRUE(firewall_->ban(bans, wall_clock())); });
  const auto reading = took([&] { ASSERT_EQ(held(), bans.size()); });
  const auto one = took([&] { ban("192.0.2.7"); });
  const auto other_length = took([&] { ban("192.0.0.0/22"); });
  const auto prepared = took([&] { ASSERT_TRUE(firewall_->prepare()); });
  std::vector<Network> all;
  for (const Ban& b : bans) all.push_back(b.network);
  const auto out = took([&] { ASSERT_TRUE(firewall_->unban(all)); });
  fmt::print(
      "100,000 bans: put in {} us, once more {} us, read {} us, taken out {} us; one ban {} us, one of a new "
      "length {} us, prepare {} us; memory +{} MB\n",
      empty, again, reading, out, one, other_length, prepared, peak_memory_mb() - before);
  // Figures, no verdict: whoever else uses this machine may slow it down. But not a hundred times.
  EXPECT_LT(empty, 30'000'000);
  EXPECT_LT(again, 30'000'000);
  EXPECT_LT(one, 5'000'000);
}

}  // namespace

std::unique_ptr<World> nftables_world() { return std::make_unique<NftablesWorld>(); }

}  // namespace mailward
