#include "log/log_set.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "log/journal.h"

namespace mailward {
namespace {

constexpr size_t kLook = 64 << 10;
constexpr size_t kSample = 8 << 10;

struct Candidate {
  LogPart part;
  RotatedName rotated;
  Instant first = kNoInstant;  // of the first record, where its stamp has a year
};

// The stamps of whole lines of `text`: visits them until it returns false.
template <class Visit>
void each_stamp(Form form, std::string_view text, Visit visit) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return;
    Stamp stamp;
    if (read_stamp(form, text.substr(at, end - at), stamp) && !visit(stamp)) return;
    at = end + 1;
  }
}

std::optional<Stamp> first_stamp(Form form, std::string_view text) {
  std::optional<Stamp> found;
  each_stamp(form, text, [&](const Stamp& s) {
    found = s;
    return false;
  });
  return found;
}

std::optional<Stamp> last_stamp(Form form, std::string_view text) {
  std::optional<Stamp> found;
  each_stamp(form, text, [&](const Stamp& s) {
    found = s;
    return true;
  });
  return found;
}

// Older parts first. A name tells its age by number or by date; between the two, dates are older
// (a site changes from dates to numbers or back once, and `delaycompress` keeps at most one number).
bool older(const Candidate& a, const Candidate& b) {
  const auto age = [](const RotatedName& n) -> std::pair<int, uint64_t> {
    if (n.dated) return {2, ~n.rank};
    return {n.rank == 0 ? 0 : 1, n.rank};
  };
  return age(a.rotated) > age(b.rotated);
}

// Where every first record says its year, these times have the last word.
void sort_parts(std::vector<Candidate>& parts) {
  std::stable_sort(parts.begin(), parts.end(), older);
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

Result<Candidate> open_candidate(const std::string& name) {
  Result<LogSource> source = LogSource::open(name);
  if (!source) return std::unexpected(source.error());
  Candidate c;
  c.part.name = name;
  c.part.source = std::make_unique<LogSource>(std::move(*source));
  c.rotated = name == "-" ? RotatedName{"-", false, 0} : parse_rotated_name(name);
  const std::string_view look = c.part.source->peek(kLook);
  c.part.form = detect_form(look, name);
  if (const auto stamp = first_stamp(c.part.form, look)) c.first = time_of(*stamp);
  c.part.source->rest();
  return c;
}

// Stamps of a plain part, one every 256 KiB (at most some thousand), and of its last lines.
void sample(const LogPart& part, std::vector<Stamp>& out) {
  const LogSource& source = *part.source;
  std::string buffer(kLook, '\0');
  const auto look = [&](uint64_t at, size_t most) -> std::string_view {
    const ssize_t got = ::pread(source.fd(), buffer.data(), most, static_cast<off_t>(at));
    return {buffer.data(), got > 0 ? static_cast<size_t>(got) : 0};
  };
  const uint64_t step = std::max<uint64_t>(uint64_t{1} << 18, source.size() / 1024);
  for (uint64_t at = 0; at < source.size(); at += step) {
    std::string_view text = look(at, kSample);
    if (at > 0) text.remove_prefix(std::min(text.find('\n'), text.size() - (text.empty() ? 0 : 1)));
    if (text.starts_with('\n')) text.remove_prefix(1);
    if (const auto stamp = first_stamp(part.form, text)) out.push_back(*stamp);
  }
  const uint64_t tail = source.size() > kLook ? source.size() - kLook : 0;
  std::string text(look(tail, kLook));
  if (!text.empty() && text.back() != '\n') text += '\n';
  if (tail > 0) text.erase(0, std::min(text.find('\n'), text.size()));
  if (const auto stamp = last_stamp(part.form, text)) out.push_back(*stamp);
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

OpenedLogs open_logs(std::span<const std::string> names) {
  OpenedLogs opened;
  std::vector<std::pair<std::string, std::vector<Candidate>>> groups;  // in the order of their first naming
  std::map<std::string, size_t> group_of;
  std::map<std::pair<uint64_t, uint64_t>, bool> seen;
  for (const std::string& name : names) {
    Candidate c;
    if (is_journal(name)) {
      if (group_of.contains(name)) continue;
      Result<std::unique_ptr<RecordStream>> journal = open_journal(name.substr(8));
      if (!journal) {
        opened.trouble.push_back(journal.error().message);
        continue;
      }
      c.part.name = name;
      c.part.form = Form::kJournal;
      c.part.journal = std::move(*journal);
      c.rotated.stem = name;
    } else {
      Result<Candidate> got = open_candidate(name);
      if (!got) {
        opened.trouble.push_back(got.error().message);
        continue;
      }
      c = std::move(*got);
      if (!seen.emplace(std::pair{c.part.source->device(), c.part.source->inode()}, true).second) continue;
    }
    const auto [it, is_new] = group_of.emplace(c.rotated.stem, groups.size());
    if (is_new) groups.emplace_back(c.rotated.stem, std::vector<Candidate>());
    groups[it->second].second.push_back(std::move(c));
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

int find_base_year(LogSet& set, const Zone& zone, int year_of_last, Instant now) {
  std::vector<Stamp> stamps;
  Instant limit = now;
  for (LogPart& part : set.parts) {
    if (!part.source || !is_line_form(part.form) || part.form == Form::kBare) return 0;
    if (part.source->seekable()) {
      sample(part, stamps);
    } else {
      const std::string_view look = part.source->peek(kLook);
      if (const auto stamp = first_stamp(part.form, look)) stamps.push_back(*stamp);
      // All that a short archive or a pipe holds may be in view.
      if (const auto stamp = last_stamp(part.form, look)) stamps.push_back(*stamp);
      part.source->rest();
    }
    if (has_time(part.source->modified())) limit = std::min(now, part.source->modified());
  }
  if (stamps.empty() || stamps.front().year != 0) return 0;
  const int last = year_of_last != 0 ? year_of_last : year_nearest_before(zone, stamps.back(), limit);
  // Walk from a guess and shift it by what the walk misses.
  Instant t = kNoInstant;
  for (const Stamp& s : stamps) t = resolve_stamp(zone, s, t, last);
  const int64_t utc = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  const auto day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds{std::chrono::seconds{utc + zone.span_at(utc).offset}});
  return last - (static_cast<int>(std::chrono::year_month_day{day}.year()) - last);
}

}  // namespace mailward
