// What is desired, and a firewall that fails, forgets and is changed by other hands: in the end they are the same.
#include "daemon/enforcer.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace mailward {
namespace {

struct Wall {
  std::mutex mutex;
  std::map<Network, Instant> held;
  bool down = false, ends = true, shared = false;
  bool hides = false;       // held() tells nothing
  bool fails_once = false;  // the next change
  int looks = 0;
};

class Pretended final : public Firewall {
 public:
  explicit Pretended(std::shared_ptr<Wall> wall) : wall_(std::move(wall)) {}
  std::string_view name() const override { return "pretended"; }
  bool ends_bans() const override { return wall_->ends; }
  bool is_shared() const override { return wall_->shared; }
  Result<void> prepare() override { return up(); }
  Result<std::vector<Held>> held(Instant) override {
    const std::lock_guard lock(wall_->mutex);
    ++wall_->looks;
    std::vector<Held> all;
    for (const auto& [network, until] : wall_->held)
      if (!wall_->hides) all.push_back({network, until});
    return all;
  }

 private:
  Result<void> up() const {
    const std::lock_guard lock(wall_->mutex);
    if (wall_->down) return fail("it is down");
    return {};
  }
  Result<void> put_in(std::span<const Ban> bans, Instant) override {
    if (auto good = up(); !good) return good;
    const std::lock_guard lock(wall_->mutex);
    for (const Ban& b : bans) wall_->held[b.network] = b.until;
    return {};
  }
  Result<void> take_out(std::span<const Network> networks) override {
    if (auto good = up(); !good) return good;
    const std::lock_guard lock(wall_->mutex);
    if (std::exchange(wall_->fails_once, false)) return fail("not this time");
    for (const Network& n : networks) wall_->held.erase(n);
    return {};
  }
  std::shared_ptr<Wall> wall_;
};

class EnforcerTest : public testing::Test {
 protected:
  void SetUp() override { uv_loop_init(&loop_); }
  void TearDown() override {
    enforcer_.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }
  void make(size_t brake = 1000) {
    Enforcer::Options options;
    options.most_a_minute = brake;
    options.now = [this] { return now_; };
    options.guard = [] { return Result<Guard>(Guard({{*parse_network("203.0.113.0/24"), "on the list"}})); };
    Enforcer::Told told;
    told.refused = [this](const Network& n, const std::string& why) { refused_[n] = why; };
    told.strays = [this](const std::vector<Network>& all) { strays_.insert(all.begin(), all.end()); };
    told.health = [this](const FirewallHealth& h) { health_ = h; };
    told.settled = [this] { settled_ = true; };
    enforcer_ =
        std::make_unique<Enforcer>(&loop_, std::make_unique<Pretended>(wall_), std::move(options), std::move(told));
  }
  // Until it says that nothing is left, or fails.
  void settle() {
    settled_ = false;
    for (int i = 0; i < 2000 && !settled_; ++i) {
      uv_run(&loop_, UV_RUN_NOWAIT);
      uv_sleep(1);
    }
    EXPECT_TRUE(settled_);
  }
  void desire(const char* network, int seconds = 3600) {
    enforcer_->desire(*parse_network(network), now_ + std::chrono::seconds(seconds), "p/x");
  }
  std::set<std::string> held() {
    std::set<std::string> all;
    for (const auto& [network, until] : wall_->held) all.insert(format_network(network));
    return all;
  }
  using Set = std::set<std::string>;

