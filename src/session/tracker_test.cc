// Sessions: who lends an address to whom, what counts once, and that a log that is read in pieces
// tells what it tells when it is read in order.
#include "session/tracker.h"

#include <gtest/gtest.h>

#include <random>

#include "session/samples.h"

namespace mailward {
namespace {

constexpr const char* kRules = R"(
daemon = "t"
versions = "1"
[[program]]
name = "t"
[[rule]]
name = "connect"
line = 'connect {session:word} {address}'
event = "connect"
session = "open"
[[rule]]
name = "refused"
line = '{session:word} refused {user:word}'
event = "auth_failed"
attempt = "refused"
vis = ["user"]
[[rule]]
name = "echo"
line = '{session:word} said 535'
event = "auth_failed"
attempt = "echo"
[[rule]]
name = "tally"
line = '{session:word} tried {count} times'
event = "auth_failed"
attempt = "tally"
[[rule]]
name = "hint"
line = '{session:word} unknown user {user:word}'
event = "auth_failed"
attempt = "hint"
hint = true
[[rule]]
name = "tls"
line = '{session:word} tls'
event = "tls_started"
session = "in"
[[rule]]
name = "bye"
line = '{session:word} bye'
event = "disconnect"
session = "end"
[[rule]]
name = "rcpt"
line = '{queue:word}: no {recipient:word}'
event = "unknown_recipient"
session = "wait"
[[rule]]
name = "from"
line = '{queue:word}: relay {address}'
session = "end"
[[rule]]
name = "by-pid"
line = 'failed {user:word} from {address}'
event = "auth_failed"
session = "in"
attempt = "refused"
[[rule]]
name = "by-pid-announced"
line = 'unknown {user:word} from {address}'
event = "auth_failed"
attempt = "hint"
hint = true
[[rule]]
name = "by-pid-opened"
line = 'hello {address}'
event = "connect"
session = "open"
[[rule]]
name = "by-pid-closed"
line = 'closed'
event = "dropped"
session = "end"
[[rule]]
name = "rejected-twice"
line = 'rejected {user:word} of {address}'
event = "rejected"
twice = true
)";

struct Line {
  std::string text;
  uint32_t pid = 0;
  int64_t second = 0;
};

class Sessions : public ::testing::Test {
 protected:
  void SetUp() override {
    auto file = parse_rule_file(kRules, "test.toml");
    ASSERT_TRUE(file) << file.error().message;
    std::vector<RuleFile> files;
    files.push_back(std::move(*file));
    auto grammar = Grammar::compile(std::move(files));
    ASSERT_TRUE(grammar) << grammar.error().message;
    grammar_ = std::make_unique<Grammar>(std::move(*grammar));
    auto ready = grammar_->prepare_all();
    ASSERT_TRUE(ready) << ready.error().message;
  }

  void feed(Tracker& tracker, const Line& line, uint64_t number, Batch& out) {
    if (line.text == "LOSS") return tracker.lose("h", out);
    const std::string padded = line.text + std::string(kMessagePadding, '\0');
    Record record;
    record.time = Instant{std::chrono::seconds(line.second)};
    record.host = "h";
    record.pid = line.pid;
    record.message = {padded.data(), line.text.size()};
    const ProgramRules& rules = *grammar_->programs().front();
    Match match;
    const RuleMeaning* meaning = rules.explain(padded.data(), padded.data() + line.text.size(), match);
    ASSERT_NE(meaning, nullptr) << line.text;
    LineContext where{&record};
    where.host = hash_host(record.host);
    where.line = number;
    tracker.take(where, *meaning, match, out);
  }

  static std::string show(const Batch& batch) {
    std::string s;
    for (const Event& e : batch.events) {
      s += std::string(name_of(e.kind)) + " " + format_address(e.address) + " " + std::string(e.user()) + " x" +
           std::to_string(e.count) + " line " + std::to_string(e.line) + "\n";
    }
    return s;
  }

  std::string in_order(const std::vector<Line>& lines, TrackerFigures* figures = nullptr) {
    Tracker tracker({}, Tracker::Mode::kInOrder);
    Batch out;
    for (size_t i = 0; i < lines.size(); ++i) feed(tracker, lines[i], i + 1, out);
    tracker.finish(out);
    if (figures) *figures = tracker.figures();
    return show(out);
  }

  // The same log cut at `cuts`, each piece read ahead by a tracker of its own and joined.
  std::string in_pieces(const std::vector<Line>& lines, const std::vector<size_t>& cuts, TrackerFigures* figures) {
    Tracker whole({}, Tracker::Mode::kInOrder);
    std::string all;
    size_t begin = 0;
    for (size_t end : cuts) {
      Tracker ahead({}, Tracker::Mode::kAhead);
      Batch part, out;
      for (size_t i = begin; i < end; ++i) feed(ahead, lines[i], i - begin + 1, part);
      EXPECT_TRUE(whole.can_join(part, ahead));
      whole.join(part, ahead, begin, out);
      all += show(out);
      begin = end;
    }
    Batch out;
    whole.finish(out);
    *figures = whole.figures();
    return all + show(out);
  }

