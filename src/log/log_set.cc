#include "log/log_set.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "log/base_year.h"
#include "log/byte_order_mark.h"
#include "log/journal.h"

namespace mailward {
namespace {

constexpr size_t kLook = 64 << 10;

struct Candidate {
  LogPart part;
  RotatedName rotated;
  Instant first = kNoInstant;  // of the first record, where its stamp has a year
};

// Older parts first. Where every first record says its year, these times have the last word.
void sort_parts(std::vector<Candidate>& parts) {
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Candidate& a, const Candidate& b) { return is_older(a.rotated, b.rotated); });
  if (std::any_of(parts.begin(), parts.end(), [](const Candidate& c) { return !has_time(c.first); })) return;
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Candidate& a, const Candidate& b) { return a.first < b.first; });
}

// "mail.log.2" and "mail.log.2.gz" side by side: the moment between compressing and deleting. The
// plain one is whole.
void drop_twins(std::vector<Candidate>& parts) {
  const auto same_age = [](const Candidate& a, const Candidate& b) {
    return a.rotated.dated == b.rotated.dated && a.rotated.rank == b.rotated.rank;
  };
  for (size_t i = 0; i + 1 < parts.size();) {
    Candidate &a = parts[i], &b = parts[i + 1];
    if (!same_age(a, b) || a.part.source->peek(4096) != b.part.source->peek(4096)) {
      ++i;
      continue;
    }
    const bool first_is_plain = a.part.source->compression() == Compression::kNone;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(first_is_plain ? i + 1 : i));
  }
}

bool is_journal(const std::string& name) { return name.starts_with("journal:"); }

Instant time_of(const Stamp& stamp) {
  if (stamp.year == 0) return kNoInstant;
  return resolve_stamp(Zone{}, stamp, kNoInstant, stamp.year);
}

Result<LogPart> open_part(const std::string& name) {
  LogPart part;
  part.name = name;
  if (is_journal(name)) {
    Result<std::unique_ptr<RecordStream>> journal = open_journal(name.substr(8));
    if (!journal) return std::unexpected(journal.error());
    part.form = Form::kJournal;
    part.journal = std::move(*journal);
    return part;
  }
  Result<LogSource> source = LogSource::open(name);
  if (!source) return std::unexpected(source.error());
  part.source = std::make_unique<LogSource>(std::move(*source));
  return part;
}

std::string what_to_convert(const LogSource& source, std::string_view encoding) {
  const char* first = source.compression() != Compression::kNone ? "decompress it and convert it"
                      : source.name() == "-"                     ? "convert it before"
                                                                 : "convert it";
  return fmt::format(
      "{0} is {1} text, and a log must be ASCII or UTF-8; {2}: iconv -f {1} -t UTF-8 {3}| mailward scan -",
      source.name() == "-" ? "standard input" : source.name(), encoding, first, source.seekable() ? "FILE " : "");
}

// The first bytes are looked at here.
Result<Candidate> look_at(LogPart part) {
  Candidate c;
  c.part = std::move(part);
  const std::string& name = c.part.name;
  if (!c.part.source) {
    c.rotated.stem = name;
    return c;
  }
  LogSource& source = *c.part.source;
  if (const auto known = source.identify(); !known) return std::unexpected(known.error());
  c.rotated = name == "-" ? RotatedName{"-", false, 0} : parse_rotated_name(name);
  const std::string_view look = source.peek(kLook);
  if (const std::string_view wide = wide_encoding_of(look); !wide.empty()) return fail(what_to_convert(source, wide));
  c.part.form = detect_form(look, name);
  if (const auto stamp = first_stamp(c.part.form, look)) c.first = time_of(*stamp);
  source.rest();
  return c;
}

bool folder_has_entries(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return false;
  bool any = false;
  while (const dirent* entry = ::readdir(folder)) any = any || entry->d_name[0] != '.';
  ::closedir(folder);
  return any;
}

}  // namespace

OpenedFiles open_files(std::span<const std::string> names) {
  OpenedFiles opened;
  std::set<std::string> journals;
  std::set<std::pair<uint64_t, uint64_t>> files;  // device, inode
  for (const std::string& name : names) {
    if (is_journal(name) && !journals.insert(name).second) continue;
    Result<LogPart> part = open_part(name);
    if (!part) {
      opened.trouble.push_back(part.error().message);
      continue;
    }
    if (part->source && !files.emplace(part->source->device(), part->source->inode()).second) continue;
    opened.parts.push_back(std::move(*part));
  }
  return opened;
}

OpenedLogs arrange_logs(OpenedFiles files) {
  OpenedLogs opened;
  opened.trouble = std::move(files.trouble);
  std::vector<std::pair<std::string, std::vector<Candidate>>> groups;  // in the order of their first naming
  std::map<std::string, size_t> group_of;
  for (LogPart& part : files.parts) {
    Result<Candidate> c = look_at(std::move(part));
    if (!c) {
      opened.trouble.push_back(c.error().message);
      continue;
    }
    const auto [it, is_new] = group_of.emplace(c->rotated.stem, groups.size());
    if (is_new) groups.emplace_back(c->rotated.stem, std::vector<Candidate>());
    groups[it->second].second.push_back(std::move(*c));
  }
  for (auto& [stem, parts] : groups) {
    sort_parts(parts);
    if (parts.size() > 1) drop_twins(parts);
    LogSet set;
    set.name = parts.back().part.name;
    for (Candidate& c : parts) {
      c.part.index = static_cast<uint32_t>(opened.names.size());
      opened.names.push_back(c.part.name);
      set.parts.push_back(std::move(c.part));
    }
    opened.sets.push_back(std::move(set));
  }
  return opened;
}

Result<std::string> find_system_log(const std::string& root) {
  for (const char* name : {"/var/log/mail.log", "/var/log/maillog"}) {
    struct stat s{};
    std::string path = root + name;
    if (::stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode) && s.st_size > 0) return path;
  }
  for (const char* name : {"/var/log/journal", "/run/log/journal"}) {
    if (folder_has_entries(root + name) && can_read_journal("").has_value()) return std::string("journal:");
  }
  return fail(
      "no mail log found: /var/log/mail.log and /var/log/maillog are empty or missing, and there is no "
      "journal that can be read; name the log file, or - for standard input");
}

}  // namespace mailward
