// The live judge against the one that judges whole logs: after each event, who is banned is who would be
// an offender had the log ended there.
#include "judge/live.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "judge/random_world.h"

namespace mailward {
namespace {

class MapStore : public MemoryStore {
 public:
  Memory& neighbourhood(const Network& n) override { return homes[n]; }
  Memory& user(uint32_t hash) override { return users[hash]; }
  const Memory& look_at_user(uint32_t hash) override { return users[hash]; }
  std::vector<Network> who_tried(uint16_t) override {
    std::vector<Network> all;
    for (const auto& [network, memory] : homes) all.push_back(network);
    return all;
  }
  void add_pardon(const Network& n, Instant at) override { pardons.emplace_back(n, at); }
  Instant pardoned(Address a) const override {
    Instant last = kNoInstant;
    for (const auto& [network, at] : pardons)
      if (contains(network, a)) last = std::max(last, at);
    return last;
  }
  std::vector<Network> banned_in(const Network& within, Instant at) override {
    std::vector<Network> found;
    for (const auto& [network, memory] : homes)
      for (const LiveBan& b : memory.bans)
        if (b.until > at && contains(within, b.network.address) && b.network.prefix >= within.prefix)
          found.push_back(b.network);
    return found;
  }
  std::map<Network, Memory> homes;
  std::map<uint32_t, Memory> users;
  std::vector<std::pair<Network, Instant>> pardons;
};

std::set<Address> offenders(const JudgeConfig& config, const std::vector<Happening>& told, size_t until) {
  JudgeConfig whole = config;
  whole.told = Told::kOffenders;
  Judge judge(whole);
  std::vector<Event> events;
  for (size_t i = 0; i < until; ++i) events.push_back(event_of(told[i]));
  judge.take(events);
  std::set<Address> found;
  for (const SourceReport& s : judge.finish({}).sources)
    if (s.offender) found.insert(s.address);
  return found;
}

std::string told(const Happening& t) {
  return fmt::format("{} {} {} {} x{}{}{}", (t.time - kBegin) / 1'000'000, t.address, name_of(t.kind), t.user, t.count,
                     t.unknown ? " unknown" : "", t.mild ? " mild" : "");
}

std::string told(const JudgeConfig& config) {
  std::string out;
  for (const Policy& p : config.policies.policies)
    out += fmt::format(
        "\n{} {} per {} when {} limit {} kinds {} addresses {} window {} spare {} clients {} senders {} mild {} people "
        "{}{} /{} /{}",
        p.name, describe_kinds(p.events), name_of(p.per), name_of(p.when), p.limit, p.kinds, p.addresses,
        format_duration(p.window), format_duration(p.spare), format_duration(p.spare_clients), p.spare_senders,
        p.spare_mild, p.spare_people, p.needs_domains ? " needs domains" : "", p.prefix4, p.prefix6);
  return out;
}

TEST(LiveJudge, SaysAfterEachEventWhatTheJudgeOfAWholeLogWouldSay) {
  std::mt19937 random(20261122);
  size_t banned_in_all = 0;
  const int rounds = std::getenv("MAILWARD_SOAK") ? 5'000 : 200;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    JudgeConfig config = random_config(random);
    for (Policy& p : config.policies.policies) p.ban = std::chrono::days(10'000);
    std::vector<Happening> events = random_events(random);
    std::erase_if(events, [](const Happening& t) { return t.time == INT64_MIN; });
    std::stable_sort(events.begin(), events.end(),
                     [](const Happening& a, const Happening& b) { return a.time < b.time; });
    MapStore store;
    LiveJudge live(config, store);
    std::vector<LiveChange> changes;
    std::set<Network> banned;
    for (size_t i = 0; i < events.size(); ++i) {
      changes.clear();
      live.take(event_of(events[i]), changes);
      for (const LiveChange& c : changes) {
        if (c.what == LiveChange::What::kBan)
          ASSERT_TRUE(banned.insert(c.ban.network).second);
        else
          ASSERT_EQ(banned.erase(c.ban.network), 1U);
      }
      const std::set<Address> expected = offenders(config, events, i + 1);
      const auto keeps_out = [&](Address a) {
        return std::any_of(banned.begin(), banned.end(), [&](const Network& n) { return contains(n, a); });
      };
      const auto where = [&] { return fmt::format("after event {}: {}{}", i, told(events[i]), told(config)); };
      for (const Address a : expected) ASSERT_TRUE(keeps_out(a)) << format_address(a) << " " << where();
      for (const Network& n : banned)
        ASSERT_TRUE(std::any_of(expected.begin(), expected.end(), [&](Address a) { return contains(n, a); }))
            << format_network(n) << " " << where();
      banned_in_all += changes.size();
    }
  }
  EXPECT_GT(banned_in_all, 300U);
}

// ---------------------------------------------------------------- tables

// "t address user" in minutes and by an address's last number; a user with '+' before it logs in; "t network !" is a
// pardon.
std::string bans_of(const std::string& policies, const std::vector<std::string>& lines) {
  JudgeConfig config;
  const auto set = parse_policies(policies, "t.toml", "t");
  EXPECT_TRUE(set) << set.error().message;
  config.policies = *set;
  MapStore store;
  LiveJudge live(config, store);
  std::vector<LiveChange> changes;
  for (const std::string& line : lines) {
    Happening t;
    const size_t first = line.find(' '), second = line.find(' ', first + 1);
    t.time = kBegin + std::stol(line.substr(0, first)) * 60'000'000;
    t.address = "192.0.2." + line.substr(first + 1, second - first - 1);
    t.user = line.substr(second + 1);
    if (t.user == "!") {
      live.pardon(*parse_network(t.address), Instant(Duration(t.time)), changes);
      continue;
    }
    t.kind = t.user.starts_with('+') ? EventKind::kAuthOk : EventKind::kAuthFailed;
    if (t.user.starts_with('+')) t.user.erase(0, 1);
    live.take(event_of(t), changes);
  }
  const auto minutes = [](Instant t) { return (t.time_since_epoch().count() - kBegin) / 60'000'000; };
  std::string told;
  for (const LiveChange& c : changes)
    told += fmt::format("{}{} {}-{} x{} {}. ", c.what == LiveChange::What::kBan ? "" : "not ",
                        format_address(c.ban.network.address).substr(8), minutes(c.ban.since), minutes(c.ban.until),
                        c.ban.count, c.ban.nth);
  return told;
}

TEST(LiveJudge, BansLastAsThePolicySays) {
  const std::string hour =
      "[[policy]]\nname = \"p\"\nevents = [\"auth_failed\"]\nlimit = 2\nwindow = \"1h\"\nban = \"1h\"\nrepeat = 2.0\n";
  const std::string forgiving = hour + "forgive = \"3h\"\n";
  const std::string whole = "[[policy]]\nname = \"p\"\nevents = [\"auth_failed\"]\nlimit = 1\nban = \"10m\"\n";
  const std::string spray =
      "[[policy]]\nname = \"p\"\nper = \"user\"\nevents = [\"auth_failed\"]\nlimit = 2\naddresses = 2\nwindow = "
      "\"1h\"\nban = \"1h\"\nspare_people = 1\n";
  struct Row {
    const char* what;
    const std::string& policy;
    std::vector<std::string> lines;
    const char* bans;
  };
  const Row table[] = {
      {"too few", hour, {"0 1 a", "1 1 a"}, ""},
      {"too slow", hour, {"0 1 a", "30 1 a", "60 1 a", "90 1 a"}, ""},
      {"the third", hour, {"0 1 a", "1 1 a", "2 1 a"}, "1 2-62 x3 1. "},
      {"while it lasts nothing is added", hour, {"0 1 a", "1 1 a", "2 1 a", "3 1 a", "50 1 a"}, "1 2-62 x3 1. "},
      {"what came during it counts after it",
       hour,
       {"0 1 a", "1 1 a", "2 1 a", "40 1 a", "50 1 a", "62 1 a"},
       "1 2-62 x3 1. 1 62-182 x3 2. "},
      {"a second one is twice as long",
       hour,
       {"0 1 a", "1 1 a", "2 1 a", "70 1 a", "71 1 a", "72 1 a", "73 1 a"},
       "1 2-62 x3 1. 1 72-192 x3 2. "},
      {"too early to be forgiven",
       forgiving,
       {"0 1 a", "1 1 a", "2 1 a", "239 1 a", "240 1 a", "241 1 a"},
       "1 2-62 x3 1. 1 241-361 x3 2. "},
      {"forgiven: the next is the first",
       forgiving,
       {"0 1 a", "1 1 a", "2 1 a", "240 1 a", "241 1 a", "242 1 a"},
       "1 2-62 x3 1. 1 242-302 x3 1. "},
      {"pardoned: what was before is no evidence any more",
       hour,
       {"0 1 a", "1 1 a", "2 1 a", "3 1 !", "4 1 a", "5 1 a"},
       "1 2-62 x3 1. not 1 2-62 x3 1. "},
      {"pardoned, and the same again",
       hour,
       {"0 1 a", "1 1 a", "2 1 a", "3 1 !", "4 1 a", "5 1 a", "6 1 a"},
       "1 2-62 x3 1. not 1 2-62 x3 1. 1 6-66 x3 1. "},
      {"a whole network is pardoned, whoever was banned there",
       hour,
       {"0 1 a", "0 2 a", "1 1 a", "1 2 a", "2 1 a", "2 0/28 !", "3 1 a", "4 2 a", "4 20 a"},
       "1 2-62 x3 1. not 1 2-62 x3 1. "},
      {"a name: who was pardoned takes part by what he does afterwards",
       spray,
       {"0 1 a", "1 2 a", "3 3 a", "4 2 !", "5 4 a", "6 2 a"},
       "1 3-63 x3 1. 2 3-63 x3 1. 3 3-63 x3 1. not 2 3-63 x3 1. 4 5-65 x4 1. 2 6-66 x5 1. "},
      {"others have their own", hour, {"0 1 a", "1 2 a", "2 1 a", "3 2 a", "4 2 a"}, "2 4-64 x3 1. "},
      {"the whole log: each further one after the end",
       whole,
       {"0 1 a", "1 1 a", "5 1 a", "11 1 a", "30 1 a"},
       "1 1-11 x2 1. 1 11-21 x4 2. 1 30-40 x5 3. "},
      {"a name: who took part", spray, {"0 1 a", "1 2 a", "2 3 b", "3 3 a"}, "1 3-63 x3 1. 2 3-63 x3 1. 3 3-63 x3 1. "},
      {"a name: its owner logs in, and each of these may be he",
       spray,
       {"0 1 a", "1 2 a", "3 3 a", "4 9 +a"},
       "1 3-63 x3 1. 2 3-63 x3 1. 3 3-63 x3 1. not 1 3-63 x3 1. not 2 3-63 x3 1. not 3 3-63 x3 1. "},
  };
  for (const Row& row : table) EXPECT_EQ(bans_of(row.policy, row.lines), row.bans) << row.what;
}

}  // namespace
}  // namespace mailward
