// What every backend must do, whatever it drives. A new backend is a row in kWorlds.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/data_dir.h"
#include "firewall/world.h"

namespace mailward {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Row {
  std::string_view backend, variant;
  std::unique_ptr<World> (*make)();
};
constexpr Row kWorlds[] = {
    {"nftables", "", nftables_world}, {"pf", "", pf_world},           {"pf", "_in_anchor", pf_anchor_world},
    {"crowdsec", "", crowdsec_world}, {"command", "", command_world}, {"none", "", none_world},
};
// The last ones hold nothing that another hand could remove.
constexpr size_t kCannotBeFlushed = 2;

Network net(std::string_view text) {
  const auto network = parse_network(text);
  if (!network) throw std::invalid_argument(std::string(text));
  return *network;
}

class Conformance : public testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    world_ = GetParam().make();
    if (const std::string why = world_->missing(); !why.empty()) GTEST_SKIP() << why;
    others_ = world_->others();
    open();
  }
  void TearDown() override {
    if (firewall_) {
      EXPECT_EQ(world_->others(), others_) << "something that isn't ours was touched";
    }
  }

  void open() {  // as at a start of the program
    auto made = make_firewall(world_->config());
    ASSERT_TRUE(made) << made.error().message;
    firewall_ = std::move(*made);
    const auto ready = firewall_->prepare();
    ASSERT_TRUE(ready) << ready.error().message;
  }
  void ban(std::initializer_list<std::pair<std::string_view, Duration>> bans) {
    std::vector<Ban> list;
    for (const auto& [network, span] : bans) list.push_back({net(network), wall_clock() + span, "default/test"});
    const auto done = firewall_->ban(list, wall_clock());
    ASSERT_TRUE(done) << done.error().message;
  }
  void unban(std::initializer_list<std::string_view> networks) {
    std::vector<Network> list;
    for (const auto& text : networks) list.push_back(net(text));
    const auto done = firewall_->unban(list);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::map<Network, Instant> ends() {
    auto held = firewall_->held(wall_clock());
    if (!held) ADD_FAILURE() << held.error().message;
    std::map<Network, Instant> ends;
    for (const Held& h : held ? *held : std::vector<Held>()) EXPECT_TRUE(ends.emplace(h.network, h.until).second);
    return ends;
  }
  std::vector<std::string> held() {
    std::vector<std::string> networks;
    for (const auto& [network, end] : ends()) networks.push_back(format_network(network));
    return networks;
  }

  std::unique_ptr<World> world_;
  std::unique_ptr<Firewall> firewall_;
  std::string others_;
};
std::string name_of_row(const testing::TestParamInfo<Row>& row) {
  return fmt::format("{}{}", row.param.backend, row.param.variant);
}
INSTANTIATE_TEST_SUITE_P(Every, Conformance, testing::ValuesIn(kWorlds), name_of_row);

TEST_P(Conformance, HoldsNothingAtFirst) { EXPECT_THAT(held(), IsEmpty()); }

TEST_P(Conformance, HoldsWhatWasPutIn) {
  ban({{"192.0.2.7", 1h}, {"198.51.100.0/24", 1h}, {"2001:db8::7", 1h}, {"2001:db8:1:2::/64", 1h}});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.7/32", "198.51.100.0/24", "2001:db8::7/128", "2001:db8:1:2::/64"));
}

TEST_P(Conformance, KeepsTheEnd) {
  ban({{"192.0.2.7", 1h}, {"2001:db8::/64", 30 * 24h}, {"192.0.2.8", 90s}});
  for (const auto& [network, end] : ends()) {
    if (!has_time(end)) continue;  // the backend keeps none
    const Duration asked = network == net("192.0.2.7") ? Duration(1h) : network.prefix == 64 ? 30 * 24h : 90s;
    EXPECT_LT(std::chrono::abs(end - wall_clock() - asked), 3s) << format_network(network);
  }
}

TEST_P(Conformance, GivesABanThatIsThereTheNewEnd) {
  ban({{"192.0.2.7", 1h}, {"192.0.2.8", 1h}});
  ban({{"192.0.2.7", 10h}});
  ban({{"192.0.2.8", 60s}});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.7/32", "192.0.2.8/32"));
  for (const auto& [network, end] : ends())
    if (has_time(end)) {
      EXPECT_LT(std::chrono::abs(end - wall_clock() - (network == net("192.0.2.7") ? Duration(10h) : 60s)), 3s);
    }
}

TEST_P(Conformance, TakesTheLastOfTwoInOneBatch) {
  ban({{"192.0.2.7", 1h}, {"192.0.2.8", 1h}, {"192.0.2.7", 0s}, {"192.0.2.8", 2h}});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.8/32"));
}

