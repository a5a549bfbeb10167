#include "view/table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "base/text.h"
#include "view/sample_report.h"

namespace mailward {
namespace {

TableOptions options(size_t width, Charset charset = Charset::kUtf8) {
  TableOptions options;
  options.screen = {width, charset, false};
  options.same_input = "mail.log";
  return options;
}

std::string table_of(const Report& report, const TableOptions& how) { return shown_by<TableView>(report, how); }

size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  size_t widest = 0;
  while (std::getline(lines, line)) widest = std::max(widest, width_of(line));
  return widest;
}

TEST(Table, TwoLinesASourceOnANarrowScreen) {
  EXPECT_EQ(table_of(sample_report(), options(80)),
            "OFFENDER         POLICY BROKEN     FIRST SEEN   LAST SEEN    ACTIVITY\n"
            "143.110.219.209  foreign-login +1  03-09 07:55  03-09 07:59   ▁▂▃▄▅▆▇█      █\n"
            "  auth_failed 7, no_ptr 2 · info@example.com 6, admin\n"
            "\n"
            "NO OFFENDER      POLICY BROKEN     FIRST SEEN   LAST SEEN    ACTIVITY\n"
            "192.0.2.9        -                 03-09 07:55  03-09 07:59\n"
            "  unknown_recipient 1\n"
            "\n"
            "1 offender among 3 sources (policy: strikes); 1 other broke no policy and 1 did\n"
            "  nothing hostile or weak.\n"
            "42 events in 1,000 lines (12 kB) of mail.log, 2026-03-09 07:55 to 2026-03-09\n"
            "  08:00 (UTC).\n"
            "Not understood: 0.4 % of the lines (4).\n"
            "Why:\n"
            "  mailward explain 143.110.219.209 mail.log\n");
}

TEST(Table, OneLineASourceOnAWideScreen) {
  Report report = sample_report();
  report.sources.resize(1);
  const std::string text = table_of(report, options(160));
  EXPECT_EQ(
      text.substr(0, text.find("\n\n")),
      "OFFENDER         POLICY BROKEN     FIRST SEEN   LAST SEEN    ACTIVITY          EVENTS                   LOGINS "
      "TRIED\n"
      "143.110.219.209  foreign-login +1  03-09 07:55  03-09 07:59   ▁▂▃▄▅▆▇█      █  auth_failed 7, no_ptr 2  "
      "info@example.com 6, admin");
}

// The first sources' rows on a screen of so many columns, of a source that tried so many names.
std::string rows(size_t width, size_t names) {
  Report report = sample_report();
  report.sources.resize(1);
  report.sources[0].users.clear();
  for (size_t i = 0; i < names; ++i) report.sources[0].users.emplace_back(fmt::format("name{:02}", i), 1);
  const std::string text = table_of(report, options(width));
  return text.substr(0, text.find("\n\n"));
}

TEST(Table, NamesThatAreNotShownAreCounted) {
  EXPECT_TRUE(rows(400, 17).ends_with("name10, name11 +5")) << rows(400, 17);
  EXPECT_TRUE(rows(400, 12).ends_with("name10, name11")) << rows(400, 12);
  EXPECT_TRUE(rows(80, 17).ends_with(" +12 names")) << rows(80, 17);
  EXPECT_TRUE(rows(400, 13).ends_with("name11 +1")) << rows(400, 13);
  for (size_t width = 40; width <= 400; ++width)
    for (const size_t names : {0, 1, 2, 13, 17}) {
      EXPECT_EQ(rows(width, names).find(", ,"), std::string::npos) << rows(width, names);
      EXPECT_LE(widest(rows(width, names)), width) << rows(width, names);
    }
}

TEST(Table, WhatIsLeftOutOnANarrowScreenHasAName) {
  const std::string text = rows(40, 17);
  EXPECT_EQ(text.find("FIRST SEEN"), std::string::npos) << text;
  EXPECT_NE(text.find("17 names"), std::string::npos) << text;
}

TEST(Table, ALogThatEndsBeforeTheTimeAskedForIsCalledSo) {
  Report report = sample_report();
  TableOptions how = options(400);
  how.since = report.input.last;
  EXPECT_EQ(table_of(report, how).find("asked for"), std::string::npos);
  how.since += Duration{1};
  EXPECT_NE(table_of(report, how).find("before --since"), std::string::npos);
  how.since = kNoInstant;
  how.until = report.input.first + Duration{1};
  EXPECT_EQ(table_of(report, how).find("asked for"), std::string::npos);
  how.until = report.input.first;
  EXPECT_NE(table_of(report, how).find("not before --until"), std::string::npos);
}

TEST(Table, NoHintWhereNothingCanBeReadAgain) {
  TableOptions how = options(400);
  EXPECT_NE(table_of(sample_report(), how).find("mailward explain"), std::string::npos);
  how.read_once = true;
  EXPECT_EQ(table_of(sample_report(), how).find("mailward explain"), std::string::npos);
}

TEST(Table, AsciiHoldsNothingElse) {
  Report report = sample_report();
  report.sources[0].users = {{"müller", 2}, {"山田", 1}};
  report.sources[0].policies = {"strikes/größer"};
  for (unsigned char c : table_of(report, options(80, Charset::kAscii)))
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f));
}

