#include "log/record_stream.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/test_folder.h"
#include "log/base_year.h"
#include "log/journal_fields.h"
#include "log/json_scan.h"
#include "log/log_set.h"

namespace mailward {
namespace {

class StreamTest : public FolderTest {
 protected:
  // "time|host|program|pid|message" of each record.
  std::vector<std::string> read(const std::string& text, Form expected) {
    const std::string path = folder_ + "/log";
    std::ofstream(path, std::ios::binary) << text;
    OpenedLogs logs = arrange_logs(open_files(std::vector<std::string>{path}));
    if (logs.sets.empty()) return {"not opened"};
    LogPart& part = logs.sets[0].parts[0];
    EXPECT_EQ(name_of(part.form), name_of(expected));
    auto stream = open_records(part, TimeFold(zone_, 2026));
    if (!stream) return {stream.error().message};
    std::vector<std::string> out;
    Record r;
    while (true) {
      const auto more = (*stream)->next(r);
      if (!more) out.push_back("trouble: " + more.error().message);
      if (!more || !*more) break;
      out.push_back(fmt::format("{}|{}|{}|{}|{}", has_time(r.time) ? format_instant(r.time, true) : "-", r.host,
                                r.program, r.pid, r.message));
      unit_ = r.origin != nullptr ? std::string(r.origin->unit) : "none";
    }
    figures_ = (*stream)->figures();
    return out;
  }

  Zone zone_;
  std::string unit_;
  StreamFigures figures_;
};

using Lines = std::vector<std::string>;

const std::string kEntry =
    R"("__REALTIME_TIMESTAMP":"1768781456341452","_HOSTNAME":"post","SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"97","SYSLOG_PID":"98","_TRANSPORT":"syslog","_UID":"0")";
const std::string kHead = "2026-01-19T00:10:56.341452Z|post|postfix/smtpd|97|";

std::string entry(const std::string& members) { return "{" + kEntry + "," + members + "}\n"; }

TEST_F(StreamTest, JournalJson) {
  EXPECT_EQ(
      read(entry(R"("MESSAGE":"plain")") + entry(R"("MESSAGE":"a \"q\" \\ \/ \n \u00e9 \ud83d\ude00 \u001b[31m")") +
               entry(R"("MESSAGE":[104,105,255,0,10,104])") + entry(R"("MESSAGE":["first","second"])") +
               entry(R"("MESSAGE":[[104,105],"second"])") + entry(R"("MESSAGE":null)") +
               entry(R"("MESSAGE":"trailing\n")"),
           Form::kJournalJson),
      (Lines{kHead + "plain", kHead + "a \"q\" \\ / \n \xc3\xa9 \xf0\x9f\x98\x80 \x1b[31m",
             kHead + std::string("hi\xff\0\nh", 6), kHead + "first", kHead + "hi", kHead + "trailing"}));
  EXPECT_EQ(figures_.lines, 7u);
  EXPECT_EQ(figures_.no_header, 1u);
}

TEST_F(StreamTest, JournalJsonFields) {
  const std::string time = R"("__REALTIME_TIMESTAMP":"1768781456341452")";
  EXPECT_EQ(
      read(
          "{" + time + R"(,"_COMM":"smtpd","_PID":"7","_TRANSPORT":"stdout","MESSAGE":"x"})" + "\n" + "{" + time +
              R"(,"_SOURCE_REALTIME_TIMESTAMP":"1768781456000000","SYSLOG_IDENTIFIER":"dovecot","_PID":"7","_TRANSPORT":"syslog","MESSAGE":"no pid in the tag"})" +
              "\n" + "{" + time +
              R"( , "SYSLOG_IDENTIFIER" : "exim" , "SYSLOG_PID" : "7", "other" : {"a":[1,{"b":"}"}]} , "MESSAGE" : "2026-01-19 00:10:56 x" } )" +
              "\n",
          Form::kJournalJson),
      (Lines{"2026-01-19T00:10:56.341452Z||smtpd|7|x", "2026-01-19T00:10:56.000000Z||dovecot|0|no pid in the tag",
             "2026-01-19T00:10:56.341452Z||exim|7|x"}));
}

