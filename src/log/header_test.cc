#include "log/header.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "log/stamp.h"
#include "log/tag.h"

namespace mailward {
namespace {

const Zone kUtc;

struct HeaderCase {
  Form form;
  std::string line;
  std::string want;  // "time|host|program|pid|message", or what else became of it
};

std::string told(HeaderReader& reader, std::string_view line) {
  Record r;
  switch (reader.read(line, r)) {
    case Took::kNoHeader:
      return "no header";
    case Took::kContinuation:
      return "continuation";
    case Took::kRecord:
      break;
  }
  EXPECT_EQ(r.length, line.size());
  EXPECT_NE(r.note, nullptr);
  return fmt::format("{}|{}|{}|{}|{}",
                     has_time(r.time) ? format_instant(r.time, r.time.time_since_epoch().count() % 1000000 != 0) : "-",
                     r.host, r.program, r.pid, r.message);
}

HeaderReader reader_for(Form form, std::string_view name = {}) {
  return HeaderReader(form, TimeFold(kUtc, 2026), name);
}

class HeaderTest : public testing::TestWithParam<HeaderCase> {};

// Every line is read by a fresh reader, by one that has just read it, by one that has read another
// second and another program, and with a message long enough for the quick way.
TEST_P(HeaderTest, ReadsTheSameEachWay) {
  const HeaderCase& c = GetParam();
  HeaderReader reader = reader_for(c.form, "/var/log/qmail/smtpd/current");
  EXPECT_EQ(told(reader, c.line), c.want);
  EXPECT_EQ(told(reader, c.line), c.want);
  told(reader, "Mar  2 00:00:07 mail postfix/qmgr[1187]: 1234567890: removed and some more text to make it long");
  told(reader,
       "2026-03-02T00:00:09.123456+00:00 other dovecot: imap-login: Login: user=<a>, and more text to make it long");
  EXPECT_EQ(told(reader, c.line), c.want);
  EXPECT_EQ(told(reader, c.line + "\r"), c.want);
  if (c.want.find('|') == std::string::npos) return;
  const std::string tail = " and a good deal more text, so that the line is as long as most lines are, or longer";
  HeaderReader fresh = reader_for(c.form, "/var/log/qmail/smtpd/current");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(told(fresh, c.line + tail), c.want + tail);
}

constexpr Form S = Form::kSyslog;

INSTANTIATE_TEST_SUITE_P(
    Traditional, HeaderTest,
    testing::Values(
        HeaderCase{S, "Mar  2 00:00:01 mail smtpd[60467]: 9a32 smtp connected",
                   "2026-03-02T00:00:01Z|mail|smtpd|60467|9a32 smtp connected"},
        HeaderCase{S, "Mar 12 00:00:01 mx1.example.org postfix/submission/smtpd[7]: connect",
                   "2026-03-12T00:00:01Z|mx1.example.org|postfix/submission/smtpd|7|connect"},
        HeaderCase{
            S, "Mar  2 00:00:01 a-rather-long-host-name.some-department.example.org postfix/smtpd[4194304]: connect",
            "2026-03-02T00:00:01Z|a-rather-long-host-name.some-department.example.org|postfix/smtpd|4194304|connect"},
        HeaderCase{S,
                   "Mar  2 00:00:01 an-even-longer-host-name.some-department.some-university.example.org "
                   "postfix/smtpd[12]: connect",
                   "2026-03-02T00:00:01Z|an-even-longer-host-name.some-department.some-university.example.org|postfix/"
                   "smtpd|12|connect"},
        HeaderCase{S, "Mar  2 00:00:01 mail dovecot: imap-login: Login: user=<a[1]: b>",
                   "2026-03-02T00:00:01Z|mail|dovecot|0|imap-login: Login: user=<a[1]: b>"},
        HeaderCase{S, "Mar  2 00:00:01 smtpd[60467]: no host", "2026-03-02T00:00:01Z||smtpd|60467|no host"},
        HeaderCase{S, "Mar  2 00:00:01 smtpd: no host, no pid", "2026-03-02T00:00:01Z||smtpd|0|no host, no pid"},
        HeaderCase{S, "Mar  2 00:00:01 2001:db8::25 smtpd[9]: text", "2026-03-02T00:00:01Z|2001:db8::25|smtpd|9|text"},
        HeaderCase{S, "Mar 02 00:00:01 mail sshd[9]: day with zero", "2026-03-02T00:00:01Z|mail|sshd|9|day with zero"},
        HeaderCase{S, "Mar 2 00:00:01 mail sshd[9]: day without pad",
                   "2026-03-02T00:00:01Z|mail|sshd|9|day without pad"},
        HeaderCase{S, "Mar  2 2024 00:00:01 mail sshd[9]: year", "2024-03-02T00:00:01Z|mail|sshd|9|year"},
        HeaderCase{S, "Mar  2 00:00:01 2024 mail sshd[9]: year", "2024-03-02T00:00:01Z|mail|sshd|9|year"},
        HeaderCase{S, "Mar  2 00:00:01.250000 mail sshd[9]: fraction",
                   "2026-03-02T00:00:01.250000Z|mail|sshd|9|fraction"},
        HeaderCase{S, "<38>Mar  2 00:00:01 mail sshd[9]: with priority",
                   "2026-03-02T00:00:01Z|mail|sshd|9|with priority"},
        HeaderCase{S, "Mar  2 00:00:01 <mail.info> mail sshd[9]: FreeBSD -vv",
                   "2026-03-02T00:00:01Z|mail|sshd|9|FreeBSD -vv"},
        HeaderCase{S, "Mar  2 00:00:01 <2.6> mail sshd[9]: FreeBSD -v", "2026-03-02T00:00:01Z|mail|sshd|9|FreeBSD -v"},
        HeaderCase{S, "Mar  2 00:00:01 mail auth.info sshd[9]: busybox", "2026-03-02T00:00:01Z|mail|sshd|9|busybox"},
        HeaderCase{S, "Mar  2 00:00:01 [sshd] metalog", "2026-03-02T00:00:01Z||sshd|0|metalog"},
        HeaderCase{S, "Mar  2 00:00:01 [sshd]: metalog with a colon, and a text of more than forty-eight bytes",
                   "2026-03-02T00:00:01Z||sshd|0|metalog with a colon, and a text of more than forty-eight bytes"},
        HeaderCase{
            S, "2026-03-02T00:00:01.123Z [NOTICE] [ABCDEF12-3456-7890-ABCD-EF1234567800] [core] connect",
            "2026-03-02T00:00:01.123000Z||haraka|0|[NOTICE] [ABCDEF12-3456-7890-ABCD-EF1234567800] [core] connect"},
        HeaderCase{S, "2026-03-02T00:00:01.123Z [INFO] [-] [core] short",
                   "2026-03-02T00:00:01.123000Z||haraka|0|[INFO] [-] [core] short"},
        HeaderCase{S, "2026-03-02T00:00:01.123Z [Notice] [-] no level of Haraka's",
                   "2026-03-02T00:00:01.123000Z||Notice|0|[-] no level of Haraka's"},
        HeaderCase{S, "Mar  2 00:00:01 [a b]: no metalog", "2026-03-02T00:00:01Z|||0|[a b]: no metalog"},
        HeaderCase{S, "2026-03-02T00:00:01.46667Z auth.info: Mar  2 00:00:01 sshd[9]: socklog",
                   "2026-03-02T00:00:01.466670Z||sshd|9|socklog"},
        HeaderCase{S, "2026-03-02T00:00:01.46667Z auth.info: sshd[9]: socklog, shortened by one who reads much",
                   "2026-03-02T00:00:01.466670Z||sshd|9|socklog, shortened by one who reads much"},
        HeaderCase{S, "2026-03-02T00:00:01.46667Z auth.info: words without a program",
                   "2026-03-02T00:00:01.466670Z|||0|words without a program"},
        HeaderCase{S, "Mar  2 00:00:01 mail mail.foo sshd[9]: not busybox",
                   "2026-03-02T00:00:01Z|mail||0|mail.foo sshd[9]: not busybox"},
        HeaderCase{S, "Mar  2 00:00:01 mail sshd[9]:no blank", "2026-03-02T00:00:01Z|mail|sshd|9|no blank"},
        HeaderCase{S, "Mar  2 00:00:01 mail sshd[9] no colon", "2026-03-02T00:00:01Z|mail|sshd|9|no colon"},
        HeaderCase{S, "Mar  2 00:00:01 mail sshd[9]:  blanks of the text stay",
                   "2026-03-02T00:00:01Z|mail|sshd|9| blanks of the text stay"},
        HeaderCase{S, "Mar  2 00:00:01 mail last message repeated 3 times",
                   "2026-03-02T00:00:01Z|mail||0|last message repeated 3 times"},
        HeaderCase{S, "Mar  2 00:00:01 mail -- MARK --", "2026-03-02T00:00:01Z|mail||0|-- MARK --"},
        HeaderCase{S, "Mar  2 00:00:01 mail words then: a colon [7]: x",
                   "2026-03-02T00:00:01Z|mail||0|words then: a colon [7]: x"},
        HeaderCase{S, "Mar  2 00:00:01 mail foo[bar]: text", "2026-03-02T00:00:01Z|mail||0|foo[bar]: text"},
        HeaderCase{S, "Mar  2 00:00:01 mail foo[]: text", "2026-03-02T00:00:01Z|mail||0|foo[]: text"},
        HeaderCase{S, "Mar  2 00:00:01 mail foo[99999999999]: text",
                   "2026-03-02T00:00:01Z|mail||0|foo[99999999999]: text"},
        HeaderCase{S, "Mar  2 00:00:01 mail foo[4294967295]: text", "2026-03-02T00:00:01Z|mail|foo|4294967295|text"},
        HeaderCase{S, "Mar  2 00:00:01 mail foo[12345678]: text", "2026-03-02T00:00:01Z|mail|foo|12345678|text"},
        HeaderCase{S, "Mar  2 00:00:01 mail foo:text [x", "2026-03-02T00:00:01Z|mail|foo|0|text [x"},
        HeaderCase{S, "Mar  2 00:00:01 mail : text", "2026-03-02T00:00:01Z|mail||0|: text"},
        HeaderCase{S, "Mar  2 00:00:01  two blanks", "2026-03-02T00:00:01Z|||0|two blanks"}));

TEST(Header, EmptyMessages) {
  HeaderReader reader = reader_for(S);
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail sshd[9]: "), "2026-03-02T00:00:01Z|mail|sshd|9|");
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail sshd[9]:"), "2026-03-02T00:00:01Z|mail|sshd|9|");
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail sshd[9]"), "2026-03-02T00:00:01Z|mail|sshd|9|");
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail dovecot:"), "2026-03-02T00:00:01Z|mail|dovecot|0|");
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail dovecot"), "2026-03-02T00:00:01Z|mail||0|dovecot");
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail"), "2026-03-02T00:00:01Z|||0|mail");
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail sshd[9"), "2026-03-02T00:00:01Z|mail||0|sshd[9");
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3339, HeaderTest,
    testing::Values(
        HeaderCase{S, "2026-01-19T00:10:56.341452+00:00 post postfix/postscreen[9704]: CONNECT",
                   "2026-01-19T00:10:56.341452Z|post|postfix/postscreen|9704|CONNECT"},
        HeaderCase{S, "2026-01-19T00:10:56.000007+01:00 post dovecot: text",
                   "2026-01-18T23:10:56.000007Z|post|dovecot|0|text"},
        HeaderCase{S, "2026-01-19T00:10:56Z post smtpd[9]: OpenBSD -Z", "2026-01-19T00:10:56Z|post|smtpd|9|OpenBSD -Z"},
        HeaderCase{S, "2026-01-19T00:10:56.123Z post smtpd[9]: milliseconds",
                   "2026-01-19T00:10:56.123000Z|post|smtpd|9|milliseconds"},
        HeaderCase{S, "2026-01-19T00:10:56.123456789Z post smtpd[9]: nanoseconds",
                   "2026-01-19T00:10:56.123456Z|post|smtpd|9|nanoseconds"},
        HeaderCase{S, "2026-01-19T00:10:56-0330 post smtpd[9]: journalctl -o short-iso",
                   "2026-01-19T03:40:56Z|post|smtpd|9|journalctl -o short-iso"},
        HeaderCase{S, "2026-01-19T00:10:56 post smtpd[9]: no offset", "2026-01-19T00:10:56Z|post|smtpd|9|no offset"},
        HeaderCase{S, "1772409600.250000 post smtpd[9]: journalctl -o short-unix",
                   "2026-03-02T00:00:00.250000Z|post|smtpd|9|journalctl -o short-unix"},
        HeaderCase{S, "<22>2026-01-19T00:10:56.341452+00:00 post smtpd[9]: priority",
                   "2026-01-19T00:10:56.341452Z|post|smtpd|9|priority"}));

INSTANTIATE_TEST_SUITE_P(
    Rfc5424, HeaderTest,
    testing::Values(HeaderCase{S, "<22>1 2025-08-25T00:02:28.601202+00:00 post exim 3928 - -  no host name",
                               "2025-08-25T00:02:28.601202Z|post|exim|3928|no host name"},
                    HeaderCase{S, "<22>1 2025-08-25T00:02:28Z post postfix/smtpd 3928 - - one blank",
                               "2025-08-25T00:02:28Z|post|postfix/smtpd|3928|one blank"},
                    HeaderCase{S, "1 2025-08-25T00:02:28Z post smtpd 7 ID47 - without priority",
                               "2025-08-25T00:02:28Z|post|smtpd|7|without priority"},
                    HeaderCase{S, "<22>1 2025-08-25T00:02:28Z post smtpd 7 - [a@1 k=\"v\"][b c=\"\\\"] \\\\\"] text",
                               "2025-08-25T00:02:28Z|post|smtpd|7|text"},
                    HeaderCase{S, "<22>1 2025-08-25T00:02:28Z - imapd - - - \xef\xbb\xbfmarked",
                               "2025-08-25T00:02:28Z||imapd|0|marked"},
                    HeaderCase{S, "<22>1 2025-08-25T00:02:28Z post smtpd abc - -   a blank of the text",
                               "2025-08-25T00:02:28Z|post|smtpd|0| a blank of the text"}));

INSTANTIATE_TEST_SUITE_P(
    NoHeader, HeaderTest,
    testing::Values(HeaderCase{S, "smtpd[1]: 192.0.2.1 without a stamp", "no header"},
                    HeaderCase{S, "  continued text Mar  2 00:00:01 mail sshd[9]: x", "no header"},
                    HeaderCase{S, "-- Boot 0123 --", "no header"},
                    HeaderCase{S, "Mar 32 00:00:01 mail sshd[9]: day", "no header"},
                    HeaderCase{S, "Mar  0 00:00:01 mail sshd[9]: day", "no header"},
                    HeaderCase{S, "Mar  2 24:00:01 mail sshd[9]: hour", "no header"},
                    HeaderCase{S, "Mar  2 00:60:01 mail sshd[9]: minute", "no header"},
                    HeaderCase{S, "Mar  2 00:00:61 mail sshd[9]: second", "no header"},
                    HeaderCase{S, "Mai  2 00:00:01 mail sshd[9]: another tongue", "no header"},
                    HeaderCase{S, "2026-13-19T00:10:56Z post smtpd[9]: month", "no header"},
                    HeaderCase{S, "2026-01-19T00:10:5aZ post smtpd[9]: second", "no header"},
                    HeaderCase{S, "2026-01-19T00:10:56.Z post smtpd[9]: fraction", "no header"},
                    HeaderCase{S, "2026-01-19T00:10:56Zpost smtpd[9]: blank", "no header"},
                    HeaderCase{S, "Mar  2 00:00:01", "no header"}, HeaderCase{S, "Mar  2 00:00:01 ", "no header"},
                    HeaderCase{S, "<22>1 2025-08-25T00:02:28Z post smtpd 7", "no header"},
                    HeaderCase{S, "<22>1 2025-08-25T00:02:28Z post smtpd 7 - [a k=\"v] text", "no header"},
                    HeaderCase{S, "<1234>Mar  2 00:00:01 mail sshd[9]: x", "no header"},
                    HeaderCase{S, "<>Mar  2 00:00:01 mail sshd[9]: x", "no header"},
                    HeaderCase{S, "", "continuation"}));

// What journalctl 252 printed of tests/journal, in several zones.
INSTANTIATE_TEST_SUITE_P(
    JournalctlShort, HeaderTest,
    testing::Values(
        HeaderCase{S, "Sat 2026-11-21 11:31:54 UTC post sshd[17374]: three",
                   "2026-11-21T11:31:54Z|post|sshd|17374|three"},
        HeaderCase{S, "Sat 2026-11-21 08:31:54 -03 post sshd[17374]: three",
                   "2026-11-21T11:31:54Z|post|sshd|17374|three"},
        HeaderCase{S, "Sat 2026-11-21 17:16:54 +0545 post sshd[17374]: three",
                   "2026-11-21T11:31:54Z|post|sshd|17374|three"},
        HeaderCase{S, "Sat 2026-11-21 12:31:54 CET post sshd[17374]: a name is the reader's zone",
                   "2026-11-21T12:31:54Z|post|sshd|17374|a name is the reader's zone"},
        HeaderCase{S, "Sat 2026-11-21 12:31:54 CET post postfix@-.service[17374]: with a unit",
                   "2026-11-21T12:31:54Z|post|postfix@-.service|17374|with a unit"},
        HeaderCase{S, "Sat 2026-11-21 12:31:54 post sshd[17374]: no zone", "no header"},
        HeaderCase{S, "Sat 2026-11-21 12:31:54 Cet post sshd[17374]: no zone", "no header"},
        HeaderCase{S, "Sab 2026-11-21 12:31:54 CET post sshd[17374]: no day", "no header"},
        HeaderCase{S, "Sat 2026-11-21T12:31:54 CET post sshd[17374]: T", "no header"},
        HeaderCase{S, "Sat 2026-13-21 12:31:54 CET post sshd[17374]: month", "no header"},
        HeaderCase{S, "Sat 2026-11-21 12:31:54 +25 post sshd[17374]: zone", "no header"},
        HeaderCase{S, "Sat 2026-11-21 12:31:54 CET", "no header"},
        HeaderCase{Form::kUptime, "[13533.940464] post sshd[17374]: three", "-|post|sshd|17374|three"},
        HeaderCase{Form::kUptime, "[    5.000001] post dovecot: imap-login: Login",
                   "-|post|dovecot|0|imap-login: Login"},
        HeaderCase{Form::kUptime, "[13533.940464                ] post sshd[17374]: three", "-|post|sshd|17374|three"},
        HeaderCase{Form::kUptime, "[13535.940389 <    1.012135 >] post sshd[17374]: x", "-|post|sshd|17374|x"},
        HeaderCase{Form::kUptime, "[13533.94046] post sshd[17374]: five digits", "no header"},
        HeaderCase{Form::kUptime, "[13533.940464 x] post sshd[17374]: a letter", "no header"},
        HeaderCase{Form::kUptime, "[13533.940464]post sshd[17374]: no blank", "no header"},
        HeaderCase{Form::kUptime, "[13533.940464", "no header"},
        HeaderCase{Form::kUptime, "[13533.940464] ", "no header"},
        HeaderCase{Form::kUptime, "      the second line of a message, which journalctl indents", "no header"},
        HeaderCase{Form::kUptime, "", "continuation"}));

INSTANTIATE_TEST_SUITE_P(
    Tagged, HeaderTest,
    testing::Values(HeaderCase{Form::kTagged, "postfix/smtpd[12]: connect from x[192.0.2.1]",
                               "-||postfix/smtpd|12|connect from x[192.0.2.1]"},
                    HeaderCase{Form::kTagged, "opendkim: text", "-||opendkim|0|text"},
                    HeaderCase{Form::kTagged, "exim[7]: 2026-03-02 00:00:01 [7] no host", "-||exim|7|no host"},
                    HeaderCase{Form::kTagged, "exim[7]: [2\\10] the rest of an entry", "continuation"},
                    HeaderCase{Form::kTagged, "postfix/smtpd[12] no colon", "no header"},
                    HeaderCase{Form::kTagged, "postfix/smtpd[]: no pid", "no header"},
                    HeaderCase{Form::kTagged, "two words: text", "no header"},
                    HeaderCase{Form::kTagged, "", "continuation"}));

constexpr std::string_view kMark = "\xef\xbb\xbf";

// Some editors, and Windows, put a mark before UTF-8 text.
TEST(Header, ByteOrderMark) {
  const std::pair<Form, std::string> lines[] = {
      {S, "Mar  2 00:00:01 mail sshd[9]: text that is long enough for the quick way to be taken"},
      {S, "2026-03-02T00:00:01Z mail sshd[9]: text"},
      {S, "<22>1 2026-03-02T00:00:01Z mail sshd 9 - - text"},
      {Form::kExim, "2026-03-02 00:00:01 text"},
      {Form::kDovecot, "Mar 02 00:00:01 imap-login: Info: text"},
      {Form::kTai64n, "@400000006982056b0ee6b280 sshd: text"},
      {Form::kUptime, "[13533.940464] post sshd[17374]: text"},
      {Form::kTagged, "sshd[9]: text"},
      {Form::kBare, "text"}};
  for (const auto& [form, line] : lines) {
    HeaderReader reader = reader_for(form), marked = reader_for(form);
    const std::string want = told(reader, line);
    EXPECT_EQ(told(marked, std::string(kMark) + line), want);
    EXPECT_EQ(told(marked, line), want) << "after it";
    EXPECT_EQ(told(marked, std::string(kMark) + std::string(kMark) + line), want) << "two files that were put together";
    EXPECT_EQ(name_of(detect_form(std::string(kMark) + line + "\n", "x")), name_of(form));
    Stamp a, b;
    EXPECT_EQ(read_stamp(form, std::string(kMark) + line, a), read_stamp(form, line, b));
  }
  HeaderReader reader = reader_for(S);
  EXPECT_EQ(told(reader, std::string(kMark) + "no stamp"), "no header");
  EXPECT_EQ(told(reader, std::string(kMark)), "continuation");
  EXPECT_EQ(told(reader, "\xef\xbb Mar  2 00:00:01 mail sshd[9]: half a mark"), "no header");
}

constexpr Form E = Form::kExim;
constexpr Form D = Form::kDovecot;
constexpr Form T = Form::kTai64n;

INSTANTIATE_TEST_SUITE_P(
    Own, HeaderTest,
    testing::Values(
        HeaderCase{E, "2026-02-03 10:18:01 no host name found", "2026-02-03T10:18:01Z||exim|0|no host name found"},
        HeaderCase{E, "2026-02-03 10:18:01 [123] no host name found",
                   "2026-02-03T10:18:01Z||exim|123|no host name found"},
        HeaderCase{E, "2026-02-03 10:18:01 +0100 [123] no host", "2026-02-03T09:18:01Z||exim|123|no host"},
        HeaderCase{E, "2026-02-03 10:18:01.250 -0330 no host", "2026-02-03T13:48:01.250000Z||exim|0|no host"},
        HeaderCase{E, "2026-02-03 10:18:01 [192.0.2.1] x", "2026-02-03T10:18:01Z||exim|0|[192.0.2.1] x"},
        HeaderCase{E, "P Received: from x", "continuation"}, HeaderCase{E, "  To: y", "continuation"},
        HeaderCase{E, "----------------------------------------", "continuation"},
        HeaderCase{E, "Envelope-from: <a@example.org>", "continuation"},
        HeaderCase{E, "Mar  2 00:00:01 mail sshd[9]: another log's line", "no header"},
        HeaderCase{E, "2026-02-03T10:18:01Z mail sshd[9]: another log's line", "no header"},
        HeaderCase{S, "Mar  2 00:00:01 mail exim[9]: 2026-03-02 00:00:01 no host",
                   "2026-03-02T00:00:01Z|mail|exim|9|no host"},
        HeaderCase{S, "Mar  2 00:00:01 mail exim[9]: 2026-03-02 00:00:01 +0000 [9] no host",
                   "2026-03-02T00:00:01Z|mail|exim|9|no host"},
        HeaderCase{S, "Mar  2 00:00:01 mail exim: 2026-03-02 00:00:01.123 [9] no host",
                   "2026-03-02T00:00:01Z|mail|exim|9|no host"},
        HeaderCase{S, "Mar  2 00:00:01 mail exim[9]: [1\\10] first piece",
                   "2026-03-02T00:00:01Z|mail|exim|9|[1\\10] first piece"},
        HeaderCase{S, "Mar  2 00:00:01 mail exim[9]: [2\\10] Envelope-from: <x>", "continuation"},
        HeaderCase{S, "Mar  2 00:00:01 mail exim[9]: [10/10] rest", "continuation"},
        HeaderCase{S, "<22>1 2025-08-25T00:02:28Z post exim 3928 - -  [2/3] rest", "continuation"},
        HeaderCase{S, "Mar  2 00:00:01 mail other[9]: 2026-03-02 00:00:01 not Exim's",
                   "2026-03-02T00:00:01Z|mail|other|9|2026-03-02 00:00:01 not Exim's"},
        HeaderCase{D, "Feb 03 10:16:01 imap-login: Info: Login: user=<a>",
                   "2026-02-03T10:16:01Z||dovecot|0|imap-login: Login: user=<a>"},
        HeaderCase{D, "2025-02-03 10:16:01 imap-login: Info: Login: user=<a>",
                   "2025-02-03T10:16:01Z||dovecot|0|imap-login: Login: user=<a>"},
        HeaderCase{D, "Feb 03 10:16:01 imap(a)<12><s>: Info: Disconnected: x",
                   "2026-02-03T10:16:01Z||dovecot|0|imap(a)<12><s>: Disconnected: x"},
        HeaderCase{D, "Feb 03 10:16:01 auth: Error: x: Info: y",
                   "2026-02-03T10:16:01Z||dovecot|0|auth: Error: x: Info: y"},
        HeaderCase{D, "Feb 03 10:16:01 Info: bare", "2026-02-03T10:16:01Z||dovecot|0|bare"},
        HeaderCase{D, "no stamp", "no header"},
        HeaderCase{T, "@400000006982056b0ee6b280 tcpserver: pid 12 from 192.0.2.1",
                   "2026-02-03T14:25:37.250000Z||tcpserver|0|pid 12 from 192.0.2.1"},
        HeaderCase{T, "@400000006982056b0ee6b280 qmail-smtpd[12]: text",
                   "2026-02-03T14:25:37.250000Z||qmail-smtpd|12|text"},
        HeaderCase{T, "@400000006982056b0ee6b280 mail qmail-smtpd[12]: text",
                   "2026-02-03T14:25:37.250000Z|mail|qmail-smtpd|12|text"},
        HeaderCase{T, "@400000006982056b0ee6b280 words without tag: x",
                   "2026-02-03T14:25:37.250000Z||smtpd|0|words without tag: x"},
        HeaderCase{T, "@400000006982056b text", "2026-02-03T14:25:37Z||smtpd|0|text"},
        HeaderCase{T, "@40000000zz82056b0ee6b280 text", "no header"}, HeaderCase{T, "text", "no header"},
        HeaderCase{Form::kBare, "any text: [1]", "-|||0|any text: [1]"},
        HeaderCase{Form::kBare, "Mar  2 00:00:01 mail sshd[9]: text", "-|||0|Mar  2 00:00:01 mail sshd[9]: text"}));

TEST(Header, OddBytesStay) {
  HeaderReader reader = reader_for(S);
  const std::string message("a\0b\xff\x1b[31m\tz", 11);
  EXPECT_EQ(told(reader, "Mar  2 00:00:01 mail sshd[9]: " + message), "2026-03-02T00:00:01Z|mail|sshd|9|" + message);
  EXPECT_EQ(told(reader, std::string(40, '\0') + "Mar  2 00:00:01 mail sshd[9]: after zeros"),
            "2026-03-02T00:00:01Z|mail|sshd|9|after zeros");
  EXPECT_EQ(told(reader, std::string(40, '\0')), "no header");
  EXPECT_EQ(told(reader, std::string(16, '\xff') + std::string(200, 'x')), "no header");
}

// More programs and hosts than the table holds, in turn: never another's header.
TEST(Header, ManyHeadersInTurn) {
  HeaderReader reader = reader_for(S);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      const std::string host = fmt::format("host{}", i % 37), program = fmt::format("prog{}/smtpd", i);
      const std::string line = fmt::format("Mar  2 00:{:02}:{:02} {} {}[{}]: message number {} and so on and on and on",
                                           i / 60, i % 60, host, program, i + 1, i);
      ASSERT_EQ(told(reader, line),
                fmt::format("2026-03-02T00:{:02}:{:02}Z|{}|{}|{}|message number {} and so on and on and on", i / 60,
                            i % 60, host, program, i + 1, i));
    }
  }
}

// The last header is remembered as a whole; what it refers to may be given to another one meanwhile.
TEST(Header, LastHeaderIsForgottenWithItsSlot) {
  HeaderReader reader = reader_for(S);
  const std::string tail = "message that is long enough for the quick way to be taken";
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(told(reader, "Mar  2 00:00:01 mail smtpd[9]: " + tail), "2026-03-02T00:00:01Z|mail|smtpd|9|" + tail);
    ASSERT_EQ(told(reader, fmt::format("Mar  2 00:00:01 m{} daemon{}: {}", i, i * 7, tail)),
              fmt::format("2026-03-02T00:00:01Z|m{}|daemon{}|0|{}", i, i * 7, tail));
  }
}

// A zone that changes in the middle of a minute: 02:00:30 becomes 03:00:30.
TEST(Header, SecondsOfAMinuteInWhichTheZoneChanges) {
  const auto zone = Zone::load("AAA0BBB-1,M3.5.0/2:00:30,M10.5.0/3:00:30");
  ASSERT_TRUE(zone.has_value());
  HeaderReader reader(S, TimeFold(*zone, 2025));
  const std::string tail = " mail postfix/smtpd[1]: text that is long enough for the quick way to be taken here";
  EXPECT_EQ(told(reader, "Mar 30 03:00:40" + tail).substr(0, 20), "2025-03-30T02:00:40Z");
  EXPECT_EQ(told(reader, "Mar 30 03:00:10" + tail).substr(0, 20), "2025-03-30T03:00:10Z");
}

TEST(Header, NoteStaysWithItsHeader) {
  HeaderReader reader = reader_for(S);
  Record r;
  const std::string a = "Mar  2 00:00:01 mail postfix/smtpd[1]: text that is long enough for the quick way to be taken";
  const std::string b =
      "Mar  2 00:00:01 mail postfix/smtpd[22]: text that is long enough for the quick way to be taken";
  const std::string c = "Mar  2 00:00:01 mail postfix/qmgr[22]: text that is long enough for the quick way to be taken";
  ASSERT_EQ(reader.read(a, r), Took::kRecord);
  EXPECT_EQ(r.note->value, 0u);
  r.note->value = 7;
  ASSERT_EQ(reader.read(b, r), Took::kRecord);
  EXPECT_EQ(r.note->value, 7u);  // the pid makes no other header
  ASSERT_EQ(reader.read(c, r), Took::kRecord);
  EXPECT_EQ(r.note->value, 0u);
  ASSERT_EQ(reader.read(a, r), Took::kRecord);
  EXPECT_EQ(r.note->value, 7u);
}

// A bracket that holds no pid belongs to the text: the word before it is no program, and what is known
// of that program is nothing to such a line, whichever comes first.
TEST(Header, NoteOfALineWithoutProgramIsItsOwn) {
  HeaderReader reader = reader_for(S);
  Record r;
  const std::string odd = "Mar  2 10:00:00 mail sshd[abc junk junk junk junk junk junk junk junk";
  const std::string usual =
      "Mar  2 10:00:01 mail sshd[121]: Failed password for invalid user bob from 198.51.100.9 port 4000 ssh2";
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(reader.read(odd, r), Took::kRecord);
    EXPECT_EQ(r.program, "");
    EXPECT_EQ(r.note->value, 0u);
    r.note->value = 8;
    ASSERT_EQ(reader.read(usual, r), Took::kRecord);
    EXPECT_EQ(r.program, "sshd");
    EXPECT_EQ(r.note->value, round == 0 ? 0u : 7u);
    r.note->value = 7;
  }
}

