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
// The time is _SOURCE_REALTIME_TIMESTAMP where there is one, else __REALTIME_TIMESTAMP.
#pragma once

#include <cstdint>
#include <string_view>

#include "log/record.h"
#include "log/tag.h"

namespace mailward {

struct JournalFields {
  enum Field : uint8_t {
    kMessage, kIdentifier, kComm, kPid, kSyslogPid, kRealtime, kSourceRealtime, kHostname, kUnit, kUserUnit,
    kUid, kTransport, kCount,
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

// `tags` lends the note; `origin` must live as long as the record. kNothing: no message, or no time.
JournalTook fill_record(const JournalFields& fields, HeaderCache& tags, Record& out, Origin& origin);

}  // namespace mailward
