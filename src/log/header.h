// Headers: from a line to a Record. One HeaderReader for each part of a file that one thread reads;
// it remembers the last stamp and the last headers, because most lines repeat them.
//
// Form::kSyslog is a family; the form of the stamp may change from line to line:
//   Mar  2 00:00:00 host prog[pid]: text      traditional (RFC 3164); also without host, without pid,
//                                             with a year after the day or the time, with a fraction,
//                                             with FreeBSD's <mail.info> after the stamp
//   2026-03-02T00:00:00.123456+01:00 host prog[pid]: text     RFC 3339; also Z, +0100, no fraction
//   1 2026-03-02T00:00:00.123456+01:00 host app procid msgid SD text      RFC 5424, after its <PRI>
//   1772409600.123456 host prog[pid]: text    journalctl -o short-unix
//   Mon 2026-03-02 00:00:00 CET host prog[pid]: text    journalctl -o short-full, with-unit
// each with or without <PRI>. A line that has none of them is Took::kNoHeader: to be counted, never
// to be matched.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "log/record.h"
#include "log/tag.h"
#include "log/time_fold.h"
#include "log/took.h"

namespace mailward {

enum class Form : uint8_t {
  kSyslog,         // see above
  kExim,           // mainlog, rejectlog: "2026-02-03 10:18:01 [+0100] [[pid]] text"; program "exim"
  kDovecot,        // Dovecot's own log; program "dovecot", message worded as over syslog
  kTai64n,         // multilog: "@400000006…" text; program from the text or from the folder
  kUptime,         // "[13530.929637] host prog[pid]: text" (journalctl -o short-monotonic, short-delta): no time
  kTagged,         // "prog[pid]: text" (what containers write): no time, no host
  kBare,           // text without header (journalctl -o cat): no time, no program
  kJournalJson,    // journalctl -o json            } not for HeaderReader: see record_stream.h
  kJournalExport,  // journalctl -o export          }
  kDockerJson,     // Docker's json-file            }
  kCri,            // what Kubernetes keeps         }
  kJournal,        // the journal itself            }
};
std::string_view name_of(Form form);
// One record is one line, and the form is HeaderReader's: such files may be cut at line ends.
constexpr bool is_line_form(Form f) { return f <= Form::kBare; }

// No stamp of its lines says an instant: Record::time is kNoInstant.
constexpr bool is_without_time(Form f) { return f == Form::kUptime || f == Form::kTagged || f == Form::kBare; }

// The form of a file, from its first bytes (some 64 KiB; fewer serve) and, where those leave it
// open, its name. What most lines have; text without header only where most lines have none.
Form detect_form(std::string_view first_bytes, std::string_view file_name);

// The stamp that a line of this form begins with; false where it has none (a form that is not
// HeaderReader's never has).
bool read_stamp(Form form, std::string_view line, Stamp& out);

class HeaderReader {
 public:
  // `file_name` gives Form::kTai64n its program (the folder of "current").
  HeaderReader(Form form, TimeFold fold, std::string_view file_name = {});
  HeaderReader(HeaderReader&&) noexcept;
  HeaderReader& operator=(HeaderReader&&) noexcept;
  ~HeaderReader();

  // `line` is without its line feed; a carriage return at its end is taken off. Views of `out` point
  // into `line` or into this reader: valid until the next call, and where views_last() as long as `line`.
  Took read(std::string_view line, Record& out) {
    out.length = static_cast<uint32_t>(line.size());
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const char* const p = line.data();
    if (line.size() >= last_.least && std::memcmp(p, last_.prefix, kPrefix) == 0) [[likely]] {
      out.time = last_.time;
      return HeaderCache::kReadQuickly(*last_.tags, p + kPrefix, p + line.size(), out);
    }
    return read_other_second(line, out);
  }
  bool views_last() const { return form() != Form::kDovecot; }  // its messages are put together here

  Form form() const;
  const TimeFold& fold() const;
  // Begin another part with this instant before it; caches of headers stay.
  void restart(Instant previous);
  // The stamp of the first record since construction or restart(), where its meaning depends on the
  // record before it (no year, or no offset); for checking the guess that the part began with.
  // Null: none was read, or it depends on nothing.
  const Stamp* first_open_stamp() const;
  // Was a stamp read since then? If not, the part does not say what instant it ended with.
  bool read_a_stamp() const;
  // Was a record, before the first stamp, given the instant that the part began with?
  bool lent_previous() const;

 private:
  Took read_other_second(std::string_view line, Record& out);

  static constexpr size_t kPrefix = 16;  // "Mar  2 00:00:00 "
  // The last stamp, where it is a traditional one.
  struct Last {
    size_t least = SIZE_MAX;  // of a line's length, to be read quickly
    char prefix[kPrefix] = {};
    Instant time = kNoInstant;
    HeaderCache* tags = nullptr;
  };
  Last last_;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mailward