TEST(Table, TimesAreInTheZoneAskedFor) {
  TableOptions how = options(80);
  how.time.zone = "Europe/Berlin";
  how.time.offset = [](Instant) { return std::chrono::hours(1); };
  const std::string text = table_of(sample_report(), how);
  EXPECT_NE(text.find("03-09 08:55  03-09 08:59"), std::string::npos) << text;
  EXPECT_NE(text.find("(Europe/Berlin)"), std::string::npos) << text;
}

TEST(Table, TheYearIsToldWhereThereAreTwo) {
  Report report = sample_report();
  report.input.first = at("2025-12-31T23:00:00Z");
  EXPECT_NE(table_of(report, options(80)).find("2026-03-09 07:55  2026-03-09 07:59"), std::string::npos);
}

TEST(Table, ALongNameOfAPolicyDoesNotCostTheActivity) {
  Report report = sample_report();
  report.sources[0].policies = {"strikes/a-policy-with-a-long-name"};
  const auto row = [&](size_t width) {
    const std::string text = table_of(report, options(width));
    EXPECT_LE(widest(text), width) << text;
    return text.substr(0, text.find("\n  auth"));
  };
  EXPECT_EQ(row(80),
            "OFFENDER         POLICY BROKEN        FIRST SEEN   LAST SEEN    ACTIVITY\n"
            "143.110.219.209  a-policy-with-a-lo…  03-09 07:55  03-09 07:59   ▁▂▃▄▅▆▇█      █");
  EXPECT_NE(row(74).find("a-policy-wit…  03-09"), std::string::npos) << row(74);
  EXPECT_NE(row(74).find("ACTIVITY"), std::string::npos);
  // Narrower, the activity gives way, and the name has the room.
  EXPECT_EQ(row(73).find("ACTIVITY"), std::string::npos);
  EXPECT_NE(row(73).find("a-policy-with-a-long-na…"), std::string::npos) << row(73);
}

TEST(Table, NoTimesNoColumnsOfThem) {
  Report report = sample_report();
  report.input.first = report.input.last = kNoInstant;
  for (SourceReport& source : report.sources) source.first = source.last = kNoInstant;
  const std::string text = table_of(report, options(80));
  EXPECT_EQ(text.find("SEEN"), std::string::npos) << text;
  EXPECT_EQ(text.find("ACTIVITY"), std::string::npos) << text;
}

TEST(Table, NobodyToTellOf) {
  EXPECT_EQ(table_of(Report(), options(80)),
            "No offenders among 0 sources (policy: ).\n0 events in 0 lines (0 bytes) of 0 files.\n"
            "Not understood: 0 % of the lines.\n");
}

TEST(Table, DoubtsAreTold) {
  Report report = sample_report();
  report.input.ambiguous = 1;
  report.input.lost = 2;
  report.input.overlong = 1;
  report.input.not_understood = 999;
  report.input.continued = 10;
  report.input.untrusted = 1;
  const std::string text = table_of(report, options(400));
  EXPECT_NE(text.find("Not understood: 99.9 % of the lines (999); empty, or part of the line before: 1.0 %."),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("1 line could be read as two addresses: charged to nobody."), std::string::npos);
  EXPECT_NE(text.find("The log admits 2 gaps where lines are missing."), std::string::npos);
  EXPECT_NE(text.find("1 line was longer"), std::string::npos);
  EXPECT_NE(text.find("1 line is not believed: an ordinary user wrote it."), std::string::npos);
}

TEST(Table, ALogOfOtherThingsIsNamedAsSuch) {
  Report report;
  report.input.lines = 10;
  EXPECT_NE(table_of(report, options(200)).find("`mailward rules list`"), std::string::npos);
}

