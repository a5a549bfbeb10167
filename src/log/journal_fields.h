// From the fields of a journal entry (systemd.journal-fields(7)) to a Record.
//
// SYSLOG_IDENTIFIER, SYSLOG_PID and MESSAGE are what the writer says of itself; fields that begin with
// an underscore are what journald found out and no writer can set. The program is the identifier, as in
// a text log, because mail daemons name themselves so ("postfix/smtpd" runs as "smtpd", "sm-mta" as
// "sendmail") and the process' own name (_COMM) is the writer's to choose as well. What can be checked
// is who may speak under a daemon's name at all:
//
//   An entry is believed unless its writer was an ordinary user (_UID of 1000 or more, but for nobody,
//   65534) AND ran in a login session, under a user's own manager, or in no unit: _SYSTEMD_UNIT is
//   "session-….scope" or "user@….service", or missing; or _SYSTEMD_USER_UNIT is set.
//
// A daemon's child that changed to a user's id inside the daemon's unit (Dovecot's imap, sshd before
// the session is set up) is believed. What is not checked: one system service that poses as another
// (a web application that calls syslog); Record::origin has the unit for rules that want to know.
//
// The pid is _PID, what journald saw, where the writer had one in its tag (SYSLOG_PID) or wrote no
// syslog at all; a syslog writer without a pid has none here either, as in a text log, for daemons that
// write so do it through one process for all (Dovecot's log, Courier's courierlogger).
// What a service prints is cut into records of 48 KiB (LineMax in journald.conf(5)); all but the last are
// marked _LINE_BREAK=line-max, and the record after a marked one of the same _STREAM_ID is a continuation.
// The time is _SOURCE_REALTIME_TIMESTAMP where there is one, else __REALTIME_TIMESTAMP.
//
// Losses. journald numbers what it writes, over all its files: __SEQNUM in the sequence __SEQNUM_ID (systemd
// 254 and later), and in every version the fields `i` (hexadecimal) and `s` of __CURSOR. What it dropped
// by its rate limit has no number, but a message of its own (meta.h); a number that is missing tells of a
// file that is gone, broken or not readable. There a record of journald's is put in that says so, and
// counts as an admitted loss. But the forms that come by a pipe may be a selection (`journalctl -u`), full
// of such holes. So there a hole is believed only after kWholeRun entries without one; an attacker
// who makes other programs write can thus hardly end sessions by it. One journal file named alone lacks
// what other files of the journal hold, and its holes mean nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "log/record.h"
#include "log/tag.h"

namespace mailward {

struct JournalFields {
  enum Field : uint8_t {
    kMessage,
    kIdentifier,
    kComm,
    kPid,
    kSyslogPid,
    kRealtime,
    kSourceRealtime,
    kHostname,
    kUnit,
    kUserUnit,
    kUid,
    kTransport,
    kLineBreak,
    kStreamId,
    kCursor,
    kSeqnum,
    kSeqnumId,
    kSyslogRaw,
    kMachineId,
    kCount,
  };
  // The index of a field that is wanted; kCount: not wanted.
  static Field find(std::string_view name);
  static std::string_view name_of(Field field);

  std::string_view values[kCount];
  bool present[kCount] = {};

  void clear();
  void set(Field f, std::string_view value) {
    if (present[f]) return;  // the first of several
    values[f] = value;
    present[f] = true;
  }
};

// How holes in the numbers of a journal are to be read.
enum class Holes : uint8_t { kAreLosses, kAfterAWholeRun, kMeanNothing };

// The numbers of one journal, or of several writers' that were merged. Up to systemd 253 journald takes the numbers
// for all its files from one counter, but system.journal and each user's have a sequence id of their own: so what is
// missing in one may stand in another of the same machine (_MACHINE_ID). A merged file of many machines
// (systemd-journal-remote) has one id.
class JournalSequence {
 public:
  static constexpr uint64_t kWholeRun = 1000;

  explicit JournalSequence(Holes holes) : holes_(holes) {}
  // How many entries are missing right before this one; 0: none, or it can't be told.
  uint64_t missing_before(const JournalFields& fields);
  // The same for kAreLosses, without taking it for read; else 0.
  uint64_t would_miss_before(const JournalFields& fields) const;
  void read_holes_as(Holes holes) { holes_ = holes; }
  // Was something of its writer, or of another on its machine, read before?
  bool knows(const JournalFields& fields) const;
  // From now on, this entry is the last of its writer that was read, whatever was before.
  void stand_at(const JournalFields& fields);

  // As words without blanks in them, for a position. Not `run`: kAfterAWholeRun is for pipes.
  std::string to_text() const;
  bool from_text(std::string_view text);

 private:
  struct Writer {
    std::string id, machine;
    uint64_t last = 0, run = 0;
  };
  Writer& writer(std::string_view id, std::string_view machine);
  uint64_t highest(std::string_view machine) const;
  uint64_t hole_before(std::string_view id, std::string_view machine, uint64_t n) const;
  bool believes(const Writer& writer) const;

  Holes holes_;
  std::array<Writer, 8> writers_;
  size_t next_writer_ = 0, last_writer_ = 0;
};

// kLoss: entries are missing before this one, and the record says so; the entry itself comes by filling
// the same fields again.
enum class JournalTook : uint8_t { kRecord, kContinuation, kNothing, kUntrusted, kLoss };

// From fields to records, in the order of the journal.
class JournalRecords {
 public:
  explicit JournalRecords(Holes holes) : sequence_(holes) {}
  // kNothing: no message, or no time. The record refers to `fields` and to this object.
  JournalTook fill(const JournalFields& fields, Record& out);
  // A loss of which nothing but this is known, told before the entry of `fields` as fill() tells one.
  void admit(std::string_view what, const JournalFields& fields, Record& out);
  JournalSequence& sequence() { return sequence_; }

  // What reading left behind, as one line of text: the numbers of the sequence, lines that go on in another entry.
  std::string to_text() const;
  bool from_text(std::string_view text);

 private:
  bool continues(const JournalFields& fields);

  JournalSequence sequence_;
  bool loss_told_ = false;  // of the entry that is filled again
  std::string admission_;
  HeaderCache tags_;
  Origin origin_;
  std::array<std::string, 16> unfinished_;  // _STREAM_IDs whose line goes on in the next record
  size_t next_unfinished_ = 0;
};

}  // namespace mailward