TEST(Header, NoteOfOwnFormsAndRfc5424) {
  for (const auto& [form, line] :
       {std::pair{E, "2026-02-03 10:18:01 text"}, std::pair{D, "Feb 03 10:16:01 auth: Info: x"},
        std::pair{S, "<22>1 2026-02-03T10:18:01Z a b 7 - - text"}}) {
    HeaderReader reader = reader_for(form);
    Record r;
    ASSERT_EQ(reader.read(line, r), Took::kRecord);
    r.note->value = 7;
    ASSERT_EQ(reader.read(line, r), Took::kRecord);
    EXPECT_EQ(r.note->value, 7u) << line;
  }
}

TEST(Header, SecondsOfAMinuteAcrossAChangeOfZone) {
  const auto zone = Zone::load("Europe/Berlin");
  ASSERT_TRUE(zone.has_value());
  HeaderReader reader(S, TimeFold(*zone, 2025));
  const std::string tail = " mail postfix/smtpd[1]: text that is long enough for the quick way to be taken here";
  EXPECT_EQ(told(reader, "Oct 26 02:59:58" + tail).substr(0, 20), "2025-10-26T00:59:58Z");
  EXPECT_EQ(told(reader, "Oct 26 02:59:59" + tail).substr(0, 20), "2025-10-26T00:59:59Z");
  EXPECT_EQ(told(reader, "Oct 26 02:00:00" + tail).substr(0, 20), "2025-10-26T01:00:00Z");
  EXPECT_EQ(told(reader, "Oct 26 02:00:01" + tail).substr(0, 20), "2025-10-26T01:00:01Z");
  EXPECT_EQ(told(reader, "Dec 26 02:00:01" + tail).substr(0, 20), "2025-12-26T01:00:01Z");
  EXPECT_EQ(told(reader, "Dec 26 02:00:59" + tail).substr(0, 20), "2025-12-26T01:00:59Z");
  EXPECT_EQ(told(reader, "Dec 26 02:00:60" + tail).substr(0, 20), "2025-12-26T01:01:00Z");
  EXPECT_EQ(told(reader, "Dec 26 02:00:07" + tail).substr(0, 20), "2025-12-26T01:00:07Z");
}

