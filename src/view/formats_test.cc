// plain, counts, csv, json, ndjson.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "view/csv.h"
#include "view/json.h"
#include "view/lists.h"
#include "view/sample_report.h"

namespace mailward {
namespace {

// What a client may have typed as its name.
const std::string kEscape = "\x1b[2J\x1b]0;owned\x07";
const std::string kHostileName = "a\"b\\c\nd\x1b[31m\xe2\x80\xae\xff,é=1";

std::string json_of(const Report& report) { return shown_by<JsonView>(report); }
std::string csv_of(const Report& report) { return shown_by<CsvView>(report); }
std::string plain_of(const Report& report) { return shown_by<PlainView>(report); }
std::string counts_of(const Report& report) { return shown_by<CountsView>(report); }

Report with_user(const std::string& name) {
  Report report = sample_report();
  report.sources.resize(1);
  report.sources[0].users = {{name, 3}};
  return report;
}

bool is_harmless(const std::string& text) {
  for (unsigned char c : text) {
    if ((c < 0x20 && c != '\n') || c == 0x7f) return false;
  }
  return text.find("\xe2\x80\xae") == std::string::npos;  // U+202E turns what follows around
}

TEST(Plain, OffendersOnlyOneALine) { EXPECT_EQ(plain_of(sample_report()), "143.110.219.209\n"); }

TEST(Plain, NobodyIsNothing) { EXPECT_EQ(plain_of(Report()), ""); }

TEST(Counts, MostFirstHostileOnly) {
  Report report = sample_report();
  SourceReport worse = sample_source("192.0.2.10", false);
  events(worse, EventKind::kBadHelo) = 8;
  report.sources.insert(report.sources.begin() + 2, worse);
  SourceReport equal = sample_source("2001:db8::1", false);
  events(equal, EventKind::kDnsbl) = 1;
  events(equal, EventKind::kDropped) = 50;  // weak: no hostile event
  report.sources.push_back(equal);
  EXPECT_EQ(counts_of(report), "8 192.0.2.10\n7 143.110.219.209\n1 192.0.2.9\n1 2001:db8::1\n");
}

TEST(Json, IsTheDocumentOfTheDocs) {
  EXPECT_EQ(
      json_of(sample_report()),
      R"({"input": {"files": ["mail.log"], "bytes": 12345, "lines": 1000, "events": 42, "not_understood": 4, "first": "2026-03-09T07:55:42Z", "last": "2026-03-09T08:00:48Z"},
 "sources": [{"address": "143.110.219.209", "events": {"auth_failed": 7, "no_ptr": 2}, "users": {"admin": 1, "info@example.com": 6}, "first": "2026-03-09T07:55:42Z", "last": "2026-03-09T07:59:43Z", "offender": true, "policies": ["strikes/foreign-login", "strikes/guessing"], "networks": ["143.110.219.0/24"]},
             {"address": "192.0.2.9", "events": {"unknown_recipient": 1}, "users": {}, "first": "2026-03-09T07:55:42Z", "last": "2026-03-09T07:59:43Z", "offender": false, "policies": [], "networks": []},
             {"address": "2001:db8::7", "events": {"auth_ok": 5}, "users": {}, "first": "2026-03-09T07:55:42Z", "last": "2026-03-09T07:59:43Z", "offender": false, "policies": [], "networks": []}]}
)");
}

TEST(Json, EmptyReport) {
  EXPECT_EQ(json_of(Report()),
            "{\"input\": {\"files\": [], \"bytes\": 0, \"lines\": 0, \"events\": 0, \"not_understood\": 0},\n"
            " \"sources\": []}\n");
}

TEST(Json, DoubtsOnlyWhereTheyApply) {
  Report report = sample_report();
  EXPECT_FALSE(nlohmann::json::parse(json_of(report))["input"].contains("ambiguous"));
  EXPECT_FALSE(nlohmann::json::parse(json_of(report))["input"].contains("lost"));
  report.input.ambiguous = 3;
  report.input.lost = 1;
  EXPECT_EQ(nlohmann::json::parse(json_of(report))["input"]["ambiguous"], 3);
  EXPECT_EQ(nlohmann::json::parse(json_of(report))["input"]["lost"], 1);
}

TEST(Json, TimesThatAreUnknownAreAbsent) {
  Report report = sample_report();
  report.sources[0].first = report.sources[0].last = kNoInstant;
  const auto source = nlohmann::json::parse(json_of(report))["sources"][0];
  EXPECT_FALSE(source.contains("first"));
  EXPECT_FALSE(source.contains("last"));
}

TEST(Json, HostileNamesStayNames) {
  for (const std::string& name : {kEscape, kHostileName, std::string("\0x", 2), std::string("\"}]}")}) {
    const std::string text = json_of(with_user(name));
    EXPECT_TRUE(is_harmless(text)) << text;
    const auto users = nlohmann::json::parse(text)["sources"][0]["users"];
    ASSERT_EQ(users.size(), 1u);
    EXPECT_EQ(users.begin().value(), 3);
  }
}

TEST(Json, NamesThatBecomeEqualAreAdded) {
  Report report = with_user("");
  report.sources[0].users = {{"a\\xff", 1}, {"a\xff", 2}, {"b", 4}, {"…", 8}};
  const std::string text = json_of(report);
  EXPECT_NE(text.find(R"("users": {"a\\xff": 3, "b": 4, "…": 8})"), std::string::npos) << text;
}

TEST(Ndjson, OneSourceALine) {
  const std::string text = shown_by<NdjsonView>(sample_report());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  std::istringstream lines(text);
  std::string line;
  for (const char* address : {"143.110.219.209", "192.0.2.9", "2001:db8::7"}) {
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_EQ(nlohmann::json::parse(line)["address"], address);
  }
}

TEST(Csv, Golden) {
  EXPECT_EQ(csv_of(sample_report()),
            "address,offender,policies,networks,first,last,auth_ok,auth_failed,auth_aborted,no_tls,tls_failed,no_ptr,"
            "ptr_mismatch,bad_helo,dnsbl,relay_denied,unknown_recipient,sender_rejected,content_rejected,rate_limited,"
            "protocol_error,rejected,deferred,dropped,accepted,users\n"
            "143.110.219.209,yes,strikes/foreign-login strikes/guessing,143.110.219.0/24,2026-03-09T07:55:42Z,"
            "2026-03-09T07:59:43Z,0,7,0,0,0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,\"admin 1; info@example.com 6\"\n"
            "192.0.2.9,no,,,2026-03-09T07:55:42Z,2026-03-09T07:59:43Z,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,\n"
            "2001:db8::7,no,,,2026-03-09T07:55:42Z,2026-03-09T07:59:43Z,5,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,\n");
}

TEST(Csv, NoFormulaNoControlNoSecondLine) {
  for (const std::string& name : {kEscape, kHostileName, std::string("=cmd|' /C calc'!A0"), std::string("+1\r\n2")}) {
    const std::string text = csv_of(with_user(name));
    EXPECT_TRUE(is_harmless(text)) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  }
  EXPECT_NE(csv_of(with_user("=1+1")).find(",'=1+1 3\n"), std::string::npos);
  EXPECT_NE(csv_of(with_user("a\"b,c")).find(",\"a\"\"b,c 3\"\n"), std::string::npos);
}

// A cell "a; b 3" would be two names.
TEST(Csv, ANameWithTheSeparatorStaysOne) {
  Report report = with_user("x");
  report.sources[0].users = {{"a; b 3", 1}, {"c", 2}};
  EXPECT_NE(csv_of(report).find("\"a;; b 3 1; c 2\"\n"), std::string::npos) << csv_of(report);
  report.sources[0].users = {{"a", 3}, {"b 3", 1}};
  EXPECT_NE(csv_of(report).find("\"a 3; b 3 1\"\n"), std::string::npos) << csv_of(report);
}

TEST(Output, WritesToADescriptorInPieces) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Output out(ends[1]);
  out.text() = "one\n";
  out.pass_on();  // too little to write
  EXPECT_EQ(out.text(), "one\n");
  out.text() += "two\n";
  EXPECT_EQ(out.finish(), Output::Trouble::kNone);
  char text[16] = {};
  EXPECT_EQ(read(ends[0], text, sizeof text), 8);
  EXPECT_STREQ(text, "one\ntwo\n");
  close(ends[0]);
  close(ends[1]);
}

TEST(Output, TellsWhenNobodyReads) {
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  Output out(ends[1]);
  out.text() = "x";
  EXPECT_EQ(out.finish(), Output::Trouble::kReaderGone);
  close(ends[1]);
}

TEST(Output, TellsWhenTheDiskIsFull) {
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "no /dev/full";
  Output out(full);
  out.text() = "x";
  EXPECT_EQ(out.finish(), Output::Trouble::kWriteFailed);
  EXPECT_EQ(out.error_number(), ENOSPC);
  close(full);
}

}  // namespace
}  // namespace mailward
