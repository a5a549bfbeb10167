// Which files belong together. A rotated log is one log in several parts, read oldest first
// whatever order they were named in; other logs are separate and are merged by time.
//
// Parts of one log have the same folder and stem: mail.log, mail.log.1, mail.log.2.gz (also .0 of
// newsyslog: the lowest number is the youngest), mail.log-20250101, mail.log-20250101.gz,
// mail.log-20250101-1736, mail.log.20250101, mail-20250101.log; and the files of one multilog folder
// (current, @4000….s). Names decide; where the first records carry full dates that say otherwise,
// these do. A file that is named twice (same device and inode) is read once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "log/header.h"
#include "log/record_stream.h"
#include "log/source.h"

namespace mailward {

// One part; `index` counts the parts of all sets in the order in which they are read, for
// Event::file. The journal itself has no `source`: it is opened as `journal`, which open_records() takes.
struct LogPart {
  std::string name;  // as the user named it; "-" for standard input, "journal:…" for the journal
  Form form = Form::kSyslog;
  std::unique_ptr<LogSource> source;
  std::unique_ptr<RecordStream> journal;
  uint32_t index = 0;
};

struct LogSet {
  std::string name;            // the youngest part's
  std::vector<LogPart> parts;  // oldest first; at least one
};

// In two steps, between which the process locks itself in (lockdown/lockdown.h): what a decompressor or a form
// makes of an attacker's bytes is then all that it can do.
//
// First: opens, and reads nothing but what the system and libsystemd say of the files. `parts` are in the
// order of `names`; of a log that is named twice only the first is kept.
struct OpenedFiles {
  std::vector<LogPart> parts;
  std::vector<std::string> trouble;  // one sentence for each input that could not be opened
};
OpenedFiles open_files(std::span<const std::string> names);

// Second: reads the first bytes of each, which tell its form, and puts together what belongs together.
struct OpenedLogs {
  std::vector<LogSet> sets;
  std::vector<std::string> names;    // by LogPart::index
  std::vector<std::string> trouble;  // of both steps
};
OpenedLogs arrange_logs(OpenedFiles files);

// The log that this machine has: /var/log/mail.log or /var/log/maillog where one isn't empty, else
// the journal ("journal:"). The error says where was looked. `root` is for tests.
Result<std::string> find_system_log(const std::string& root = "");

// For the name alone; public for tests. rank: higher is older, 0 the file that is written to.
struct RotatedName {
  std::string stem;  // "/var/log/mail.log"
  bool dated = false;
  uint64_t rank = 0;  // rotation number + 1, or the date as yyyymmddHHMMSS
};
RotatedName parse_rotated_name(std::string_view path);
// Of one stem. Between numbers and dates, dates are older (a site changes from one to the other once, and
// `delaycompress` keeps at most one number).
bool is_older(const RotatedName& a, const RotatedName& b);

}  // namespace mailward