TEST_F(StreamTest, JournalJsonBroken) {
  const std::string good = entry(R"("MESSAGE":"good")");
  EXPECT_EQ(read(good + "{\"MESSAGE\":\"x\"\n" + "{\"MESSAGE\":\"x\",}\n" + "[]\n\n" +
                     entry("\"MESSAGE\":\"bad \\x escape\"") + entry("\"MESSAGE\":[1,256]") +
                     entry("\"MESSAGE\":[1,]") + "{" + kEntry + "}\n" + R"({"MESSAGE":"no time"})" + "\n" +
                     R"({"MESSAGE":"far","__REALTIME_TIMESTAMP":"99999999999999999999"})" + "\n" +
                     good.substr(0, good.size() - 1),
                 Form::kJournalJson),
            (Lines{kHead + "good", kHead + "good"}));
  EXPECT_EQ(figures_.no_header, 10u);
}

TEST_F(StreamTest, OrdinaryUserIsNotBelieved) {
  const std::string base = R"({"__REALTIME_TIMESTAMP":"1768781456341452","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"x")";
  const auto believed = [&](const std::string& more) { return !read(base + more + "}\n", Form::kJournalJson).empty(); };
  EXPECT_TRUE(believed(R"(,"_UID":"0","_SYSTEMD_UNIT":"ssh.service")"));
  EXPECT_EQ(unit_, "ssh.service");
  EXPECT_TRUE(believed(R"(,"_UID":"0","_SYSTEMD_UNIT":"session-3.scope")"));
  EXPECT_TRUE(believed(R"(,"_UID":"110","_SYSTEMD_UNIT":"postfix@-.service")"));
  EXPECT_TRUE(believed(R"(,"_UID":"5000","_SYSTEMD_UNIT":"dovecot.service")"));
  EXPECT_TRUE(believed(R"(,"_UID":"65534")"));
  EXPECT_TRUE(believed(""));
  EXPECT_FALSE(believed(R"(,"_UID":"1000","_SYSTEMD_UNIT":"session-3.scope")"));
  EXPECT_FALSE(believed(R"(,"_UID":"1000","_SYSTEMD_UNIT":"user@1000.service","_SYSTEMD_USER_UNIT":"ssh.service")"));
  EXPECT_FALSE(believed(R"(,"_UID":"1000","_SYSTEMD_UNIT":"ssh.service","_SYSTEMD_USER_UNIT":"x.service")"));
  EXPECT_FALSE(believed(R"(,"_UID":"1000")"));
  EXPECT_EQ(figures_.untrusted, 1u);
}

TEST_F(StreamTest, RestOfALineThatJournaldCutIsNoRecord) {
  const std::string stream = R"(,"_STREAM_ID":"abc","MESSAGE":)";
  const std::string other = R"(,"_STREAM_ID":"def","MESSAGE":)";
  const std::string head = "{" + kEntry, end = "}\n",
                    marked = R"(,"_LINE_BREAK":"line-max"})"
                             "\n";
  EXPECT_EQ(read(head + stream + "\"one\"" + marked + head + other + "\"other\"" + end + head + stream + "\"two\"" +
                     marked + head + stream + "\"three\"" + end + head + stream + "\"four\"" + end,
                 Form::kJournalJson),
            (Lines{kHead + "one", kHead + "other", kHead + "four"}));
}

// Entries of one writer, numbered; a loss shows as a record of journald's.
std::string numbered(std::string_view id, uint64_t n, bool in_cursor, bool exported) {
  const std::string cursor = fmt::format("s={};i={:x};b=0;m=1;t=2;x=3", id, n);
  if (exported) {
    const std::string fields =
        "__REALTIME_TIMESTAMP=1768781456341452\n_HOSTNAME=post\nSYSLOG_IDENTIFIER=t\n_PID=97\nMESSAGE=m\n\n";
    return in_cursor ? fmt::format("__CURSOR={}\n", cursor) + fields
                     : "__CURSOR=s=x;i=zz\n" + fmt::format("__SEQNUM={}\n__SEQNUM_ID={}\n", n, id) + fields;
  }
  const std::string fields =
      R"("__REALTIME_TIMESTAMP":"1768781456341452","_HOSTNAME":"post","SYSLOG_IDENTIFIER":"t","_PID":"97","MESSAGE":"m"})"
      "\n";
  return in_cursor ? fmt::format(R"({{"__CURSOR":"{}",)", cursor) + fields
                   : fmt::format(R"({{"__SEQNUM":"{}","__SEQNUM_ID":"{}",)", n, id) + fields;
}

