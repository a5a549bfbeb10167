#include "view/explanation.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "view/sample_report.h"

namespace mailward {
namespace {

Explanation sample_explanation() {
  Explanation x;
  x.address = *parse_address("143.110.219.209");
  x.seen = x.offender = true;
  x.source = sample_report().sources[0];
  ExplainedEvent event;
  event.time = at("2026-03-09T07:55:42Z");
  event.address = x.address;
  event.kind = EventKind::kAuthFailed;
  event.line = 3;
  event.daemon = "opensmtpd";
  event.facts[static_cast<size_t>(Fact::kSession)] = "9a2b";
  event.facts[static_cast<size_t>(Fact::kUser)] = "a\x1b[31m";
  event.raw = "Mar  9 08:55:42 mail smtpd[7]: 9a2b smtp \x1b[2J auth";
  x.events = {event, event};
  x.events[1].line = 4;
  Verdict verdict;
  verdict.name = "strikes/foreign-login";
  verdict.broken = true;
  verdict.key = "143.110.219.209";
  verdict.counted = verdict.most = verdict.own = 7;
  verdict.in_words = "offender: 7 events in the whole log, allowed are 0";
  verdict.evidence = {{event.time, x.address, event.kind, 1, 0, 3, "info@example.com"}};
  verdict.evidence_left_out = 6;
  x.verdicts = {verdict};
  verdict.name = "strikes/no-tls";
  verdict.broken = false;
  verdict.in_words = "no offender: nothing to count";
  verdict.evidence.clear();
  x.verdicts.push_back(verdict);
  return x;
}

std::string words(const Explanation& explanation, size_t width = 80, Charset charset = Charset::kUtf8,
                  const OtherLines& others = {}) {
  ExplanationText how;
  how.screen = {width, charset, false};
  how.policy = "strikes";
  how.files = {"mail.log"};
  std::string text;
  Output out(text);
  write_explanation(explanation, others, how, out);
  out.finish();
  return text;
}

std::string json_of(const Explanation& explanation, const OtherLines& others = {}) {
  std::string text;
  Output out(text);
  write_explanation_json(explanation, others, {"mail.log"}, out);
  out.finish();
  return text;
}

TEST(Explanation, WhatWasBrokenComesFirst) {
  Explanation x = sample_explanation();
  const std::string text = words(x);
  std::swap(x.verdicts[0], x.verdicts[1]);
  EXPECT_EQ(words(x), text);
  EXPECT_LT(text.find("strikes/foreign-login: broken"), text.find("strikes/no-tls: kept"));
}

TEST(Explanation, InWords) {
  EXPECT_EQ(words(sample_explanation()),
            "143.110.219.209 is an offender under the policy strikes: strikes/foreign-login,\n"
            "strikes/guessing.\n"
            "Seen from 2026-03-09 07:55:42 to 2026-03-09 07:59:43 (UTC).\n"
            "Events: auth_failed 7, no_ptr 2.\n"
            "Logins tried: info@example.com 6, admin 1.\n"
            "\n"
            "strikes/foreign-login: broken\n"
            "  offender: 7 events in the whole log, allowed are 0\n"
            "    (6 lines before these)\n"
            "    2026-03-09 07:55:42  mail.log:3  auth_failed  info@example.com\n"
            "\n"
            "strikes/no-tls: kept\n"
            "  no offender: nothing to count\n"
            "\n"
            "Its log lines:\n"
            "  2026-03-09 07:55:42  opensmtpd, session 9a2b\n"
            "    mail.log:3  auth_failed\n"
            "      Mar  9 08:55:42 mail smtpd[7]: 9a2b smtp \\x1b[2J auth\n"
            "    mail.log:4  auth_failed\n"
            "      Mar  9 08:55:42 mail smtpd[7]: 9a2b smtp \\x1b[2J auth\n");
}

TEST(Explanation, SomebodyWhoIsNotThere) {
  Explanation x;
  x.address = *parse_address("192.0.2.1");
  EXPECT_EQ(words(x), "192.0.2.1 does nothing in these logs: no line that is understood names it.\n");
  const auto document = nlohmann::json::parse(json_of(x));
  EXPECT_EQ(document["seen"], false);
  EXPECT_EQ(document["offender"], false);
}

TEST(Explanation, OnlyTheLatestLinesInWordsAllInJson) {
  Explanation x = sample_explanation();
  x.events.assign(500, x.events[0]);
  x.events_left_out = 10;
  const std::string text = words(x);
  EXPECT_NE(text.find("Its last 200 lines (--format json shows more; 310 before):"), std::string::npos) << text;
  EXPECT_EQ(nlohmann::json::parse(json_of(x))["events"].size(), 500u);
}

TEST(Explanation, WhoIsIgnoredIsToldSo) {
  Explanation x = sample_explanation();
  x.offender = false;
  x.source.policies.clear();
  x.ignored_by = "143.110.0.0/16";
  const std::string text = words(x);
  EXPECT_NE(text.find("is no offender under the policy strikes.\n"), std::string::npos) << text;
  EXPECT_NE(text.find("never an offender: 143.110.0.0/16 is ignored"), std::string::npos) << text;
}

TEST(Explanation, JsonHoldsEverything) {
  const std::string text = json_of(sample_explanation());
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const auto document = nlohmann::json::parse(text);
  EXPECT_EQ(document["address"], "143.110.219.209");
  EXPECT_EQ(document["offender"], true);
  EXPECT_EQ(document["source"]["users"]["info@example.com"], 6);
  EXPECT_EQ(document["verdicts"][0]["policy"], "strikes/foreign-login");
  EXPECT_EQ(document["verdicts"][0]["evidence"][0]["line"], 3);
  EXPECT_EQ(document["verdicts"][1]["broken"], false);
  EXPECT_EQ(document["events"][0]["user"], "a\x1b[31m");
  EXPECT_EQ(document["events"][0]["file"], "mail.log");
  EXPECT_EQ(document["events"][1]["raw"], "Mar  9 08:55:42 mail smtpd[7]: 9a2b smtp \x1b[2J auth");
}

TEST(Explanation, LinesThatCountForNothing) {
  OtherLines others;
  others.lines = {{0, 7, "Mar  9 08:55:43 mail smtpd[7]: 9a2b smtp \x1b[2J 143.110.219.209"}, {9, 8, "x"}};
  const std::string text = words(sample_explanation(), 80, Charset::kUtf8, others);
  EXPECT_TRUE(
      text.ends_with("Lines of its sessions, or that hold its address, and count for nothing:\n"
                     "    mail.log:7\n"
                     "      Mar  9 08:55:43 mail smtpd[7]: 9a2b smtp \\x1b[2J 143.110.219.209\n"
                     "    ?:8\n"
                     "      x\n"))
      << text;
  Explanation nobody;
  nobody.address = *parse_address("192.0.2.1");
  others.lines.resize(100);
  others.left_out = 5;
  EXPECT_NE(words(nobody, 100, Charset::kUtf8, others)
                .find("Lines that hold its address, and count for nothing (the first 40; 65 more):"),
            std::string::npos);
  const auto document = nlohmann::json::parse(json_of(nobody, others));
  EXPECT_EQ(document["other_lines"].size(), 100u);
  EXPECT_EQ(document["other_lines"][0]["line"], 7);
  EXPECT_EQ(document["other_lines"][0]["file"], "mail.log");
  EXPECT_EQ(document["other_lines_left_out"], 5);
}

TEST(Explanation, AsciiHoldsNothingElse) {
  Explanation x = sample_explanation();
  x.source.users = {{"müller, x", 3}};
  x.events[0].raw = "é\xff";
  for (unsigned char c : words(x, 60, Charset::kAscii)) EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f));
}

}  // namespace
}  // namespace mailward
