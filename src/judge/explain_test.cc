// What `explain` says must be what `scan` says, and its numbers must add up.
#include "judge/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "judge/random_world.h"

namespace mailward {
namespace {

using std::string;
using testing::HasSubstr;

Explanation explain(const JudgeConfig& config, const string& address, const std::vector<Happening>& events) {
  Explainer explainer(config, *parse_address(address));
  uint64_t line = 0;
  for (const Happening& h : events) {
    Event e = event_of(h);
    e.line = ++line;
    e.raw = h.user;
    explainer.take(std::span(&e, 1));
  }
  return explainer.finish({});
}

TEST(ExplainOracle, SaysWhatTheJudgeSays) {
  std::mt19937 random(99);
  size_t broken = 0, excused = 0;
  for (int round = 0; round < 120; ++round) {
    SCOPED_TRACE(round);
    JudgeConfig config = random_config(random);
    config.told = Told::kAll;
    const std::vector<Happening> events = random_events(random);
    config.marks = events.size() + 1;
    Judge judge(config);
    for (const Happening& h : events) {
      const Event e = event_of(h);
      judge.take(std::span(&e, 1));
    }
    const Report report = judge.finish({});
    for (const char* address : kAddresses) {
      const Explanation x = explain(config, address, events);
      const auto source = std::find_if(report.sources.begin(), report.sources.end(),
                                       [&](const SourceReport& s) { return s.address == x.address; });
      const bool offender = source != report.sources.end() && source->offender;
      ASSERT_EQ(x.offender, offender);
      std::vector<string> names;
      for (const Verdict& v : x.verdicts) {
        SCOPED_TRACE(v.name + " for " + address + ": " + v.in_words);
        if (v.broken) names.push_back(v.name);
        ASSERT_EQ(v.broken, v.broken && v.most > v.policy.limit && v.kinds >= v.policy.kinds && v.own > 0);
        ASSERT_EQ(!v.broken && v.own > 0 && v.most > v.policy.limit && v.kinds >= v.policy.kinds, !v.excused.empty());
        ASSERT_LE(v.most, v.counted);
        uint64_t sum = 0;
        for (const Evidence& e : v.evidence) sum += e.count;
        ASSERT_EQ(sum, v.evidence_left_out == 0 ? v.most : sum);
        for (const Evidence& e : v.evidence) ASSERT_EQ(e.address, *parse_address(events[e.line - 1].address));
        broken += v.broken;
        excused += !v.excused.empty();
      }
      ASSERT_EQ(names, offender ? source->policies : std::vector<string>());
    }
  }
  EXPECT_GT(broken, 500u);
  EXPECT_GT(excused, 20u);
}

PolicySet one_policy(const string& text) {
  return *parse_policies("[[policy]]\nname = \"p\"\nban = \"7d\"\n" + text, "t.toml", "t");
}

std::vector<Happening> failures(const string& address, const string& user, int n) {
  std::vector<Happening> list;
  for (int i = 0; i < n; ++i) list.push_back({kBegin + i * kHour, address, EventKind::kAuthFailed, user});
  return list;
}

TEST(Explain, TellsWhatIsMissing) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 5\nwindow = \"24h\"\n");
  const Explanation x = explain(config, "192.0.2.1", failures("192.0.2.1", "anna", 4));
  ASSERT_EQ(x.verdicts.size(), 1u);
  EXPECT_FALSE(x.offender);
  EXPECT_TRUE(x.seen);
  EXPECT_THAT(x.verdicts[0].in_words,
              HasSubstr("4 events within 24h, allowed are 5; 2 more within 24h would make it one"));
  EXPECT_EQ(x.verdicts[0].evidence.size(), 4u);
  EXPECT_EQ(x.verdicts[0].evidence[3].line, 4u);
  config.policies = one_policy("events = [\"no_tls\", \"bad_helo\"]\nlimit = 5\nwindow = \"24h\"\n");
  const Explanation nothing = explain(config, "192.0.2.1", failures("192.0.2.1", "anna", 4));
  EXPECT_EQ(nothing.verdicts[0].in_words,
            "no offender: nothing to count (no_tls, bad_helo); more than 5 within 24h would make it one");
}