TEST_F(StreamTest, HolesInTheNumbersAreLosses) {
  struct Case {
    const char* what;
    uint64_t run;                // entries without a hole
    std::vector<uint64_t> then;  // numbers that follow
    const char* losses;          // how many entries each lacks
  };
  constexpr uint64_t kRun = JournalSequence::kWholeRun;
  const Case cases[] = {
      {"none", kRun, {kRun + 1, kRun + 2}, ""},
      {"one", kRun, {kRun + 4, kRun + 5}, "3 "},
      {"a selection: holes everywhere", 10, {20, 30, 31, 40}, ""},
      {"a selection: a run that is too short", kRun - 1, {kRun + 50}, ""},
      {"soon after another hole", kRun, {kRun + 4, kRun + 9}, "3 "},
      {"backwards", kRun, {5, 6, 7}, ""},
      {"the same again", kRun, {kRun, kRun + 1}, ""},
  };
  for (const Case& c : cases) {
    for (const int form : {0, 1, 2, 3}) {
      SCOPED_TRACE(fmt::format("{}, form {}", c.what, form));
      const bool in_cursor = form % 2 == 0, exported = form >= 2;
      std::string text;
      for (uint64_t n = 1; n <= c.run; ++n) text += numbered("abc", n, in_cursor, exported);
      for (const uint64_t n : c.then) {
        text += numbered("abc", n, in_cursor, exported);
        text += numbered("other", n * 7, in_cursor, exported);  // another machine's, merged
      }
      std::string losses;
      uint64_t records = 0;
      for (const std::string& r : read(text, exported ? Form::kJournalExport : Form::kJournalJson)) {
        const std::string_view head = "2026-01-19T00:10:56.341452Z|post|systemd-journald|0|Missed ";
        if (r.starts_with(head)) {
          losses += r.substr(head.size(), r.find(' ', head.size()) - head.size()) + " ";
        } else {
          ++records;
        }
      }
      EXPECT_EQ(losses, c.losses);
      EXPECT_EQ(records, c.run + 2 * c.then.size());
      EXPECT_EQ(figures_.lines, records);
    }
  }
}

std::string binary(const std::string& name, const std::string& value) {
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[static_cast<size_t>(i)] = static_cast<char>(value.size() >> (8 * i) & 0xff);
  return name + "\n" + length + value + "\n";
}

TEST_F(StreamTest, JournalExport) {
  const std::string head =
      "__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1768781456341452\n_HOSTNAME=post\nSYSLOG_IDENTIFIER=postfix/"
      "smtpd\n_PID=97\nSYSLOG_PID=97\n";
  const std::string odd("a\nMESSAGE=forged\n\n__REALTIME_TIMESTAMP=1\n\xff\0z", 45);
  EXPECT_EQ(
      read(head + "MESSAGE=one=1\n\n" + head + binary("MESSAGE", odd) + "_UID=0\n\n\n" + head +
               binary("OTHER", "x\ny") + "MESSAGE=three\n\n" + head + "\n" + head + "MESSAGE=no empty line behind it",
           Form::kJournalExport),
      (Lines{kHead + "one=1", kHead + odd, kHead + "three", kHead + "no empty line behind it"}));
  EXPECT_EQ(figures_.lines, 5u);
  EXPECT_EQ(figures_.no_header, 1u);
  // An absurd length, a length cut off, a value cut off.
  EXPECT_EQ(read(head +
                     "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7f"
                     "rest\n\n" +
                     head + "MESSAGE=good\n\n" + head + "MESSAGE\n\x09",
                 Form::kJournalExport),
            (Lines{kHead + "good"}));
  EXPECT_EQ(read(head + "MESSAGE=good\n\n" + head + binary("MESSAGE", std::string(3000, 'x')).substr(0, 1000),
                 Form::kJournalExport),
            (Lines{kHead + "good"}));
}