TEST(Header, FirstOpenStampTellsWhatHangsOnTheGuess) {
  HeaderReader reader = reader_for(S);
  EXPECT_EQ(reader.first_open_stamp(), nullptr);
  told(reader, "2026-01-19T00:10:56Z post smtpd[9]: says its year and its offset");
  EXPECT_EQ(reader.first_open_stamp(), nullptr);
  reader.restart(Instant{} + std::chrono::days(365 * 30));
  told(reader, "Mar  2 00:00:01 mail sshd[9]: x");
  ASSERT_NE(reader.first_open_stamp(), nullptr);
  EXPECT_EQ(reader.first_open_stamp()->month, 3);
  EXPECT_EQ(format_instant(reader.fold().previous(), false), "2000-03-02T00:00:01Z");
}

struct FormCase {
  const char* name;
  std::string text;
  Form want;
};
class FormTest : public testing::TestWithParam<FormCase> {};
TEST_P(FormTest, IsFound) {
  EXPECT_EQ(name_of(detect_form(GetParam().text, GetParam().name)), name_of(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, FormTest,
    testing::Values(
        FormCase{"mail.log", "Mar  2 00:00:01 mail sshd[9]: x\nMar  2 00:00:01 mail dovecot: imap-login: Error: x\n",
                 S},
        FormCase{"mail.log", "2026-01-19T00:10:56Z post smtpd[9]: x\n", S},
        FormCase{"mail.log", "<22>1 2026-01-19T00:10:56Z post smtpd 9 - - x\n", S},
        FormCase{"mail.log", "junk\nMar  2 00:00:01 mail sshd[9]: x\n", S},
        FormCase{"mail.log", std::string(100, '\0') + "Mar  2 00:00:01 mail sshd[9]: x\n", S},
        FormCase{"mail.log", "", S},
        FormCase{"mail.log", "2026-01-19 00:10:56 post smtpd[9]: x\n2026-01-19 00:10:56 post dovecot[9]: imap: x\n", S},
        FormCase{"mainlog", "", E},
        FormCase{"x",
                 "2026-02-03 10:18:01 exim 4.96 daemon started: pid=12, -q30m\n2026-02-03 10:18:01 [9] no host name "
                 "found for IP address 192.0.2.1\n",
                 E},
        FormCase{"rejectlog",
                 "2026-02-03 10:18:01 H=x rejected\nEnvelope-from: <a>\nEnvelope-to: <b>\nP Received: x\n  To: y\n", E},
        FormCase{"dovecot.log",
                 "Feb 03 10:16:01 master: Info: Dovecot v2.3.19 starting up\nFeb 03 10:16:01 imap-login: Info: Login: "
                 "user=<a b>\n",
                 D},
        FormCase{"x", "2025-02-03 10:16:01 auth: Error: x\n2025-02-03 10:16:01 imap(a)<12><s>: Info: x\n", D},
        FormCase{"current", "@400000006982056b0ee6b280 tcpserver: pid 12 from 192.0.2.1\n", T},
        FormCase{"x", "Sat 2026-11-21 12:31:54 CET post sshd[17374]: three\n", S},
        FormCase{"x", "[13533.940464] post sshd[17374]: three\n[13533.940465 <    0.000001 >] post sshd[17374]: x\n",
                 Form::kUptime},
        FormCase{"x", "postfix/smtpd[12]: connect from x[192.0.2.1]\nstarting\npostfix/smtpd[12]: lost\n",
                 Form::kTagged},
        FormCase{"x", "error: no pid\nerror: another one\nsshd[9]: one with a pid\n", Form::kBare},
        FormCase{"x", "2026-03-02T10:00:00.123456789Z stdout F Mar  2 10:00:00 mail sshd[9]: x\n", Form::kCri},
        FormCase{"x", "2026-03-02T10:00:00.123456789Z stdout X not its tag\n", S},
        FormCase{"x", "connect from unknown[192.0.2.1]\ndisconnect\n", Form::kBare},
        FormCase{"x", "connect from unknown[192.0.2.1]\ndisconnect\nMar  2 00:00:01 mail sshd[9]: pasted by a client\n",
                 Form::kBare},
        FormCase{"x", "{\"MESSAGE\":\"x\",\"__REALTIME_TIMESTAMP\":\"1\"}\n", Form::kJournalJson},
        FormCase{"x", "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-19T00:10:56Z\"}\n",
                 Form::kDockerJson},
        FormCase{"x", "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1\nMESSAGE=x\n\n", Form::kJournalExport},
        FormCase{"x", "_PID=9\nMESSAGE=cut\n\n__CURSOR=s=1\n__REALTIME_TIMESTAMP=1\nMESSAGE=x\n\n",
                 Form::kJournalExport},
        FormCase{"x", "connect\ndisconnect\na message\n\n__CURSOR=s=1\nof three lines\n", Form::kBare},
        FormCase{"x", "_PID=9\nMESSAGE=no entry begins\n\n__MONOTONIC_TIMESTAMP=1\n", Form::kBare},
        FormCase{"x", "Mar  2 00:00:01 mail sshd[9]: a log\n\n__CURSOR=s=1\n", S}));

}  // namespace
}  // namespace mailward