TEST_P(Conformance, TakesOutWhatIsOver) {
  ban({{"192.0.2.7", 1h}});
  ban({{"192.0.2.7", -1s}, {"192.0.2.8", -1h}, {"192.0.2.9", 1h}});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.9/32"));
}

TEST_P(Conformance, HoldsABanInsideAnother) {
  ban({{"192.0.2.7", 1h}});
  ban({{"192.0.2.0/24", 2h}});
  ban({{"192.0.2.8", 1h}, {"192.0.2.128/25", 1h}, {"2001:db8::/64", 1h}, {"2001:db8::1", 1h}, {"192.0.2.0", 1h}});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.0/24", "192.0.2.0/32", "192.0.2.7/32", "192.0.2.8/32",
                                           "192.0.2.128/25", "2001:db8::/64", "2001:db8::1/128"));
}

TEST_P(Conformance, TakesOutExactlyWhatIsNamed) {
  ban({{"192.0.2.7", 1h}, {"192.0.2.0/24", 1h}, {"192.0.2.8", 1h}, {"2001:db8::/64", 1h}, {"2001:db8::1", 1h}});
  unban({"192.0.2.7"});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.0/24", "192.0.2.8/32", "2001:db8::/64", "2001:db8::1/128"));
  unban({"192.0.2.0/24", "2001:db8::/64"});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.8/32", "2001:db8::1/128"));
}

TEST_P(Conformance, DoesNotMindToTakeOutWhatIsNotThere) {
  ban({{"192.0.2.0/24", 1h}});
  unban({"192.0.2.7", "198.51.100.0/23", "2001:db8::1", "2001:db8::/33", "192.0.2.7"});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.0/24"));
}

TEST_P(Conformance, TakesEmptyBatches) {
  ban({});
  unban({});
  EXPECT_THAT(held(), IsEmpty());
}

TEST_P(Conformance, TakesEveryLengthOfPrefix) {
  std::vector<Ban> bans;
  const Instant end = wall_clock() + 1h;
  for (int prefix = 8; prefix <= 32; prefix += 3)
    bans.push_back({network_of(Address::v4(0xc6336445), prefix, 0), end, {}});
  for (int prefix = 16; prefix <= 128; prefix += 7)
    bans.push_back({network_of(*parse_address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), 0, prefix), end, {}});
  ASSERT_TRUE(firewall_->ban(bans, wall_clock()));
  std::vector<std::string> want;
  for (const Ban& b : bans) want.push_back(format_network(b.network));
  EXPECT_THAT(held(), testing::UnorderedElementsAreArray(want));
  std::vector<Network> networks;
  for (const Ban& b : bans) networks.push_back(b.network);
  ASSERT_TRUE(firewall_->unban(networks));
  EXPECT_THAT(held(), IsEmpty());
}

