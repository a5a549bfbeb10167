#include "view/event_lines.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "view/sample_report.h"

namespace mailward {
namespace {

void set(Event& event, Fact fact, std::string_view text) { event.facts[static_cast<size_t>(fact)] = text; }

std::string line_of(const Event& event) {
  EventLines lines({"mail.log"});
  std::string out;
  lines.append(out, event);
  return out;
}

Event full_event() {
  Event event;
  event.time = at("2026-03-09T07:55:42.000007Z");
  event.address = *parse_address("::ffff:143.110.219.209");
  event.kind = EventKind::kAuthFailed;
  event.port = 4711;
  event.pid = 60467;
  event.line = 3;
  event.daemon = "opensmtpd";
  set(event, Fact::kHost, "mail");
  set(event, Fact::kProgram, "smtpd");
  set(event, Fact::kSession, "9a2bd95a086bc4b0");
  set(event, Fact::kPtr, "a.example");
  set(event, Fact::kUser, "info@example.com");
  set(event, Fact::kMechanism, "LOGIN");
  set(event, Fact::kHelo, "x");
  set(event, Fact::kSender, "s@example.net");
  set(event, Fact::kRecipient, "r@example.com");
  set(event, Fact::kReason, "why");
  set(event, Fact::kService, "smtps");
  return event;
}

TEST(EventLines, HasTheFieldsOfTheDocsInTheirOrder) {
  EXPECT_EQ(line_of(full_event()),
            R"({"time": "2026-03-09T07:55:42.000007Z", "host": "mail", "program": "smtpd", "pid": 60467, )"
            R"("daemon": "opensmtpd", "session": "9a2bd95a086bc4b0", "event": "auth_failed", )"
            R"("address": "143.110.219.209", "port": 4711, "ptr": "a.example", "user": "info@example.com", )"
            R"("mechanism": "LOGIN", "helo": "x", "sender": "s@example.net", "recipient": "r@example.com", )"
            R"("reason": "why", "service": "smtps", "file": "mail.log", "line": 3, "count": 1})"
            "\n");
}

TEST(EventLines, WhatIsAbsentIsLeftOut) {
  Event event;
  event.kind = EventKind::kDropped;
  event.line = 1;
  event.count = 2;
  event.file = 7;  // no such file
  EXPECT_EQ(line_of(event), "{\"event\": \"dropped\", \"line\": 1, \"count\": 2}\n");
}

TEST(EventLines, TimesWithinASecondAndOverIt) {
  EventLines lines({});
  for (const char* time : {"2026-03-09T07:55:42.123456Z", "2026-03-09T07:55:42.999999Z", "2026-03-09T07:55:41.000000Z",
                           "1969-12-31T23:59:59.500000Z", "2027-01-01T00:00:00.000000Z"}) {
    Event event;
    event.kind = EventKind::kConnect;
    event.time = at(time);
    std::string out;
    lines.append(out, event);
    EXPECT_EQ(nlohmann::json::parse(out)["time"], time);
  }
}

TEST(EventLines, LogTextIsEscaped) {
  struct Row {
    std::string_view text, json;
  };
  using namespace std::string_view_literals;
  for (const Row& row :
       {Row{"\x1b[31m", R"("\u001b[31m")"}, Row{"a\"b\\", R"("a\"b\\")"}, Row{"\n\r\t", R"("\n\r\t")"},
        Row{"\xe2\x80\xaegnp.exe", R"("\u202egnp.exe")"}, Row{"\0"sv, R"("\u0000")"}, Row{"\xff", R"("\\xff")"},
        Row{"\xc2\x9b", R"("\u009b")"}, Row{"m\xc3\xbcller", "\"müller\""}}) {
    Event event = full_event();
    set(event, Fact::kUser, row.text);
    const std::string line = line_of(event);
    EXPECT_NE(line.find(fmt::format("\"user\": {}, ", row.json)), std::string::npos) << line;
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  }
}

TEST(EventLines, FileNamesAreEscapedToo) {
  EventLines lines({"a\"\x1b.log"});
  Event event = full_event();
  std::string out;
  lines.append(out, event);
  EXPECT_NE(out.find(R"("file": "a\"\u001b.log")"), std::string::npos) << out;
}

}  // namespace
}  // namespace mailward