TEST_F(StreamTest, JournalExportWithoutItsHead) {
  const std::string head = "__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1768781456341452\n",
                    rest = "_HOSTNAME=post\nSYSLOG_IDENTIFIER=postfix/smtpd\n_PID=97\n";
  const std::string entries = head + rest + "MESSAGE=two\n\n" + head + rest + "MESSAGE=three\n\n";
  const Lines whole{kHead + "two", kHead + "three"};
  const std::string cuts[] = {
      rest + "MESSAGE=one\n\n",                                   // at a line's end
      "STNAME=post\nMESSAGE=one\n\n",                             // in a name
      rest + "MESSAGE=one\n\n\n\n",                               // more empty lines
      "a value with\n\nempty lines\nand __CURSOR=\n_PID=97\n\n",  // in a value
      std::string("\x0f\0\0\0\0\0\0\0of fifteen byte\n\n", 25),   // in the length of one
      "__CURSOR_LIKE=1\nMESSAGE=one\n\n",
  };
  for (const std::string& cut : cuts) {
    SCOPED_TRACE(cut);
    EXPECT_EQ(read(cut + entries, Form::kJournalExport), whole);
    EXPECT_EQ(figures_.lines, 3u);
    EXPECT_EQ(figures_.no_header, 1u);
  }
  EXPECT_EQ(read(entries, Form::kJournalExport), whole);
  EXPECT_EQ(figures_.no_header, 0u);
  EXPECT_EQ(read(std::string("\xef\xbb\xbf") + entries, Form::kJournalExport), whole);
}

std::string docker(const std::string& log, const std::string& stream = "stdout") {
  return nlohmann::json{{"log", log}, {"stream", stream}, {"time", "2026-01-19T00:10:56.123456789Z"}}.dump() + "\n";
}

TEST_F(StreamTest, DockerJoinsPieces) {
  const std::string t = "2026-01-19T00:10:56.123456Z|";
  EXPECT_EQ(read(docker("Jan 19 00:10:50 post postfix/smtpd[97]: one\n") +
                     docker("Jan 19 00:10:50 post postfix/smtpd[97]: tw") +
                     docker("Jan 19 00:10:50 post x[1]: of another stream\n", "stderr") + docker("o\n") +
                     docker("no header\n") + "{\"log\":1}\n" + "junk\n" +
                     docker("Jan 19 00:10:50 post postfix/smtpd[97]: three\r\n") +
                     docker("Jan 19 00:10:50 post postfix/smtpd[97]: without an end"),
                 Form::kDockerJson),
            (Lines{t + "post|postfix/smtpd|97|one", t + "post|x|1|of another stream", t + "post|postfix/smtpd|97|two",
                   t + "post|postfix/smtpd|97|three"}));
  EXPECT_EQ(figures_.no_header, 3u);
}

TEST_F(StreamTest, DockerInnerForms) {
  const std::string t = "2026-01-19T00:10:56.123456Z|";
  EXPECT_EQ(read(docker("connect from unknown\n") + docker("second\n"), Form::kDockerJson),
            (Lines{t + "||0|connect from unknown", t + "||0|second"}));
  EXPECT_EQ(read(docker("Jan 19 00:10:50 imap-login: Info: Login: user=<a>\n"), Form::kDockerJson),
            (Lines{t + "|dovecot|0|imap-login: Login: user=<a>"}));
}

TEST_F(StreamTest, ContainersThatWriteATagWithoutAStamp) {
  const std::string t = "2026-01-19T00:10:56.123456Z|";
  EXPECT_EQ(read(docker("postfix/smtpd[97]: one\n") + docker("starting\n") + docker("postfix/qmgr[98]: two\n") +
                     docker("opendkim: three\n"),
                 Form::kDockerJson),
            (Lines{t + "|postfix/smtpd|97|one", t + "|postfix/qmgr|98|two", t + "|opendkim|0|three"}));
  EXPECT_EQ(figures_.no_header, 1u);
  const std::string cri = "2026-01-19T01:10:56.123456789+01:00 stdout F ";
  EXPECT_EQ(read(cri + "postfix/smtpd[97]: one\n" + cri + "starting\n" + cri + "postfix/smtpd[97]: two\n", Form::kCri),
            (Lines{t + "|postfix/smtpd|97|one", t + "|postfix/smtpd|97|two"}));
  EXPECT_EQ(figures_.no_header, 1u);
}

