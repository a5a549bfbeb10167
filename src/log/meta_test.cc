#include "log/meta.h"

#include <gtest/gtest.h>

#include "log/header.h"
#include "log/limits.h"

namespace mailward {
namespace {

Meta meta(std::string_view program, std::string_view message) {
  Record r;
  r.program = program;
  r.message = message;
  return classify(r);
}

struct MetaCase {
  const char* program;
  const char* message;
  Meta::Kind kind;
  uint64_t count;
  const char* inner;
};

TEST(Meta, Table) {
  using K = Meta::Kind;
  const MetaCase cases[] = {
      {"sshd", "message repeated 2 times: [ Failed password for root]", K::kRepeatInner, 2, "Failed password for root"},
      {"sshd", "message repeated 2 times: [Failed [x]]", K::kRepeatInner, 2, "Failed [x]"},
      {"sshd", "message repeated 2 times: [ Failed", K::kNone, 0, ""},
      {"sshd", "message repeated x times: [ Failed]", K::kNone, 0, ""},
      {"sshd", "message repeated 99999999999 times: [ Failed]", K::kNone, 0, ""},
      {"", "last message repeated 3 times", K::kRepeatLast, 3, ""},
      {"", "last message repeated 1 time", K::kRepeatLast, 1, ""},
      {"syslog-ng", "Last message 'x' repeated 4 times, suppressed by syslog-ng on mail", K::kRepeatLast, 4, ""},
      {"smtpd", "last message received", K::kNone, 0, ""},
      {"rsyslogd-2177", "imuxsock lost 47 messages from pid 1234 due to rate-limiting", K::kLoss, 47, ""},
      {"rsyslogd", "imuxsock[pid 1234]: begin to drop messages due to rate-limiting", K::kLoss, 0, ""},
      {"rsyslogd", "imuxsock[pid: 1, name: x]: 5 messages lost due to rate-limiting (200 allowed within 5 seconds)",
       K::kLoss, 5, ""},
      {"systemd-journald", "Suppressed 812 messages from postfix@-.service", K::kLoss, 812, ""},
      {"journal", "Suppressed 812 messages from /system.slice/x", K::kLoss, 812, ""},
      {"systemd-journald", "Forwarding to syslog missed 8 messages.", K::kLoss, 8, ""},
      {"systemd-journald", "Missed 7 kernel messages", K::kLoss, 7, ""},
      {"systemd-journal", "Missed 7 kernel messages", K::kLoss, 7, ""},
      {"systemd-journald", "Missed 5 entries of the journal", K::kLoss, 5, ""},
      {"sendsyslog", "dropped 2 messages, error 57, pid 12", K::kLoss, 2, ""},
      {"syslogd", "dropped 12 messages to remote loghost", K::kLoss, 12, ""},
      // Nobody but a logger may say so.
      {"smtpd", "Suppressed 812 messages from postfix@-.service", K::kNone, 0, ""},
      {"postfix/smtpd", "imuxsock lost 47 messages from pid 1234 due to rate-limiting", K::kNone, 0, ""},
      {"smtpd", "Missed 7 kernel messages", K::kNone, 0, ""},
      {"systemd-journald", "Journal started, and more", K::kNone, 0, ""},
      {"rsyslogd", "action 'action-0' suspended", K::kNone, 0, ""},
      {"smtpd", "short", K::kNone, 0, ""},
  };
  for (const MetaCase& c : cases) {
    const Meta m = meta(c.program, c.message);
    EXPECT_EQ(m.kind, c.kind) << c.message;
    EXPECT_EQ(m.count, c.count) << c.message;
    EXPECT_EQ(m.inner, c.inner) << c.message;
    EXPECT_FALSE(m.cut);
  }
  EXPECT_TRUE(meta("sshd", "message repeated 2 times: [ " + std::string(799, 'x') + "]").cut);
  EXPECT_FALSE(meta("sshd", "message repeated 2 times: [ " + std::string(798, 'x') + "]").cut);
}

// In the journal only journald may say so, whatever name the writer has taken.
TEST(Meta, LossesOfTheJournal) {
  struct Case {
    const char *transport, *program, *message;
    bool loss;
  };
  for (const Case& c : {Case{"driver", "systemd-journald", "Suppressed 812 messages from postfix@-.service", true},
                        Case{"driver", "systemd-journal", "Missed 7 kernel messages", true},  // before 240: _COMM
                        Case{"syslog", "systemd-journald", "Suppressed 812 messages from postfix@-.service", false},
                        Case{"stdout", "journal", "Missed 7 kernel messages", false},
                        Case{"kernel", "kernel", "Missed 7 kernel messages", false},
                        // The syslog daemon lost it; the journal did not.
                        Case{"driver", "systemd-journald", "Forwarding to syslog missed 8 messages.", false},
                        Case{"syslog", "rsyslogd", "imuxsock lost 47 messages from pid 1 due to rate-limiting", false},
                        Case{"driver", "systemd-journald", "Time spent on flushing to /var is 1s", false}}) {
    Record r;
    Origin origin;
    origin.transport = c.transport;
    r.origin = &origin;
    r.program = c.program;
    r.message = c.message;
    EXPECT_EQ(classify(r).kind == Meta::Kind::kLoss, c.loss) << c.program << ": " << c.message;
  }
}

bool cut(const std::string& header, size_t message) {
  const Zone zone;
  HeaderReader reader(Form::kSyslog, TimeFold(zone, 2026));
  const std::string line = header + std::string(message, 'x');
  Record r;
  EXPECT_EQ(reader.read(line, r), Took::kRecord);
  EXPECT_EQ(r.message.size(), message);
  return at_cut_length(r);
}

TEST(Limits, Table) {
  const std::string usual = "Mar  2 00:00:01 mail smtpd[9]: ";  // 31 bytes
  EXPECT_FALSE(cut(usual, 100));
  EXPECT_FALSE(cut(usual, 256 - 31));
  EXPECT_FALSE(cut(usual, 1024 - 37));
  EXPECT_TRUE(cut(usual, 1024 - 36));  // the datagram, whose priority takes five bytes at most
  EXPECT_TRUE(cut(usual, 1024 - 31));
  EXPECT_TRUE(cut(usual, 1024));
  EXPECT_FALSE(cut(usual, 1025));
  EXPECT_TRUE(cut(usual, 2000));
  EXPECT_TRUE(cut(usual, 2048));
  EXPECT_FALSE(cut(usual, 3000));
  EXPECT_TRUE(cut(usual, 8192));
  EXPECT_TRUE(cut(usual, 49152));
  const std::string busybox = "Mar  2 00:00:01 mail mail.info smtpd[9]: ";
  EXPECT_FALSE(cut(busybox, 100));
  EXPECT_TRUE(cut(busybox, 256 - 20));
}

TEST(Limits, EximsOwnPieces) {
  Record r;
  const std::string message = "[1/3] H=x" + std::string(861, 'x');
  r.message = message;
  r.length = static_cast<uint32_t>(message.size() + 30);
  EXPECT_TRUE(at_cut_length(r));
}

}  // namespace
}  // namespace mailward
