// A record: one entry of a log, its header taken apart, its message untouched.
//
// All views point into the block that the record was read from (or into the reader's scratch
// buffer, for forms that must be unescaped): valid until the next call of the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/instant.h"

namespace mailward {

// Two words that a reader keeps with each distinct header (host and program, whatever the pid) for
// its caller: what was looked up once for a program need not be looked up for its next line. Both
// are 0 when the header is new to the reader (which may also have forgotten it in between); the
// reader never writes them otherwise.
struct HeaderNote {
  const void* rules = nullptr;
  uint64_t value = 0;
};

// Who wrote a record, as the journal itself testifies (never the writer): empty in all other forms.
struct Origin {
  std::string_view unit;       // _SYSTEMD_UNIT
  std::string_view command;    // _COMM
  std::string_view transport;  // _TRANSPORT: "syslog", "journal", "stdout", "kernel", "audit"
  int64_t uid = -1;            // _UID; -1: not told
  bool trimmed = false;        // SYSLOG_RAW is there: the message is not all that its writer sent
};

// So many bytes behind Record::message may be read, whatever they are, where the reader's input has them
// (a block of lines); a reader that makes a message of its own sees to it.
inline constexpr size_t kRecordPadding = 64;

struct Record {
  Instant time = kNoInstant;       // kNoInstant: text without a header
  std::string_view host;           // empty where the form has none
  std::string_view program;        // "postfix/smtpd"; empty: unknown (text without a header)
  uint32_t pid = 0;                // 0: the header names none
  uint32_t length = 0;             // of the whole line as it stands in the file, without its end
  std::string_view message;        // without CR, LF at its end; may hold NUL and any other byte
  HeaderNote* note = nullptr;      // of this header; null only before a reader filled the record
  const Origin* origin = nullptr;  // journal forms only
};

}  // namespace mailward