TEST_F(StreamTest, CriJoinsPieces) {
  const std::string at = "2026-01-19T00:10:56.123456789Z ", t = "2026-01-19T00:10:56.123456Z|";
  const std::string head = "Jan 19 00:10:50 post postfix/smtpd[97]: ";
  EXPECT_EQ(read(at + "stdout F " + head + "one\n" + at + "stdout P " + head + "tw\n" + at + "stderr F " + head +
                     "of another stream\n" + at + "stdout P:more:tags o an\n" + at + "stdout F d more\n" + at +
                     "stdout F no header\n" + at + "stdin F " + head + "no stream\n" + at + "stdout X " + head +
                     "no tag\n" + "junk\n\n" + at + "stdout F " + head + "three\r\n" + at + "stdout F\n" + at +
                     "stdout P " + head + "without an end\n",
                 Form::kCri),
            (Lines{t + "post|postfix/smtpd|97|one", t + "post|postfix/smtpd|97|of another stream",
                   t + "post|postfix/smtpd|97|two and more", t + "post|postfix/smtpd|97|three"}));
  EXPECT_EQ(figures_.no_header, 4u);
  EXPECT_EQ(read(at + "stdout F connect from unknown\n", Form::kCri), (Lines{t + "||0|connect from unknown"}));
}

TEST_F(StreamTest, CriEndlessLineIsLeftOut) {
  const std::string at = "2026-01-19T00:10:56.123456789Z stdout ";
  std::string text = at + "F Jan 19 00:10:50 post a[1]: first\n";
  for (int i = 0; i < 100; ++i) text += at + "P " + std::string(16384, 'x') + "\n";
  text += at + "F end\n" + at + "F Jan 19 00:10:50 post a[1]: last\n";
  EXPECT_EQ(read(text, Form::kCri).size(), 2u);
  EXPECT_EQ(figures_.overlong, 1u);
}

TEST_F(StreamTest, WideTextIsRefusedWithWhatToDo) {
  const std::string line = "Jan 19 00:10:56 post a[1]: one\r\n";
  std::string little, big;
  for (const char c : line) {
    little += {c, '\0'};
    big += {'\0', c};
  }
  const auto trouble = [&](const std::string& text) {
    std::ofstream(folder_ + "/log", std::ios::binary) << text;
    const OpenedLogs logs = arrange_logs(open_files(std::vector<std::string>{folder_ + "/log"}));
    EXPECT_EQ(logs.sets.empty(), !logs.trouble.empty());
    return logs.trouble.empty() ? "" : logs.trouble[0].substr(folder_.size());
  };
  const std::string says =
      "/log is UTF-16LE text, and a log must be ASCII or UTF-8; convert it: iconv -f UTF-16LE "
      "-t UTF-8 FILE | mailward scan -";
  EXPECT_EQ(trouble("\xff\xfe" + little), says);
  EXPECT_EQ(trouble(little), says);
  EXPECT_THAT(trouble("\xfe\xff" + big), testing::HasSubstr("iconv -f UTF-16BE"));
  EXPECT_THAT(trouble(big), testing::HasSubstr("iconv -f UTF-16BE"));
  EXPECT_EQ(trouble(line), "");
  EXPECT_EQ(trouble(std::string(100, '\0') + line), "");  // what a power cut leaves
  EXPECT_EQ(trouble(""), "");
  EXPECT_EQ(trouble(std::string("a\0b\0", 4)), "");
}

TEST_F(StreamTest, DockerEndlessLineIsLeftOut) {
  std::string text = docker("Jan 19 00:10:50 post a[1]: first\n");
  for (int i = 0; i < 100; ++i) text += docker(std::string(16384, 'x'));
  text += docker("end\n") + docker("Jan 19 00:10:50 post a[1]: last\n");
  EXPECT_EQ(read(text, Form::kDockerJson).size(), 2u);
  EXPECT_EQ(figures_.overlong, 1u);
  EXPECT_EQ(figures_.continued, 100u);
  EXPECT_EQ(figures_.lines, 103u);
}

