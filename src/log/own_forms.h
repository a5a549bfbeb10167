// Logs that daemons write themselves, without syslog: Exim's mainlog and rejectlog, Dovecot's log,
// multilog's TAI64N, text with a tag alone, and text without any header.
#pragma once

#include <string>
#include <string_view>

#include "log/header.h"
#include "log/record.h"
#include "log/time_fold.h"

namespace mailward {

class OwnForms {
 public:
  OwnForms(Form form, std::string_view file_name);

  // Fills host, program, pid and message; the stamp is the caller's to resolve. Views live until the
  // next call.
  Took read(std::string_view line, Stamp& stamp, Record& out);

 private:
  Took read_exim(std::string_view line, Stamp& stamp, Record& out);
  Took read_dovecot(std::string_view line, Stamp& stamp, Record& out);
  Took read_tai64(std::string_view line, Stamp& stamp, Record& out);
  Took read_tagged(std::string_view line, Record& out);

  Form form_;
  std::string folder_program_;  // kTai64n: what the file's folder says
  std::string joined_;          // kDovecot: the message without its "Info: "
};

// "postfix/smtpd[12]: text": a name that a program may have, and a pid.
bool has_tag_and_pid(std::string_view line);

// Exim writes its own stamp, and with the selector `pid` its pid, at the head of its syslog messages
// too, unless `syslog_timestamp` is off (write_syslog() in its log.c): taken off, so that the message
// is the same in every form. A second or later piece of a long entry ("[2\10] …", "[2/3] …") is a
// continuation: it may begin with what a client wrote.
Took strip_exim_stamp(Record& record);

// Where the level of Dovecot's own log ("Info: ", "Error: " …; failures.c) stands in a line without
// its stamp; npos: nowhere. Over syslog "Info: " is left out, the others are not.
struct DovecotLevel {
  size_t at = std::string_view::npos;
  size_t length = 0;
  bool info = false;
};
DovecotLevel find_dovecot_level(std::string_view text);

}  // namespace mailward