TEST_P(Conformance, TakesABatchOfMany) {
  const size_t many = GetParam().backend == "command" ? 100 : 3000;  // one process each
  std::vector<Ban> bans;
  std::vector<Network> half;
  for (uint32_t i = 0; i < many; ++i) {
    bans.push_back({{Address::v4(0x0b000000 + i * 7), 32}, wall_clock() + 1h, "default/many"});
    bans.push_back({{{0x2001'0db8'0000'0000ULL + i, 0}, 64}, wall_clock() + 1h, "default/many"});
    half.push_back(bans.back().network);
  }
  auto done = firewall_->ban(bans, wall_clock());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(held().size(), 2 * many);
  done = firewall_->ban(bans, wall_clock());  // all of them again
  ASSERT_TRUE(done) << done.error().message;
  done = firewall_->unban(half);
  ASSERT_TRUE(done) << done.error().message;
  const auto left = ends();
  EXPECT_EQ(left.size(), many);
  EXPECT_TRUE(std::ranges::all_of(left, [](const auto& entry) { return entry.first.address.is_v4(); }));
}

TEST_P(Conformance, EndsBansIfItSaysSo) {
  ban({{"192.0.2.7", 1s}, {"2001:db8::/64", 1s}, {"192.0.2.8", 1h}});
  std::this_thread::sleep_for(2100ms);
  if (!firewall_->ends_bans()) unban({"192.0.2.7", "2001:db8::/64"});  // else the caller does
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.8/32"));
}

TEST_P(Conformance, CanBePreparedAgain) {
  ban({{"192.0.2.7", 1h}, {"198.51.96.0/21", 1h}});
  ASSERT_TRUE(firewall_->prepare());
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.7/32", "198.51.96.0/21"));
}

// A start of the program: what survives it differs, but all is well once the caller has put in what is missing.
TEST_P(Conformance, AgreesAfterAStart) {
  ban({{"192.0.2.7", 1h}, {"198.51.96.0/21", 1h}, {"2001:db8::/64", 1h}});
  open();
  ban({{"192.0.2.7", 1h}, {"198.51.96.0/21", 1h}, {"2001:db8::/64", 1h}});
  unban({"198.51.96.0/21"});
  EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.7/32", "2001:db8::/64"));
}

// Backends that keep what they hold where another hand can reach it.
class Flushed : public Conformance {};
INSTANTIATE_TEST_SUITE_P(Every, Flushed, testing::ValuesIn(kWorlds, std::end(kWorlds) - kCannotBeFlushed), name_of_row);

// Both ways to notice: by asking, and by the next ban. After it prepare() makes all well.
TEST_P(Flushed, IsNoticedAndMadeWellByPrepare) {
  for (const bool by_asking : {true, false}) {
    ban({{"192.0.2.7", 1h}});
    ASSERT_TRUE(world_->flush());
    const Ban one{net("192.0.2.8"), wall_clock() + 1h, "default/test"};
    if (by_asking) {
      const auto held = firewall_->held(wall_clock());
      EXPECT_TRUE(!held || held->empty());
    } else {
      // A backend whose container is still there takes the ban; else it must say that something is wrong.
      const auto done = firewall_->ban({&one, 1}, wall_clock());
      const auto held = firewall_->held(wall_clock());
      EXPECT_TRUE(done ? held && held->size() == 1 : !done.error().message.empty());
    }
    const auto ready = firewall_->prepare();
    ASSERT_TRUE(ready) << ready.error().message;
    ban({{"192.0.2.7", 1h}, {"192.0.2.8", 1h}});
    EXPECT_THAT(held(), UnorderedElementsAre("192.0.2.7/32", "192.0.2.8/32"));
  }
}

TEST_P(Conformance, RefusesWhatIsNoNetwork) {
  for (const Network& wrong : {Network{*parse_address("192.0.2.7"), 24}, Network{*parse_address("192.0.2.0"), 33},
                               Network{*parse_address("192.0.2.0"), -1}, Network{*parse_address("2001:db8::1"), 64},
                               Network{*parse_address("2001:db8::"), 129}}) {
    const Ban bans[] = {{net("192.0.2.9"), wall_clock() + 1h, {}}, {wrong, wall_clock() + 1h, {}}};
    EXPECT_FALSE(firewall_->ban(bans, wall_clock()));
    EXPECT_FALSE(firewall_->unban({&wrong, 1}));
  }
  EXPECT_THAT(held(), IsEmpty());
}

TEST(Backends, HaveEachAWorldAndASectionOfTheManual) {
  const std::string manual = read_file(std::string(MAILWARD_SOURCE_DATA) + "/docs/firewalls.md");
  for (const std::string_view name : firewall_backends()) {
    EXPECT_GE(std::ranges::count(kWorlds, name, &Row::backend), 1) << name;
    EXPECT_THAT(manual, testing::HasSubstr(fmt::format("\n## {}\n", name)));
  }
}

TEST(Configuration, IsRefusedWithAReason) {
  struct Case {
    void (*break_it)(FirewallConfig&);
    std::string_view says;
  };
  const Case cases[] = {
      {[](FirewallConfig& c) { c.backend = "iptables"; }, "nftables, "},
      {[](FirewallConfig& c) { c.backend = "a\x1b[2J"; }, "\\x1b"},
      {[](FirewallConfig& c) { c.table = ""; }, "firewall.table"},
      {[](FirewallConfig& c) { c.table = "a b"; }, "firewall.table"},
      {[](FirewallConfig& c) { c.table = "a;flush"; }, "firewall.table"},
      {[](FirewallConfig& c) { c.table = "-T"; }, "firewall.table"},
      {[](FirewallConfig& c) { c.table = std::string(32, 'a'); }, "firewall.table"},
      {[](FirewallConfig& c) { c.anchor = "a/*"; }, "firewall.anchor"},
      {[](FirewallConfig& c) { c.ports.some.clear(); }, "firewall.ports"},
      {[](FirewallConfig& c) { c.ports.some = {25, 0}; }, "firewall.ports"},
      {[](FirewallConfig& c) { c.backend = "command"; }, "firewall.command.ban"},
      {[](FirewallConfig& c) { c.backend = "command", c.ban_command = {"block"}; }, "whole path"},
      {[](FirewallConfig& c) { c.backend = "command", c.ban_command = {"/bin/true"}; }, "firewall.command.unban"},
  };
  for (const Case& c : cases) {
    FirewallConfig config;
    c.break_it(config);
    const auto made = make_firewall(config);
    ASSERT_FALSE(made) << c.says;
    EXPECT_THAT(made.error().message, testing::HasSubstr(std::string(c.says)));
  }
  FirewallConfig longest;
  longest.backend = "none";
  longest.table = std::string(31, 'a');
  EXPECT_TRUE(make_firewall(longest));
}

}  // namespace
}  // namespace mailward