  uv_loop_t loop_{};
  Instant now_{std::chrono::hours(24 * 365 * 50)};
  std::shared_ptr<Wall> wall_ = std::make_shared<Wall>();
  std::unique_ptr<Enforcer> enforcer_;
  std::map<Network, std::string> refused_;
  std::set<Network> strays_;
  FirewallHealth health_;
  bool settled_ = false;
};

TEST_F(EnforcerTest, StraysGoWhenThePresentIsReachedAndNotBefore) {
  wall_->held[*parse_network("192.0.2.9/32")] = now_ + std::chrono::hours(1);
  make();
  desire("192.0.2.1");
  EXPECT_TRUE(held().contains("192.0.2.9/32") && held().size() == 1);
  enforcer_->all_desired();
  settle();
  EXPECT_EQ(held(), (Set{"192.0.2.1/32", "192.0.2.9/32"}));
  desire("198.51.100.0/24");
  enforcer_->take_out_strays();
  settle();
  EXPECT_EQ(held(), (Set{"192.0.2.1/32", "198.51.100.0/24"}));
  enforcer_->release(*parse_network("192.0.2.1/32"));
  settle();
  EXPECT_EQ(held(), (Set{"198.51.100.0/24"}));
}

TEST_F(EnforcerTest, OfASharedTableOnlyOursGo) {
  wall_->shared = true;
  wall_->held[*parse_network("192.0.2.8/32")] = now_ + std::chrono::hours(1);
  wall_->held[*parse_network("192.0.2.9/32")] = now_ + std::chrono::hours(1);
  make();
  enforcer_->all_desired();
  enforcer_->take_out_strays();
  for (int i = 0; i < 2000 && strays_.empty(); ++i) {
    uv_run(&loop_, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  EXPECT_EQ(strays_.size(), 2U);
  EXPECT_EQ(held().size(), 2U);
  EXPECT_FALSE(settled_);  // until the question has its answer
  enforcer_->ours({*parse_network("192.0.2.9/32")});
  settle();
  EXPECT_EQ(held(), (Set{"192.0.2.8/32"}));
}

TEST_F(EnforcerTest, AGuardRefusesUnlessSomebodyInsists) {
  make();
  enforcer_->all_desired();
  desire("203.0.113.7");
  desire("127.0.0.1");
  desire("192.0.0.0/16");
  settle();
  EXPECT_EQ(held(), Set{});
  EXPECT_EQ(refused_.size(), 3U);
  enforcer_->desire(*parse_network("203.0.113.7/32"), now_ + std::chrono::hours(1), "manual", true);
  settle();
  EXPECT_EQ(held(), (Set{"203.0.113.7/32"}));
}

TEST_F(EnforcerTest, WhatFailedIsDoneWhenTheFirewallIsUpAgain) {
  make();
  enforcer_->all_desired();
  settle();
  wall_->down = true;
  desire("192.0.2.1");
  for (int i = 0; i < 500 && health_.trouble.empty(); ++i) {
    uv_run(&loop_, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  EXPECT_EQ(health_.trouble, "it is down");
  desire("192.0.2.2");
  enforcer_->release(*parse_network("192.0.2.1/32"));
  EXPECT_EQ(held(), Set{});
  wall_->down = false;
  settle();
  EXPECT_EQ(held(), (Set{"192.0.2.2/32"}));
  EXPECT_EQ(health_.trouble, "");
}

// As after a new start: the ledger knows that he was let in, the firewall can't be asked whether he is.
TEST_F(EnforcerTest, ALettingInThatFailedIsTriedAgain) {
  make();
  wall_->hides = true;
  wall_->held[*parse_network("192.0.2.1/32")] = now_ + std::chrono::hours(1);
  enforcer_->release(*parse_network("192.0.2.1/32"));
  wall_->fails_once = true;
  enforcer_->all_desired();
  settle();
  EXPECT_EQ(held(), Set{});
}

TEST_F(EnforcerTest, TheBrakeHoldsBackWhatIsNewAndNotWhatTheLedgerHad) {
  make(2);
  for (int i = 1; i <= 5; ++i) desire(("192.0.2." + std::to_string(i)).c_str());
  enforcer_->all_desired();
  settle();
  EXPECT_EQ(held().size(), 5U);
  for (int i = 1; i <= 5; ++i) desire(("198.51.100." + std::to_string(i)).c_str());
  for (int i = 0; i < 100; ++i) {
    uv_run(&loop_, UV_RUN_NOWAIT);
    uv_sleep(1);
  }
  EXPECT_EQ(held().size(), 7U);
  EXPECT_EQ(health_.waiting, 3U);
}

TEST_F(EnforcerTest, WhereTheKernelKeepsNoTimeBansAreTakenOut) {
  wall_->ends = false;
  make();
  desire("192.0.2.1", 1);
  desire("192.0.2.2", 1000);
  desire("192.0.2.3", -5);
  enforcer_->all_desired();
  settle();
  EXPECT_EQ(held(), (Set{"192.0.2.1/32", "192.0.2.2/32"}));
  now_ += std::chrono::seconds(2);
  settle();
  EXPECT_EQ(held(), (Set{"192.0.2.2/32"}));
}

TEST_F(EnforcerTest, ALaterEndReplacesTheOneBefore) {
  make();
  enforcer_->all_desired();
  desire("192.0.2.1", 100);
  settle();
  desire("192.0.2.1", 500);
  settle();
  EXPECT_EQ(wall_->held.begin()->second, now_ + std::chrono::seconds(500));
}

}  // namespace
}  // namespace mailward
