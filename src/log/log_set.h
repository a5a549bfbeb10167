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

struct OpenedLogs {
  std::vector<LogSet> sets;
  std::vector<std::string> names;    // by LogPart::index
  std::vector<std::string> trouble;  // one sentence for each input that could not be opened
};
OpenedLogs open_logs(std::span<const std::string> names);

// The log that this machine has: /var/log/mail.log or /var/log/maillog where one isn't empty, else
// the journal ("journal:"). The error says where was looked. `root` is for tests.
Result<std::string> find_system_log(const std::string& root = "");

// The year of the first record of a set whose stamps have none, so that the fold ends in
// `year_of_last` (0: the one that puts the last record nearest before `now` and the file's own
// time). Looks at the first record and, in plain files, at some others; what can't be looked
// at (pipes) is taken to begin in the year before `now`. Returns 0 where stamps have their years.
int find_base_year(LogSet& set, const Zone& zone, int year_of_last, Instant now);

// For the name alone; public for tests. rank: higher is older, 0 the file that is written to.
struct RotatedName {
  std::string stem;  // "/var/log/mail.log"
  bool dated = false;
  uint64_t rank = 0;  // rotation number + 1, or the date as yyyymmddHHMMSS
};
RotatedName parse_rotated_name(std::string_view path);

}  // namespace mailward
