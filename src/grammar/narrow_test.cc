// Which rules are heeded when only some events are of use.
#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grammar/grammar.h"

namespace mailward {
namespace {

constexpr const char* kRules = R"(
daemon = "t"
versions = "1"
[[program]]
name = "server"
group = "t"
[[program]]
name = "queue"
group = "t"
[[rule]]
name = "connect"
program = "server"
line = 'connect {address}'
event = "connect"
session = "open"
[[rule]]
name = "refused"
program = "server"
line = 'refused {user:word}'
event = "auth_failed"
[[rule]]
name = "known"
program = "server"
line = 'known'
[[rule]]
name = "taken"
program = "server"
line = '{queue:word} from {address}'
session = "open"
[[rule]]
name = "listed"
program = "server"
line = 'listed {address}'
event = "dnsbl"
[[rule]]
name = "content"
program = "queue"
line = '{queue:word} bad'
event = "content_rejected"
address = "session"
session = "end"
)";

Grammar grammar(std::initializer_list<const char*> texts = {kRules}) {
  std::vector<RuleFile> files;
  for (const char* text : texts) {
    auto file = parse_rule_file(text, "file " + std::to_string(files.size()));
    EXPECT_TRUE(file) << file.error().message;
    files.push_back(std::move(*file));
  }
  auto made = Grammar::compile(std::move(files));
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

std::map<std::string, bool> heeded(const Grammar& g) {
  std::map<std::string, bool> all;
  for (const auto& p : g.programs()) {
    all["program " + p->name] = p->heeded;
    for (const RuleMeaning& m : p->meanings) all[m.rule->name] = m.heeded;
  }
  return all;
}

using Heeded = std::map<std::string, bool>;

TEST(Narrow, NothingIsLeftOutUnasked) {
  EXPECT_EQ(heeded(grammar()), (Heeded{{"program server", true},
                                       {"program queue", true},
                                       {"connect", true},
                                       {"refused", true},
                                       {"known", false},
                                       {"taken", true},
                                       {"listed", true},
                                       {"content", true}}));
}

// A login is charged to who connected; messages on their way are nothing to it.
TEST(Narrow, SessionsOfOtherKeysAreNotFollowed) {
  Grammar g = grammar();
  g.narrow(bit(EventKind::kAuthFailed));
  EXPECT_EQ(heeded(g), (Heeded{{"program server", true},
                               {"program queue", false},
                               {"connect", true},
                               {"refused", true},
                               {"known", false},
                               {"taken", false},
                               {"listed", false},
                               {"content", false}}));
}

TEST(Narrow, SessionsOfTheSameKeyAre) {
  Grammar g = grammar();
  g.narrow(bit(EventKind::kContentRejected));
  EXPECT_EQ(heeded(g), (Heeded{{"program server", true},
                               {"program queue", true},
                               {"connect", false},
                               {"refused", false},
                               {"known", false},
                               {"taken", true},
                               {"listed", false},
                               {"content", true}}));
}

// A line is a copy where it equals the line before that may come twice: all of those count.
TEST(Narrow, LinesThatComeTwiceAreHeededTogether) {
  Grammar g = grammar({R"(
daemon = "t"
versions = "1"
[[program]]
name = "t"
[[rule]]
name = "refused"
line = 'refused {address}'
event = "auth_failed"
twice = true
[[rule]]
name = "relay"
line = 'relay {address}'
event = "relay_denied"
twice = true
[[rule]]
name = "listed"
line = 'listed {address}'
event = "dnsbl"
)"});
  g.narrow(bit(EventKind::kAuthFailed));
  EXPECT_EQ(heeded(g), (Heeded{{"program t", true}, {"refused", true}, {"relay", true}, {"listed", false}}));
  g.narrow(bit(EventKind::kDnsbl));
  EXPECT_EQ(heeded(g), (Heeded{{"program t", true}, {"refused", false}, {"relay", false}, {"listed", true}}));
}

// What another file may put into the group is not known until it is read.
TEST(Narrow, SharedGroupsAreFollowedWhole) {
  Grammar g = grammar({kRules, R"(
daemon = "u"
versions = "1"
[[program]]
name = "u"
group = "t"
[[rule]]
name = "u"
line = '{queue:word} refused'
event = "auth_failed"
address = "session"
session = "in"
)"});
  g.narrow(bit(EventKind::kAuthFailed));
  const Heeded told = heeded(g);
  EXPECT_TRUE(told.at("taken") && told.at("content") && told.at("program queue"));
  EXPECT_FALSE(told.at("listed"));
}

}  // namespace
}  // namespace mailward