TEST(Table, OthersAreBounded) {
  Report report = sample_report();
  for (uint32_t i = 0; i < 20; ++i) {
    SourceReport source = sample_source("198.51.100.1", false);
    source.address.low += i;
    events(source, EventKind::kDropped) = 1;
    report.sources.push_back(source);
  }
  const std::string text = table_of(report, options(80));
  EXPECT_NE(text.find("and 11 more that broke no policy"), std::string::npos) << text;
  // 1 + 21 + 1: all sources are told of, 10 and 11 of the 21 above.
  EXPECT_NE(text.find("1 offender among 23 sources (policy: strikes); 21 others broke no policy and 1\n  did nothing"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("198.51.100.12"), std::string::npos) << text;
}

// Pasted, a command must be one, however narrow the terminal was.
TEST(Table, ACommandIsOneLine) {
  Report report = sample_report();
  report.input.not_understood = report.input.lines / 2;
  TableOptions how = options(40);
  how.same_input = "--timezone Europe/Berlin --local-domain example.com /var/log/mail.log /var/log/mail.log.1";
  std::string text = table_of(report, how);
  EXPECT_NE(text.find("\n  mailward explain 143.110.219.209 " + how.same_input + "\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n  mailward events --unknown " + how.same_input + "\n"), std::string::npos) << text;
  EXPECT_EQ(wrapped("see `mailward rules list` there", 12, "  "), "see\n  `mailward rules list`\n  there");
  EXPECT_EQ(wrapped("one ` two", 5, ""), "one `\ntwo");
  // No hint at lines that can't be shown.
  report.input.unshown = report.input.not_understood;
  text = table_of(report, how);
  EXPECT_EQ(text.find("events --unknown"), std::string::npos) << text;
}

TEST(Table, OffendersAreBoundedTheWorstStay) {
  Report report;
  for (uint32_t i = 0; i < 20; ++i) {
    SourceReport source = sample_source("198.51.100.100", true);
    source.address.low += i;
    events(source, EventKind::kAuthFailed) = i + 1;
    report.sources.push_back(source);
  }
  TableOptions how = options(80);
  how.offenders = 3;
  const std::string text = table_of(report, how);
  EXPECT_NE(text.find("198.51.100.117"), std::string::npos) << text;
  EXPECT_EQ(text.find("198.51.100.116"), std::string::npos) << text;
  EXPECT_NE(text.find("and 17 more offenders (--format plain names them all)"), std::string::npos) << text;
  EXPECT_NE(text.find("20 offenders among 20 sources"), std::string::npos) << text;
}

TEST(Table, HostileTextNeitherEscapesNorWidens) {
  std::mt19937 random(7);
  const std::string pieces[] = {"\x1b[31m", "\n", "\xe2\x80\xae",    "\xff", "山", "é", "\xcc\x81", "\t",
                                "a",        "\"", "\xf0\x9f\x98\x80"};
  for (int round = 0; round < 200; ++round) {
    Report report = sample_report();
    std::string name;
    for (unsigned i = 0; i < random() % 60; ++i) name += pieces[random() % std::size(pieces)];
    report.sources[0].users = {{name, random() % 3}, {name + "x", 5}, {"é" + name, 100000}};
    report.input.files = {name};
    if (random() % 2) report.sources[0].address = *parse_address("2001:db8:1234:5678:9abc:def0:1234:5678");
    const size_t width = 64 + random() % 140;
    const auto charset = random() % 2 ? Charset::kUtf8 : Charset::kAscii;
    TableOptions how = options(width, charset);
    how.hints = false;
    const std::string text = table_of(report, how);
    EXPECT_LE(widest(text), std::max<size_t>(width, 80)) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\t'), std::string::npos);
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_EQ(valid_utf8(text), text);
  }
}

TEST(Table, ColorOnlyWhereAsked) {
  TableOptions how = options(80);
  EXPECT_EQ(table_of(sample_report(), how).find('\x1b'), std::string::npos);
  how.screen.color = true;
  const std::string text = table_of(sample_report(), how);
  EXPECT_NE(text.find("\x1b[31m143.110.219.209"), std::string::npos) << text;
}

TEST(Sparkline, ScalesToTheLargest) {
  EXPECT_EQ(sparkline({}, Charset::kUtf8), std::string(16, ' '));
  EXPECT_EQ(sparkline({1, 0, 4000000000u}, Charset::kUtf8), "▁ █" + std::string(13, ' '));
  EXPECT_EQ(sparkline({1, 0, 8}, Charset::kAscii), ". #" + std::string(13, ' '));
}

TEST(Screen, AsciiIsCutAtWholeEscapes) {
  EXPECT_EQ(for_screen("müller", 20, Charset::kAscii), "m\\u{fc}ller");
  EXPECT_EQ(for_screen("müller", 6, Charset::kAscii), "m~");
  EXPECT_EQ(for_screen("müller", 8, Charset::kAscii), "m\\u{fc}~");
  EXPECT_EQ(for_screen("müller", 8, Charset::kUtf8), "müller");
}

TEST(Screen, ShellWords) {
  EXPECT_EQ(shell_word("/var/log/mail.log", Charset::kUtf8), "/var/log/mail.log");
  EXPECT_EQ(shell_word("it's", Charset::kUtf8), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(reboot)", Charset::kUtf8), "'$(reboot)'");
  EXPECT_EQ(shell_word("", Charset::kUtf8), "''");
  EXPECT_EQ(shell_word("a\x1b[2J", Charset::kUtf8), "");
  EXPECT_EQ(shell_word("müll", Charset::kAscii), "");
}

TEST(Screen, Figures) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(format_bytes(999), "999 bytes");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(9'960'000), "10 MB");
  EXPECT_EQ(format_bytes(999'600'000), "1.0 GB");
}

}  // namespace
}  // namespace mailward
