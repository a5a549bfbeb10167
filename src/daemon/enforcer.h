// Makes the firewall equal to what is desired, and keeps it so: in the helper, which has the rights. It decides
// nothing about attackers; but it checks each ban once more by itself (Guard, a brake by the clock), whoever asks.
//
// Calls of the firewall wait for it, so they are made on libuv's pool, one at a time; all else happens on the
// loop's thread. What fails is repaired in one way: prepare, ask what is held, put in and take out the difference
// (firewall.h), again with growing pauses.
#pragma once

#include <uv.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/protocol.h"
#include "firewall/firewall.h"
#include "firewall/guard.h"

namespace mailward {

struct NetworkHash {
  size_t operator()(const Network& n) const {
    return hash_address(n.address) ^ static_cast<size_t>(n.prefix) * 0x9e3779b97f4a7c15ULL;
  }
};

class Enforcer {
 public:
  struct Told {
    std::function<void(const Network&, const std::string& why)> refused;
    std::function<void(const std::vector<Network>&)> strays;  // of a table that others use too: whose are they?
    std::function<void(const FirewallHealth&)> health;        // when it changed
    std::function<void()> settled;                            // nothing is left to be done
  };
  struct Options {
    size_t most_a_minute = 10'000;         // new ones, by the clock
    std::function<Instant()> now;          // the clock
    std::function<Result<Guard>()> guard;  // as the host is now; asked once a second at most
  };
  Enforcer(uv_loop_t* loop, std::unique_ptr<Firewall> firewall, Options options, Told told);
  // What runs is waited for. What libuv holds is given back in the next rounds of the loop.
  ~Enforcer();
  Enforcer(const Enforcer&) = delete;
  Enforcer& operator=(const Enforcer&) = delete;

  // Keep it out until then; another end replaces the one before.
  // `forced`: the guard isn't asked, for somebody insisted.
  void desire(const Network& network, Instant until, std::string_view reason, bool forced = false);
  void release(const Network& network);
  // What was desired so far is all that was ever: the firewall is looked at, what is missing is put in. The brake
  // holds from here on.
  void all_desired();
  // From now on what the firewall holds and nobody desires goes; of a shared table what ours() names.
  void take_out_strays();
  void ours(const std::vector<Network>& networks);
  // Told::settled once more, if it holds.
  void say_if_settled() {
    if (settled_) told_.settled();
  }

  const FirewallHealth& health() const { return health_; }
  const Firewall& firewall() const { return *firewall_; }

 private:
  struct Wanted {
    Instant until;
    uint16_t reason = 0;
    bool queued = false;
  };
  struct Job;

  void queue(const Network& network);
  void go_on();
  void start(std::unique_ptr<Job> job);
  void done(Job& job);
  void looked(Job& job);
  void failed(const Job& job);
  void let_through();
  void forget_over();
  void arm();
  void tell();
  const Guard* guard();
  std::optional<std::string> refuses(const Network& network);

  uv_loop_t* loop_;
  std::shared_ptr<Firewall> firewall_;
  Options options_;
  Told told_;
  uv_timer_t* timer_;
  std::unordered_map<Network, Wanted, NetworkHash> wanted_;
  std::unordered_set<Network, NetworkHash> leaving_;
  std::deque<Network> todo_;
  std::deque<Network> held_back_;
  std::vector<std::string> reasons_{""};
  using End = std::pair<Instant, Network>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool running_ = false, must_look_ = false, begun_ = false, strays_go_ = false, settled_ = false;
  size_t asked_ = 0;  // questions about strays that have no answer yet
  Brake brake_;
  std::unique_ptr<Guard> guard_;
  std::string guard_trouble_;
  Instant guard_made_ = kNoInstant;
  FirewallHealth health_, told_health_;
  std::chrono::steady_clock::time_point next_look_{}, retry_{};
  std::chrono::milliseconds pause_{0};
};

}  // namespace mailward
