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

// They don't change what others tell; and they are passed at a glance.
TEST(Narrow, LinesThatTellThatAllIsWellAreNotHeeded) {
  Grammar g = grammar({R"(
daemon = "t"
versions = "1"
[[program]]
name = "t"
[[rule]]
name = "connect"
line = '{session:hex(16)} connected from {address}'
event = "connect"
session = "open"
[[rule.sample]]
version = "1"
line = "0123456789abcdef connected from 192.0.2.1"
gives = { event = "connect" }
[[rule]]
name = "tls"
line = '{session:hex(16)} tls with {:word}'
event = "tls_started"
session = "in"
[[rule.sample]]
version = "1"
line = "0123456789abcdef tls with x"
gives = { event = "tls_started" }
[[rule]]
name = "old-tls"
line = '{session:hex(16)} old tls from {address}'
event = "tls_started"
session = "in"
[[rule]]
name = "refused"
line = '{session:hex(16)} refused {user:free}'
event = "auth_failed"
session = "in"
[[rule.sample]]
version = "1"
line = "0123456789abcdef refused joe"
gives = { event = "auth_failed" }
)"});
  const auto passes = [&](std::string line) {
    const size_t length = line.size();
    line.append(kMessagePadding, ' ');
    return g.programs().front()->passes(line.data(), line.data() + length);
  };
  g.narrow(bit(EventKind::kAuthFailed));
  EXPECT_TRUE(g.narrowed());
  EXPECT_EQ(heeded(g), (Heeded{{"program t", true},
                               {"connect", true},
                               {"tls", false},
                               {"old-tls", true},  // it may be the first line of a session
                               {"refused", true}}));
  ASSERT_TRUE(g.prepare_all());
  EXPECT_TRUE(passes("fedcba9876543210 tls with y"));
  EXPECT_FALSE(passes("fedcba9876543210 old tls from 192.0.2.1"));
  EXPECT_FALSE(passes("fedcba9876543210 connected from 192.0.2.1"));
  EXPECT_FALSE(passes("fedcba9876543210 refused tls with y"));
  EXPECT_FALSE(passes(""));
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