TEST(Explain, TellsWhichLinesConvicted) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nwindow = \"24h\"\n");
  const Explanation x = explain(config, "192.0.2.1", failures("192.0.2.1", "anna", 4));
  EXPECT_TRUE(x.offender);
  EXPECT_TRUE(x.verdicts[0].broken);
  EXPECT_EQ(x.verdicts[0].name, "t/p");
  EXPECT_EQ(x.verdicts[0].in_words, "offender: 4 events within 24h, allowed are 2: 2 too many");
  EXPECT_EQ(x.verdicts[0].key, "192.0.2.1");
  EXPECT_EQ(x.verdicts[0].at, Instant(Duration(kBegin + 2 * kHour)));
  EXPECT_EQ(x.verdicts[0].evidence.front().line, 1u);
  EXPECT_EQ(x.verdicts[0].evidence.back().user, "anna");
  EXPECT_EQ(x.events.size(), 4u);
  EXPECT_EQ(x.events[1].raw, "anna");
}

TEST(Explain, TellsWhoSpared) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nspare_after_login = \"14d\"\n");
  auto events = failures("192.0.2.1", "anna", 4);
  events.insert(events.begin(), {kBegin - kDay, "192.0.2.1", EventKind::kAuthOk, "anna"});
  const Explanation x = explain(config, "192.0.2.1", events);
  EXPECT_FALSE(x.offender);
  EXPECT_EQ(x.verdicts[0].spared, 4u);
  ASSERT_TRUE(x.verdicts[0].login);
  EXPECT_EQ(x.verdicts[0].login->line, 1u);
  EXPECT_EQ(x.verdicts[0].login->user, "anna");
  EXPECT_THAT(x.verdicts[0].in_words, HasSubstr("4 events not counted because of a login"));
}

TEST(Explain, TellsWhoIsIgnored) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\n");
  ASSERT_TRUE(config.ignore.add("192.0.2.0/24"));
  EXPECT_EQ(explain(config, "192.0.2.1", failures("192.0.2.1", "anna", 4)).ignored_by, "192.0.2.0/24");
  EXPECT_EQ(explain(config, "127.0.0.1", failures("127.0.0.1", "anna", 4)).ignored_by, "loopback");
  EXPECT_EQ(explain(config, "198.51.100.1", failures("192.0.2.1", "anna", 4)).ignored_by, "");
}

TEST(Explain, TellsOfTheOthersOfANetworkAndAUser) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 4\nper = \"network\"\n");
  auto events = failures("192.0.2.1", "anna", 3);
  for (const Happening& h : failures("192.0.2.77", "an\x1b[2Jna", 3)) events.push_back(h);
  const Explanation network = explain(config, "192.0.2.1", events);
  EXPECT_TRUE(network.offender);
  EXPECT_EQ(network.verdicts[0].key, "192.0.2.0/24");
  EXPECT_EQ(network.verdicts[0].own, 3u);
  EXPECT_EQ(network.verdicts[0].most, 6u);

  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nper = \"user\"\n");
  const Explanation user = explain(config, "192.0.2.77", events);
  EXPECT_TRUE(user.offender);
  EXPECT_EQ(user.verdicts[0].key, "an\x1b[2Jna");
  EXPECT_EQ(user.verdicts[0].in_words.find('\x1b'), string::npos);
  events.push_back({kBegin + 100 * kDay, "192.0.2.77", EventKind::kAuthOk, "an\x1b[2Jna"});
  const Explanation owner = explain(config, "192.0.2.77", events);
  EXPECT_FALSE(owner.offender);
  EXPECT_EQ(owner.verdicts[0].excused, "it logged in as that user");
}

TEST(Explain, KnowsNothingOfWhomItNeverSaw) {
  JudgeConfig config;
  config.policies = *load_policies("default");
  const Explanation x = explain(config, "203.0.113.200", failures("192.0.2.1", "anna", 9));
  EXPECT_FALSE(x.seen);
  EXPECT_FALSE(x.offender);
  for (const Verdict& v : x.verdicts) EXPECT_FALSE(v.broken);
  EXPECT_THAT(x.verdicts[0].in_words, HasSubstr("no local domain is known"));
}

}  // namespace
}  // namespace mailward
