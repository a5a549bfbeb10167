// pf with a stand-in for pfctl (tests/standin/pfctl.py), which refuses what pfctl refuses.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/data_dir.h"
#include "firewall/world.h"

namespace mailward {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class PfWorld : public World {
 public:
  explicit PfWorld(std::string anchor = {}) : anchor_(std::move(anchor)) {
    pf_["tables"][anchor_]["mailward"] = {{"used", true}, {"entries", json::array()}};
    pf_["tables"][""]["spammers"] = {{"used", true}, {"entries", {"192.0.2.7/32", "203.0.113.0/24"}}};
    pf_["states"] = json::array();
    write();
    std::error_code error;
    std::filesystem::create_symlink(std::string(MAILWARD_SOURCE_DATA) + "/tests/standin/pfctl.py",
                                    folder_.path("pfctl"), error);
  }
  std::string missing() override {
    return shell("python3 --version").starts_with("Python 3") ? "" : "python3 is not installed";
  }
  FirewallConfig config() override {
    FirewallConfig config;
    config.backend = "pf";
    config.anchor = anchor_;
    config.pfctl = folder_.path("pfctl");
    return config;
  }
  bool flush() override {
    EXPECT_THAT(admin("-t mailward -T flush"), HasSubstr("addresses deleted"));
    return true;
  }
  std::string others() override { return admin("-t spammers -T show", false); }

  // pfctl as an admin calls it.
  std::string admin(const std::string& arguments, bool in_anchor = true) {
    const std::string anchor = in_anchor && !anchor_.empty() ? " -a " + anchor_ : "";
    return shell(folder_.path("pfctl") + anchor + " " + arguments);
  }
  json& read() { return pf_ = json::parse(read_file(folder_.path("pf.json"))); }
  void write() { std::ofstream(folder_.path("pf.json")) << pf_.dump(); }