TEST_F(StreamTest, EveryLineIsInOneFigure) {
  const std::string good = "Jan 19 00:10:56 post a[1]: one\n", at = "2026-01-19T00:10:56Z stdout ";
  const std::string endless = std::string(3 << 20, 'x') + "\n";
  const std::pair<Form, std::string> texts[] = {
      {Form::kSyslog, good + good + "junk\n\n" + endless + good},
      {Form::kDockerJson, docker(good) + docker(good) + "junk\n\n" + endless + docker("piece")},
      {Form::kCri, at + "F " + good + at + "F " + good + "junk\n\n" + endless + at + "P piece\n"},
      {Form::kExim, "2026-02-03 10:18:01 x\n2026-02-03 10:18:01 y\n" + good + "  To: y\n" + endless}};
  for (const auto& [form, text] : texts) {
    SCOPED_TRACE(name_of(form));
    const size_t records = read(text, form).size();
    EXPECT_EQ(records + figures_.no_header + figures_.continued + figures_.overlong, figures_.lines);
    EXPECT_EQ(figures_.lines, static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n')));
    EXPECT_EQ(figures_.no_header, 1u);
    EXPECT_EQ(figures_.overlong, 1u);
  }
}

TEST_F(StreamTest, HeaderLines) {
  EXPECT_EQ(read("Jan 19 00:10:56 post a[1]: one\r\njunk\n\nJan 19 00:10:57 post a[1]: two", Form::kSyslog),
            (Lines{"2026-01-19T00:10:56.000000Z|post|a|1|one", "2026-01-19T00:10:57.000000Z|post|a|1|two"}));
  EXPECT_EQ(figures_.lines, 4u);
  EXPECT_EQ(figures_.no_header, 1u);
  EXPECT_EQ(read("one\ntwo: three\n", Form::kBare), (Lines{"-|||0|one", "-|||0|two: three"}));
}

// Our scanner against a whole parser, on values that it must take apart alike.
TEST(JsonScan, AgreesWithAParser) {
  const std::string texts[] = {"",     "plain",    "q\"b\\s/\b\f\n\r\t", std::string("\0\x01\x1f", 3),
                               "é€😀", "\\\\\\\"", "ends with \\"};
  for (const std::string& text : texts) {
    for (const bool ascii : {false, true}) {
      const std::string json =
          nlohmann::json{{"a", 1}, {"key", text}, {"z", {{"n", {1, 2, "]}"}}}}}.dump(-1, ' ', ascii);
      JsonScanner scanner(json);
      std::string_view key;
      JsonValue value;
      bool found = false;
      while (scanner.next(key, value)) {
        if (key != "key") continue;
        std::string out;
        ASSERT_TRUE(unescape_json(value.raw, out));
        EXPECT_EQ(out, text);
        EXPECT_EQ(value.escaped, value.raw.find('\\') != std::string_view::npos);
        found = true;
      }
      EXPECT_TRUE(scanner.good() && found) << json;
    }
  }
}

TEST(JsonScan, Refuses) {
  for (const char* text : {"", "{", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":\"x}",
                           "{\"a\":[1}", "{\"a\":1 \"b\":2}", "{a:1}"}) {
    JsonScanner scanner(text);
    std::string_view key;
    JsonValue value;
    while (scanner.next(key, value)) {
    }
    EXPECT_FALSE(scanner.good()) << text;
  }
  std::string out;
  for (const char* text : {"\\", "\\x", "\\u12", "\\u12g4", "a\\"}) EXPECT_FALSE(unescape_json(text, out)) << text;
  out.clear();
  EXPECT_TRUE(unescape_json("\\ud800x\\udc00", out));
  EXPECT_EQ(out, "\xef\xbf\xbdx\xef\xbf\xbd");
}

// Every file of the corpora holds as many records as its truth says, of its time and its host.
void check_run(const std::filesystem::path& folder, const nlohmann::json& truth, const std::string& form,
               size_t& files) {
  std::vector<std::string> names;
  std::vector<uint64_t> lines;
  for (const auto& file : truth["files"]) {
    if (file["form"] != form) continue;
    names.push_back(folder / file["name"].get<std::string>());
    lines.push_back(file["lines"].get<uint64_t>());
  }
  if (names.empty()) return;
  OpenedLogs logs = arrange_logs(open_files(names));
  ASSERT_EQ(logs.sets.size(), 1u);
  ASSERT_EQ(logs.names, names);
  const auto zone = Zone::load(truth["timezone"].get<std::string>());
  ASSERT_TRUE(zone.has_value());
  const int year = find_base_year(logs.sets[0], *zone, truth["year_of_last_line"].get<int>(), Instant{}).year;
  const Instant first = *parse_rfc3339(truth["first"].get<std::string>()),
                last = *parse_rfc3339(truth["last"].get<std::string>());
  Record r;
  for (size_t i = 0; i < names.size(); ++i, ++files) {
    SCOPED_TRACE(names[i]);
    auto stream = open_records(logs.sets[0].parts[i], TimeFold(*zone, r.time, year));
    ASSERT_TRUE(stream.has_value());
    uint64_t records = 0;
    while ((*stream)->next(r).value_or(false)) {
      ++records;
      ASSERT_GE(r.time, first - std::chrono::seconds(1));
      ASSERT_LE(r.time, last + std::chrono::seconds(1));
      ASSERT_FALSE(r.program.empty()) << r.message;
      ASSERT_EQ(r.host, truth["host"].get<std::string>());
    }
    const StreamFigures& f = (*stream)->figures();
    EXPECT_EQ(f.lines, lines[i]);
    EXPECT_EQ(f.no_header + f.untrusted + f.overlong, 0u);
    // Exim's later pieces are no records.
    EXPECT_TRUE(records == f.lines || (truth["daemon"] == "exim" && records < f.lines));
  }
}

TEST(Corpus, CountsAreExact) {
  const std::filesystem::path folder = MAILWARD_SOURCE_DATA "/tests/corpus";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no corpus";
  size_t files = 0;
  for (const auto& run : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(run.path() / "truth.json");
    if (!in) continue;
    const auto truth = nlohmann::json::parse(in);
    for (const char* form : {"traditional", "rfc3339", "rfc5424", "journal-json", "journal-export"})
      check_run(run.path(), truth, form, files);
  }
  EXPECT_GT(files, 20u);
}

// The same records in two forms have the same times, programs and messages.
TEST(Corpus, FormsAgree) {
  const std::string folder = MAILWARD_SOURCE_DATA "/tests/corpus/";
  struct Pair {
    const char *run, *a, *b, *zone;
  };
  for (const Pair& p : {Pair{"postfix-postscreen", "mail.log", "journal.json.zst", "UTC"},
                        Pair{"courier", "mail.log", "mail-rfc5424.log.zst", "UTC"},
                        Pair{"exim-verbose", "mail.log", "mail-traditional.log.gz", "Europe/Berlin"}}) {
    SCOPED_TRACE(p.run);
    const auto zone = Zone::load(p.zone);
    ASSERT_TRUE(zone.has_value());
    std::vector<std::vector<std::string>> all;
    for (const char* name : {p.a, p.b}) {
      OpenedLogs logs = arrange_logs(open_files(std::vector<std::string>{folder + p.run + "/" + name}));
      if (logs.sets.empty()) GTEST_SKIP() << "no corpus";
      auto stream = open_records(logs.sets[0].parts[0], TimeFold(*zone, 2025));
      ASSERT_TRUE(stream.has_value());
      all.emplace_back();
      Record r;
      while ((*stream)->next(r).value_or(false)) {
        all.back().push_back(fmt::format(
            "{} {} {} {} {}", format_instant(std::chrono::floor<std::chrono::seconds>(r.time), false), r.host,
            r.program, r.pid,
            std::string_view(p.b).starts_with("journal") ? r.message.substr(0, r.message.find('#')) : r.message));
      }
    }
    ASSERT_EQ(all[0].size(), all[1].size());
    size_t differ = 0;
    for (size_t i = 0; i < all[0].size(); ++i) differ += all[0][i] != all[1][i] ? 1 : 0;
    EXPECT_LE(differ, all[0].size() / 500) << "of " << all[0].size();
  }
}

}  // namespace
}  // namespace mailward