  std::unique_ptr<Grammar> grammar_;
};

TEST_F(Sessions, AnEventGetsTheAddressOfItsSession) {
  EXPECT_EQ(in_order({{"connect a 192.0.2.1"}, {"connect b 192.0.2.2"}, {"a refused joe"}, {"b refused j\\040x"}}),
            "connect 192.0.2.1  x1 line 1\nconnect 192.0.2.2  x1 line 2\nauth_failed 192.0.2.1 joe x1 line "
            "3\nauth_failed 192.0.2.2 j x x1 line 4\n");
}

TEST_F(Sessions, NobodyIsChargedWithoutASession) {
  EXPECT_EQ(in_order({{"a refused joe"}, {"a said 535"}, {"a bye"}}), "");
  EXPECT_EQ(in_order({{"connect a 192.0.2.1"}, {"a bye"}, {"a refused joe"}}),
            "connect 192.0.2.1  x1 line 1\ndisconnect 192.0.2.1  x1 line 2\n");
}

TEST_F(Sessions, OneAttemptCountsOnce) {
  EXPECT_EQ(
      in_order(
          {{"connect a 192.0.2.1"}, {"a refused joe"}, {"a said 535"}, {"a said 535"}, {"a tried 5 times"}, {"a bye"}}),
      "connect 192.0.2.1  x1 line 1\nauth_failed 192.0.2.1 joe x1 line 2\nauth_failed 192.0.2.1  x1 line "
      "4\nauth_failed 192.0.2.1  x3 line 5\ndisconnect 192.0.2.1  x1 line 6\n");
}

TEST_F(Sessions, AHintIsTheEventWhereNothingElseComes) {
  EXPECT_EQ(in_order({{"connect a 192.0.2.1"}, {"a unknown user joe"}, {"a bye"}}),
            "connect 192.0.2.1  x1 line 1\ndisconnect 192.0.2.1  x1 line 3\nauth_failed 192.0.2.1 joe x1 line 2\n");
  EXPECT_EQ(in_order({{"connect a 192.0.2.1"}, {"a unknown user joe"}, {"a refused joe"}}),
            "connect 192.0.2.1  x1 line 1\nauth_failed 192.0.2.1 joe x1 line 3\n");
  EXPECT_EQ(in_order({{"connect a 192.0.2.1"}, {"a unknown user joe"}}),
            "connect 192.0.2.1  x1 line 1\nauth_failed 192.0.2.1 joe x1 line 2\n");
}

TEST_F(Sessions, AnAddressMayComeLater) {
  EXPECT_EQ(in_order({{"q: no x"}, {"r: no y"}, {"q: relay 192.0.2.7"}, {"q: no z"}}),
            "unknown_recipient 192.0.2.7  x1 line 1\n");
}

TEST_F(Sessions, AProcessIdIsUsedAgain) {
  EXPECT_EQ(in_order({{"failed a from 192.0.2.1", 7}, {"failed b from 192.0.2.2", 7}, {"closed", 7}}),
            "auth_failed 192.0.2.1 a x1 line 1\nauth_failed 192.0.2.2 b x1 line 2\ndropped 192.0.2.2  x1 line 3\n");
}

// Text without a header: the address stands for the process.
TEST_F(Sessions, WhereNoProcessIsNamedTheAddressStandsForIt) {
  EXPECT_EQ(in_order({{"unknown a from 192.0.2.1"}, {"unknown b from 192.0.2.2"}, {"failed b from 192.0.2.2"}}),
            "auth_failed 192.0.2.2 b x1 line 3\nauth_failed 192.0.2.1 a x1 line 1\n");
  EXPECT_EQ(in_order({{"failed a from 192.0.2.1"}, {"closed"}}), "auth_failed 192.0.2.1 a x1 line 1\n");
}

TEST_F(Sessions, OldSessionsAndLossesLendNothing) {
  EXPECT_EQ(in_order({{"connect a 192.0.2.1", 0, 0}, {"a refused joe", 0, 90'000}}), "connect 192.0.2.1  x1 line 1\n");
  EXPECT_EQ(in_order({{"failed a from 192.0.2.1", 7}, {"LOSS"}, {"closed", 7}}), "auth_failed 192.0.2.1 a x1 line 1\n");
}

// So that they need not be read where only others are asked for.
TEST_F(Sessions, LinesThatTellThatAllIsWellLeaveTheSessionAsItWas) {
  EXPECT_EQ(in_order({{"connect a 192.0.2.1", 0, 0}, {"a tls", 0, 80'000}, {"a refused joe", 0, 90'000}}),
            "connect 192.0.2.1  x1 line 1\ntls_started 192.0.2.1  x1 line 2\n");
  std::mt19937_64 random(12);
  const auto below = [&](size_t n) { return random() % n; };
  const auto is_well = [](const std::string& text) { return text.find("tls") != std::string::npos; };
  size_t left_out = 0;
  for (int round = 0; round < 1000; ++round) {
    Tracker whole({}, Tracker::Mode::kInOrder), without({}, Tracker::Mode::kInOrder);
    Batch of_whole, of_without;
    int64_t second = 0;
    for (size_t n = 1; n < 60; ++n) {
      second += static_cast<int64_t>(below(6) == 0 ? below(100'000) : below(3));
      const std::string id(1, static_cast<char>('a' + below(3)));
      const std::string texts[] = {"connect " + id + " 192.0.2." + std::to_string(1 + below(3)),
                                   id + " refused joe",
                                   id + " tried 3 times",
                                   id + " unknown user x",
                                   id + " bye",
                                   id + " tls",
                                   id + " tls"};
      const Line line{texts[below(7)], 0, second};
      feed(whole, line, n, of_whole);
      if (is_well(line.text))
        ++left_out;
      else
        feed(without, line, n, of_without);
    }
    whole.finish(of_whole);
    without.finish(of_without);
    std::erase_if(of_whole.events, [](const Event& e) { return e.kind == EventKind::kTlsStarted; });
    ASSERT_EQ(show(of_whole), show(of_without));
  }
  EXPECT_GT(left_out, 10'000U);
}

TEST_F(Sessions, ALineThatIsWrittenTwice) {
  EXPECT_EQ(in_order({{"rejected a of 192.0.2.1", 7},
                      {"rejected b of 192.0.2.2", 8},
                      {"rejected a of 192.0.2.1", 7},
                      {"rejected a of 192.0.2.1", 7}}),
            "rejected 192.0.2.1 a x1 line 1\nrejected 192.0.2.2 b x1 line 2\nrejected 192.0.2.1 a x1 line 4\n");
  EXPECT_EQ(in_order({{"rejected a of 192.0.2.1", 7, 0}, {"rejected a of 192.0.2.1", 7, 5}}),
            "rejected 192.0.2.1 a x1 line 1\nrejected 192.0.2.1 a x1 line 2\n");
}

TEST_F(Sessions, PiecesTellWhatTheWholeTells) {
  std::mt19937_64 random(11);
  auto below = [&](size_t n) { return random() % n; };
  for (int round = 0; round < 3000; ++round) {
    std::vector<Line> lines;
    int64_t second = 0;
    for (size_t n = 5 + below(60); n > 0; --n) {
      second += static_cast<int64_t>(below(12) == 0 ? below(100'000) : below(3));
      const std::string id(1, static_cast<char>('a' + below(4)));
      const std::string address = "192.0.2." + std::to_string(1 + below(3));
      const std::string texts[] = {"connect " + id + " " + address,
                                   id + " refused joe",
                                   id + " said 535",
                                   id + " tried 3 times",
                                   id + " unknown user x",
                                   id + " bye",
                                   id + ": no one",
                                   id + ": relay " + address,
                                   "failed u from " + address,
                                   "unknown u from " + address,
                                   "closed",
                                   "rejected u of " + address,
                                   "LOSS",
                                   "hello " + address,
                                   id + " tls"};
      const size_t which = round % 2 ? below(15) : 8 + below(6);  // every other round: sessions by process only
      lines.push_back({texts[which], static_cast<uint32_t>(below(4) == 0 ? 0 : 7 + below(4)), second});
    }
    std::vector<size_t> cuts;
    for (size_t at = below(lines.size()); at < lines.size(); at += 1 + below(20)) cuts.push_back(at);
    cuts.push_back(lines.size());
    TrackerFigures one, many;
    const std::string whole = in_order(lines, &one);
    std::string text;
    for (const Line& l : lines) text += l.text + "\n";
    ASSERT_EQ(whole, in_pieces(lines, cuts, &many)) << text;
    ASSERT_EQ(one.events, many.events);
    ASSERT_EQ(one.ambiguous, many.ambiguous);
  }
}

TEST_F(Sessions, ForgedIdsDoNotGrowTheTable) {
  Tracker tracker({.wanted = 0}, Tracker::Mode::kInOrder);
  Batch out;
  for (uint32_t i = 0; i < kMaxSessions * 3; ++i) {
    feed(tracker, {"connect s" + std::to_string(i) + " 192.0.2.1", 0, i}, i, out);
    out.clear();
  }
  Batch last;
  feed(tracker, {"s" + std::to_string(kMaxSessions * 3 - 1) + " bye", 0, kMaxSessions * 3}, 1, last);
  EXPECT_EQ(tracker.figures().events, kMaxSessions * 3 + 1);
}

}  // namespace
}  // namespace mailward
