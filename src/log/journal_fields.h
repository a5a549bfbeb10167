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

enum class JournalTook : uint8_t { kRecord, kContinuation, kNothing, kUntrusted };

// From fields to records, in the order of the journal.
class JournalRecords {
 public:
  // kNothing: no message, or no time. The record refers to `fields` and to this object.
  JournalTook fill(const JournalFields& fields, Record& out);

 private:
  bool continues(const JournalFields& fields);

  HeaderCache tags_;
  Origin origin_;
  std::array<std::string, 16> unfinished_;  // _STREAM_IDs whose line goes on in the next record
  size_t next_unfinished_ = 0;
};

}  // namespace mailward