 private:
  ScriptFolder folder_;
  std::string anchor_;
  json pf_;
};

Network net(std::string_view text) { return *parse_network(text); }

class PfTest : public testing::TestWithParam<std::string> {
 protected:
  PfTest() : world_(GetParam()), firewall_(std::move(*make_firewall(world_.config()))) {}
  void SetUp() override {
    if (const std::string why = world_.missing(); !why.empty()) GTEST_SKIP() << why;
  }
  Result<void> ban(std::initializer_list<const char*> networks) {
    std::vector<Ban> bans;
    for (const char* text : networks) bans.push_back({net(text), wall_clock() + 1h, {}});
    return firewall_->ban(bans, wall_clock());
  }
  std::vector<std::string> held() {
    std::vector<std::string> networks;
    for (const Held& h : firewall_->held(wall_clock()).value_or(std::vector<Held>()))
      networks.push_back(format_network(h.network));
    return networks;
  }
  PfWorld world_;
  std::unique_ptr<Firewall> firewall_;
};
INSTANTIATE_TEST_SUITE_P(Anchors, PfTest, testing::Values("", "mailward"));

TEST_P(PfTest, KillsTheStatesOfTheNewlyBannedInBothDirections) {
  world_.read()["states"] = {{"in", "198.51.100.1", 25, "192.0.2.7", 4711},
                             {"out", "198.51.100.1", 4712, "192.0.2.7", 25},
                             {"in", "198.51.100.1", 25, "192.0.2.70", 4711},
                             {"in", "2001:db8::1", 143, "2001:db8:5::9", 4711},
                             {"in", "2001:db8::1", 143, "2001:db8:6::9", 4711}};
  world_.write();
  ASSERT_TRUE(ban({"192.0.2.7", "2001:db8:5::/64"}));
  EXPECT_EQ(world_.read()["states"].dump(),
            R"([["in","198.51.100.1",25,"192.0.2.70",4711],["in","2001:db8::1",143,"2001:db8:6::9",4711]])");
  const size_t calls = world_.read()["calls"].size();
  ASSERT_TRUE(ban({"192.0.2.7"}));  // in already: its states were killed when it came
  EXPECT_EQ(world_.read()["calls"].size(), calls + 1);
}

TEST_P(PfTest, AsksForStatesOnceWhenManyAreBanned) {
  world_.read()["states"] = {{"in", "198.51.100.1", 25, "11.0.0.9", 4711},
                             {"in", "2001:db8::1", 25, "2001:db8:5::9", 4}};
  world_.write();
  std::vector<Ban> bans{{net("2001:db8:5::/64"), wall_clock() + 1h, {}}};
  for (uint32_t i = 0; i < 20'500; ++i) bans.push_back({{Address::v4(0x0b000000 + i), 32}, wall_clock() + 1h, {}});
  const auto done = firewall_->ban(bans, wall_clock());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(held().size(), bans.size());
  EXPECT_TRUE(world_.read()["states"].empty());
  EXPECT_LE(world_.read()["calls"].size(), 3U + 3 + 4 + 2);  // batches, states for each, two kills each, held
}

TEST_P(PfTest, LeavesWhatWasMadeByHand) {
  EXPECT_THAT(world_.admin("-t mailward -T add 203.0.113.5 203.0.113.64/26 '!203.0.113.70'"), HasSubstr("3/3"));
  ASSERT_TRUE(ban({"203.0.113.6", "203.0.113.64/26"}));
  const Network out[] = {net("203.0.113.6"), net("203.0.113.7"), net("203.0.113.0/24")};
  ASSERT_TRUE(firewall_->unban(out));
  EXPECT_THAT(held(), UnorderedElementsAre("203.0.113.5/32", "203.0.113.64/26"));  // the exception is no ban
  EXPECT_THAT(world_.admin("-t mailward -T show"), HasSubstr("!203.0.113.70"));
}

TEST_P(PfTest, SaysWhatIsMissingInPfConf) {
  world_.read()["tables"][GetParam()]["mailward"]["used"] = false;  // pfctl -F rules
  world_.write();
  for (const char* how : {"no rule uses it", "it isn't there"}) {
    const auto ready = firewall_->prepare();
    ASSERT_FALSE(ready);
    EXPECT_THAT(ready.error().message, HasSubstr(how));
    EXPECT_THAT(ready.error().message, HasSubstr("block drop in quick from <mailward>"));
    EXPECT_FALSE(firewall_->held(wall_clock()));
    world_.admin("-t mailward -T kill");
  }
  // pfctl would make the table, and all would seem well.
  EXPECT_FALSE(ban({"192.0.2.7"}));
  EXPECT_FALSE(firewall_->prepare());
}

TEST_P(PfTest, PassesOnWhatPfctlRefuses) {
  world_.read()["limit"] = 3;
  world_.write();
  const auto done = ban({"192.0.2.7", "192.0.2.8"});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("Cannot allocate memory"));
  world_.admin("-t mailward -T kill");
  const Network out[] = {net("192.0.2.7")};
  const auto gone = firewall_->unban(out);
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().message, HasSubstr("Table does not exist"));
  FirewallConfig config = world_.config();
  config.pfctl = "/nonexistent/pfctl";
  EXPECT_THAT((*make_firewall(config))->prepare().error().message, HasSubstr("/nonexistent/pfctl"));
}

// The stand-in is only worth something if it says no.
TEST(PfStandIn, RefusesWhatPfctlRefuses) {
  PfWorld world;
  if (const std::string why = world.missing(); !why.empty()) GTEST_SKIP() << why;
  for (const char* wrong :
       {"-t mailward -T add 192.0.2.7/24", "-t mailward -T add 192.0.2", "-t mailward -T add a.example", "-t mailward",
        "-T show", "-t nothing -T show", "-t nothing -T delete 192.0.2.7", "-w", "-t mailward -T show 192.0.2.7",
        "-k 1.2.3.4 -k 1.2.3.4 -k 1.2.3.4", "192.0.2.7", "", "-t mailward -T frobnicate", "-s nothing",
        "-t 12345678901234567890123456789012 -T add 1.2.3.4"})
    EXPECT_THAT(world.admin(std::string(wrong) + " > /dev/null 2>&1; echo $?"), testing::Not("0\n")) << wrong;
  EXPECT_EQ(world.admin("-t mailward -T add 192.0.2.7 > /dev/null 2>&1; echo $?"), "0\n");
}

}  // namespace

std::unique_ptr<World> pf_world() { return std::make_unique<PfWorld>(); }
std::unique_ptr<World> pf_anchor_world() { return std::make_unique<PfWorld>("mailward"); }

}  // namespace mailward
