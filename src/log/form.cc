// Which form a file has: by what most of its first lines look like.
#include <algorithm>
#include <array>

#include "log/byte_order_mark.h"
#include "log/cri.h"
#include "log/header.h"
#include "log/journal_export.h"
#include "log/own_forms.h"
#include "log/stamp.h"
#include "log/tag.h"

namespace mailward {
namespace {

constexpr size_t kLines = 200;

struct Votes {
  size_t exim = 0, dovecot = 0, syslog = 0, tai64 = 0, uptime = 0, tagged = 0, bare = 0;
  size_t journal = 0, docker = 0, cri = 0;
  size_t fields = 0;  // of `bare`: like a field of the journal's export form
};

bool is_syslog(std::string_view line, Votes& votes) {
  if (line.starts_with('<')) {
    const size_t close = line.find('>');
    if (close > 4) return false;  // also where there is none
    line.remove_prefix(close + 1);
  }
  if (line.starts_with("1 ")) line.remove_prefix(2);
  Stamp stamp;
  size_t n = parse_traditional_stamp(line, stamp);
  if (n == 0) n = parse_iso_stamp(line, stamp);
  if (n == 0) n = parse_unix_stamp(line, stamp);
  if (n == 0) n = parse_full_stamp(line, stamp);
  if (n == 0) return line.starts_with("- ") && votes.syslog > 0;
  const std::string_view rest = line.substr(std::min(n + 1, line.size()));
  const bool blank_date = line.size() > 10 && line[4] == '-' && line[10] == ' ';
  // Dovecot's own log has its level where syslog's header would name a host and a program.
  const DovecotLevel level = find_dovecot_level(rest);
  const size_t colon = rest.find(": ");
  if (level.at != std::string_view::npos && level.at == colon + 2 &&
      rest.substr(0, colon).find(' ') == std::string_view::npos) {
    ++votes.dovecot;
    return true;
  }
  if (blank_date) {
    HeaderCache tags;
    Record record;
    // Exim's own log: a date with a blank, and nobody's name after it.
    if (tags.read(rest, record) == Took::kRecord && !record.program.empty() && !record.host.empty() &&
        record.pid != 0) {
      ++votes.syslog;
    } else {
      ++votes.exim;
    }
    return true;
  }
  ++votes.syslog;
  return true;
}

void vote(std::string_view line, Votes& votes) {
  if (line.starts_with('{')) {
    if (line.find("\"__REALTIME_TIMESTAMP\"") != std::string_view::npos ||
        line.find("\"MESSAGE\"") != std::string_view::npos) {
      ++votes.journal;
      return;
    }
    if (line.find("\"log\":") != std::string_view::npos) {
      ++votes.docker;
      return;
    }
  }
  Stamp stamp;
  if (line.starts_with('@') && parse_tai64_stamp(line, stamp) != 0) {
    ++votes.tai64;
    return;
  }
  if (CriLine cri; parse_cri(line, cri)) {
    ++votes.cri;
    return;
  }
  while (line.starts_with('\0')) line.remove_prefix(1);
  if (parse_uptime_stamp(line) != 0) {
    ++votes.uptime;
  } else if (!is_syslog(line, votes)) {
    ++(has_tag_and_pid(line) ? votes.tagged : votes.bare);
    votes.fields += is_export_field(line);
  }
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string_view name_of(Form form) {
  switch (form) {
    case Form::kSyslog:
      return "syslog";
    case Form::kExim:
      return "exim";
    case Form::kDovecot:
      return "dovecot";
    case Form::kTai64n:
      return "tai64n";
    case Form::kUptime:
      return "uptime";
    case Form::kTagged:
      return "tagged";
    case Form::kBare:
      return "bare";
    case Form::kJournalJson:
      return "journal-json";
    case Form::kJournalExport:
      return "journal-export";
    case Form::kDockerJson:
      return "docker-json";
    case Form::kCri:
      return "cri";
    case Form::kJournal:
      break;
  }
  return "journal";
}

// Every form has its row, so that the compiler names one that was forgotten.
bool read_stamp(Form form, std::string_view line, Stamp& out) {
  take_byte_order_mark(line);
  switch (form) {
    case Form::kExim:
    case Form::kCri:
      return parse_iso_stamp(line, out) != 0;
    case Form::kTai64n:
      return parse_tai64_stamp(line, out) != 0;
    case Form::kSyslog:
    case Form::kDovecot:
      break;
    case Form::kUptime:
    case Form::kTagged:
    case Form::kBare:
    case Form::kJournalJson:
    case Form::kJournalExport:
    case Form::kDockerJson:
    case Form::kJournal:
      return false;
  }
  while (line.starts_with('\0')) line.remove_prefix(1);
  if (line.starts_with('<')) line.remove_prefix(std::min(line.find('>') + 1, line.size()));
  if (line.starts_with("1 ")) line.remove_prefix(2);
  return parse_traditional_stamp(line, out) != 0 || parse_iso_stamp(line, out) != 0 ||
         parse_unix_stamp(line, out) != 0 || parse_full_stamp(line, out) != 0;
}

Form detect_form(std::string_view first_bytes, std::string_view file_name) {
  take_byte_order_mark(first_bytes);
  if (begins_export_entry(first_bytes)) return Form::kJournalExport;
  Votes votes;
  size_t at = 0;
  for (size_t i = 0; i < kLines && at < first_bytes.size(); ++i) {
    const size_t end = std::min(first_bytes.find('\n', at), first_bytes.size());
    std::string_view line = first_bytes.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    // A line that the buffer cuts off says little, unless it is the only one.
    if (line.empty() || (end == first_bytes.size() && i > 0 && first_bytes.size() >= 65536)) continue;
    vote(line, votes);
  }
  const std::string_view base = base_name(file_name);
  // The rejectlog's message headers look like nothing at all; the entries between them are Exim's.
  if (votes.exim > 0 && votes.exim >= votes.syslog + votes.dovecot && (base.find("reject") != std::string_view::npos))
    return Form::kExim;
  const std::array<std::pair<size_t, Form>, 10> order = {{{votes.syslog, Form::kSyslog},
                                                          {votes.exim, Form::kExim},
                                                          {votes.dovecot, Form::kDovecot},
                                                          {votes.tai64, Form::kTai64n},
                                                          {votes.uptime, Form::kUptime},
                                                          {votes.journal, Form::kJournalJson},
                                                          {votes.docker, Form::kDockerJson},
                                                          {votes.cri, Form::kCri},
                                                          {votes.tagged, Form::kTagged},
                                                          {votes.bare, Form::kBare}}};
  // The first of the largest: a header wins over none.
  const auto best =
      std::max_element(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // Text alone that holds such an entry is somebody's message; a stream without its head is fields.
  const bool fields = best->second == Form::kBare && best->first > 0 && votes.fields * 2 >= votes.bare;
  if (fields && holds_export_entry(first_bytes)) return Form::kJournalExport;
  if (best->first > 0) return best->second;
  // Nothing to go by: an empty file.
  if (base.starts_with("mainlog") || base.starts_with("rejectlog")) return Form::kExim;
  return Form::kSyslog;
}

}  // namespace mailward
