#include "daemon/protocol.h"

#include <gtest/gtest.h>

#include <random>

#include "daemon/requests.h"

namespace mailward {
namespace {

Event some_event() {
  Event e;
  e.kind = EventKind::kSenderRejected;
  e.time = Instant(Duration(1'772'409'600'123'456));
  e.address = *parse_address("2001:db8::7");
  e.unknown_user = true;
  e.mild = true;
  e.helper = 17;
  e.count = 3;
  e.file = 2;
  e.line = 99;
  e.facts[static_cast<size_t>(Fact::kUser)] = "u";
  e.facts[static_cast<size_t>(Fact::kSender)] = "a@b";
  e.facts[static_cast<size_t>(Fact::kRecipient)] = "c@d";
  e.raw = "the line";
  return e;
}

TEST(ProtocolTest, AnEventComesBack) {
  const Event e = some_event();
  Encoder out;
  write_event(e, out);
  const std::string bytes = out.take();
  Decoder in(bytes);
  const Event back = read_event(in);
  EXPECT_TRUE(in.finished());
  EXPECT_EQ(back.kind, e.kind);
  EXPECT_EQ(back.time, e.time);
  EXPECT_EQ(back.address, e.address);
  EXPECT_TRUE(back.unknown_user && back.mild && !back.apart);
  EXPECT_EQ(back.helper, e.helper);
  EXPECT_EQ(back.count, e.count);
  EXPECT_EQ(back.file, e.file);
  EXPECT_EQ(back.line, e.line);
  EXPECT_EQ(back.facts, e.facts);
  EXPECT_EQ(back.raw, e.raw);
}

TEST(ProtocolTest, AMarkAndASeriesComeBack) {
  MarkOfInput m;
  m.position = "p";
  m.state = std::string("\0s", 2);
  m.line = 1;
  m.offset = 6;
  m.reached = Instant(Duration(5));
  m.lines = 2;
  m.not_understood = 3;
  m.lost = 4;
  m.trouble = "t";
  m.examples = {"x", "y"};
  Encoder out;
  write_mark(m, out);
  const std::string bytes = out.take();
  Decoder in(bytes);
  const MarkOfInput back = read_mark(in);
  EXPECT_TRUE(in.finished());
  EXPECT_EQ(std::tie(back.position, back.state, back.line, back.offset, back.reached, back.lines, back.not_understood,
                     back.lost, back.trouble, back.examples),
            std::tie(m.position, m.state, m.line, m.offset, m.reached, m.lines, m.not_understood, m.lost, m.trouble,
                     m.examples));

  Series series;
  series.members.push_back({Descriptor(), "mail.log", false, 0});
  series.members.push_back({Descriptor(), "mail.log.1", true, 7});
  series.trouble = {"no"};
  series.settled = false;
  series.answers = 5;
  std::vector<int> files;
  write_series(series, out, files);
  const std::string listed = out.take();
  std::vector<Descriptor> open(2);
  Decoder list(listed);
  Series again;
  ASSERT_TRUE(read_series(list, open, again));
  EXPECT_EQ(again.members[1].name, "mail.log.1");
  EXPECT_EQ(again.members[1].rank, 7U);
  EXPECT_EQ(again.trouble, series.trouble);
  EXPECT_FALSE(again.settled);
  EXPECT_EQ(again.answers, 5U);
  std::vector<Descriptor> too_few(1);
  Decoder once_more(listed);
  EXPECT_FALSE(read_series(once_more, too_few, again));
}

// A reader that was taken over may send anything.
TEST(ProtocolTest, BentBytesAreRefusedOrRead) {
  Encoder out;
  write_event(some_event(), out);
  const std::string good = out.take();
  std::mt19937 random(3);
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (size_t i = 1 + random() % 4; i > 0; --i) bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % 3 == 0 ? random() % (bytes.size() + 1) : bytes.size());
    Decoder in(bytes);
    const Event e = read_event(in);
    refused += !in.finished();
    ASSERT_LT(static_cast<size_t>(e.kind), kEventKinds);
  }
  EXPECT_GT(refused, 5000U);
}

TEST(ProtocolTest, NetworksHaveNothingRightOfTheirPrefix) {
  for (const auto& [text, prefix, good] : {std::tuple("192.0.2.0", 24, true),
                                           {"192.0.2.1", 24, false},
                                           {"192.0.2.1", 32, true},
                                           {"192.0.2.0", 33, false},
                                           {"2001:db8::", 64, true},
                                           {"2001:db8::1", 127, false}}) {
    Encoder out;
    out.address(*parse_address(text));
    out.number(static_cast<uint64_t>(prefix));
    const std::string bytes = out.take();
    Decoder in(bytes);
    (void)read_network(in);
    EXPECT_EQ(in.finished(), good) << text << "/" << prefix;
  }
}

TEST(RequestsTest, Lines) {
  for (const char* line :
       {"status", "sync", "reload", "ban 192.0.2.7/32 7d", "ban 2001:db8::/64 90s force", "unban 192.0.2.0/24"}) {
    const auto request = parse_request(line);
    ASSERT_TRUE(request) << line << ": " << request.error().message;
    EXPECT_EQ(format_request(*request), line);
  }
  EXPECT_EQ(parse_request("  ban   192.0.2.7  1h ")->network, *parse_network("192.0.2.7/32"));
  for (const char* line :
       {"", " ", "stat", "status now", "ban", "ban 192.0.2.7", "ban 192.0.2.1/24 7d", "ban 192.0.2.7 0s",
        "ban 192.0.2.7 soon", "ban 192.0.2.7 1h maybe", "ban 0.0.0.0/0 1h force", "ban ::/0 1h force",
        "ban 192.0.0.0/7 1h force", "unban", "unban x", "unban 192.0.2.7 1h", "\xff\x1b[2J"}) {
    const auto request = parse_request(line);
    ASSERT_FALSE(request) << line;
    EXPECT_EQ(request.error().message.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(reply_of(false, "a \"b\"\n"), R"({"ok":false,"message":"a \"b\"\n"})");
}

}  // namespace
}  // namespace mailward
