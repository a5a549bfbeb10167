#include "cli/other_lines.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "log/base_year.h"
#include "log/header.h"
#include "log/line_source.h"
#include "log/record.h"

namespace mailward {
namespace {

constexpr size_t kLongestText = 4000;
constexpr size_t kMostAtOnce = 64;  // sessions that are looked for in one line

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Words and addresses, not parts of longer ones: 192.0.2.1 is not in 192.0.2.10, nor in 1.192.0.2.1.
class Needle {
 public:
  explicit Needle(std::string text) : text_(std::move(text)), searcher_(text_.begin(), text_.end()) {
    is_v4_ = text_.find('.') != std::string::npos;
    is_v6_ = text_.find(':') != std::string::npos;
  }
  Needle(const Needle&) = delete;
  Needle& operator=(const Needle&) = delete;

  bool stands_in(std::string_view line) const {
    for (auto at = line.begin(); true; ++at) {
      at = std::search(at, line.end(), searcher_);
      if (at == line.end()) return false;
      const size_t begin = static_cast<size_t>(at - line.begin()), end = begin + text_.size();
      if (!goes_on(line.substr(end), false) && !goes_on(line.substr(0, begin), true)) return true;
    }
  }

 private:
  // Does the word go on in the text beside it?
  bool goes_on(std::string_view beside, bool backwards) const {
    if (beside.empty()) return false;
    const char next = backwards ? beside.back() : beside.front();
    if (is_alphanumeric(next) || (is_v6_ && next == ':')) return true;
    if (!is_v4_ || next != '.' || beside.size() < 2) return false;
    const char further = backwards ? beside[beside.size() - 2] : beside[1];
    return further >= '0' && further <= '9';
  }

  std::string text_;
  std::boyer_moore_horspool_searcher<std::string::const_iterator> searcher_;
  bool is_v4_ = false, is_v6_ = false;
};

// A session known by an id, in the lines of one file from its first event to its last.
struct Stretch {
  uint64_t first = 0, last = 0;
  std::string id;
};

// Which lines of a log lie in the time asked for; asked line by line, in order.
class TimeSpan {
 public:
  TimeSpan(LogSet& set, const ReadOptions& options)
      : options_(options), asked_(has_time(options.since) || has_time(options.until)) {
    if (!asked_) return;
    for (LogPart& part : set.parts)
      if (part.source) part.source->rest();
    base_year_ = find_base_year(set, *options.zone, options.year, options.now, options.patience).year;
  }

  void begin(const LogPart& part) {
    if (asked_) header_.emplace(part.form, TimeFold(*options_.zone, last_, base_year_), part.name);
  }

  // A line that has no stamp has the time of the one before.
  bool holds(std::string_view line) {
    if (!asked_) return true;
    text_.assign(line.substr(0, kLongestText));
    text_.append(kRecordPadding, '\0');
    Record record;
    if (header_->read(std::string_view(text_).substr(0, text_.size() - kRecordPadding), record) == Took::kRecord &&
        has_time(record.time))
      last_ = record.time;
    return (!has_time(options_.since) || last_ >= options_.since) &&
           (!has_time(options_.until) || last_ < options_.until);
  }

 private:
  const ReadOptions& options_;
  const bool asked_;
  int base_year_ = 0;
  Instant last_ = kNoInstant;
  std::optional<HeaderReader> header_;
  std::string text_;
};

class Finder {
 public:
  Finder(const Explanation& explanation, OtherLines& found)
      : address_(format_address(explanation.address)), found_(found) {
    std::map<std::pair<uint32_t, std::string>, Stretch> stretches;
    for (const ExplainedEvent& event : explanation.events) {
      files_[event.file].events.insert(event.line);
      const std::string& id = event.fact(Fact::kSession);
      if (id.size() < 4) continue;  // too short to be looked for
      Stretch& s = stretches[{event.file, id}];
      if (s.id.empty()) s = {event.line, event.line, id};
      s.first = std::min(s.first, event.line);
      s.last = std::max(s.last, event.line);
    }
    for (auto& [key, stretch] : stretches) files_[key.first].stretches.push_back(std::move(stretch));
  }

  void look_through(LogPart& part, TimeSpan& span) {
    span.begin(part);
    File& file = files_[part.index];
    std::sort(file.stretches.begin(), file.stretches.end(),
              [](const Stretch& a, const Stretch& b) { return a.first < b.first; });
    part.source->rest();
    LineSource lines(*part.source);
    std::string_view line;
    size_t next = 0;
    for (uint64_t given = 1; lines.line(line).value_or(false); ++given) {
      const uint64_t number = given + lines.overlong();
      while (!sessions_.empty() && sessions_.begin()->first < number) sessions_.erase(sessions_.begin());
      for (; next < file.stretches.size() && file.stretches[next].first <= number; ++next) {
        const Stretch& s = file.stretches[next];
        if (s.last > number && sessions_.size() < kMostAtOnce) sessions_.emplace(s.last, s.id);
      }
      if (span.holds(line) && !file.events.contains(number) && is_wanted(line)) add(part.index, number, line);
    }
    sessions_.clear();
  }

 private:
  struct File {
    std::unordered_set<uint64_t> events;
    std::vector<Stretch> stretches;
  };

  bool is_wanted(std::string_view line) const {
    if (address_.stands_in(line)) return true;
    return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s.second.stands_in(line); });
  }

  void add(uint32_t file, uint64_t number, std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (found_.lines.size() >= OtherLines::kMost) {
      ++found_.left_out;
      return;
    }
    found_.lines.push_back({file, number, std::string(line.substr(0, kLongestText))});
  }

  Needle address_;
  OtherLines& found_;
  std::map<uint32_t, File> files_;
  std::multimap<uint64_t, Needle> sessions_;  // those that go on at this line, by their last line
};

}  // namespace

OtherLines find_other_lines(OpenedLogs& logs, const Explanation& explanation, const ReadOptions& options) {
  OtherLines found;
  Finder finder(explanation, found);
  for (LogSet& set : logs.sets) {
    TimeSpan span(set, options);
    for (LogPart& part : set.parts) {
      if (part.source && part.source->rewindable() && is_line_form(part.form)) finder.look_through(part, span);
    }
  }
  return found;
}

}  // namespace mailward
