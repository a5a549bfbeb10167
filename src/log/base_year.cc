#include "log/base_year.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

namespace mailward {
namespace {

constexpr size_t kLooks = 1024;       // at a plain file
constexpr size_t kSample = 8 << 10;   // bytes of one look: a line of every daemon
constexpr size_t kSpacing = 4 << 10;  // of stamps that are noted of what is read in a row
constexpr size_t kFirst = 64 << 10;   // of a part that others follow
constexpr size_t kBlock = 256 << 10;
constexpr size_t kMostSeen = 100'000;  // then only some of each block
constexpr size_t kStampRoom = 128;     // of a line that is not whole: so much of it holds the stamp

struct Seen {
  Stamp stamp;
  bool after_gap = false;  // what stands before it was not looked at
};

bool is_leap_day(const Stamp& stamp) { return stamp.month == 2 && stamp.day == 29; }

// The stamps of the lines of `text`, with where they stand: visits them until it returns false.
template <class Visit>
void each_stamp(Form form, std::string_view text, Visit visit) {
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    if (end == std::string_view::npos) {
      if (text.size() - at < kStampRoom) return;
      end = text.size();
    }
    Stamp stamp;
    if (read_stamp(form, text.substr(at, end - at), stamp) && !visit(stamp, at)) return;
    at = end + 1;
  }
}

// What the sources of one set tell of its stamps, in order.
class Looker {
 public:
  explicit Looker(std::vector<Seen>& seen) : seen_(seen) {}

  // Only whether the first stamp has its year; false where there is none in sight.
  static bool has_years(const LogPart& part) {
    const auto first = first_stamp(part.form, part.source->peek(kFirst));
    part.source->rest();
    return first && first->year != 0;
  }

  void plain(const LogPart& part) {
    const LogSource& source = *part.source;
    const bool small = source.size() <= LogSource::kMostPeeked;
    const uint64_t step = source.size() / kLooks;
    for (uint64_t at = 0; !small && at < source.size(); at += step) {
      if (const auto stamp = first_stamp(part.form, text_at(source, at, kSample))) add(*stamp);
    }
    const uint64_t tail = small ? 0 : source.size() - kFirst;
    std::string_view text = text_at(source, tail, source.size() - tail);
    if (!text.empty() && text.back() != '\n') {
      const auto end = static_cast<size_t>(text.data() + text.size() - buffer_.data());
      buffer_[end] = '\n';
      text = {text.data(), text.size() + 1};
    }
    row(part.form, text, kSpacing);
  }

  // A pipe, or a compressed file; `most` bytes of it. Says whether that was all.
  bool stream(const LogPart& part, size_t most, Patience patience) {
    bool all = false;
    std::string text(part.source->peek(most, patience, &all));
    if (all && !text.empty() && text.back() != '\n') text += '\n';
    row(part.form, text, kSpacing);
    part.source->rest();
    gap_ = !all;
    return all;
  }

  // A compressed file from end to end.
  void whole_stream(const LogPart& part) {
    std::string text;
    size_t kept = 0;
    while (true) {
      text.resize(kept + kBlock);
      const Result<size_t> got = part.source->read({text.data() + kept, kBlock});
      const bool ended = !got || *got == 0;
      text.resize(kept + (ended ? 0 : *got));
      if (ended && !text.empty()) text += '\n';
      row(part.form, text, kBlock);
      if (ended) break;
      text.erase(0, text.rfind('\n') + 1);
      kept = text.size() <= kBlock ? text.size() : 0;  // a line beyond all bounds: look for its end
    }
    part.source->rest();
  }

 private:
  // One stamp for each day is enough, so memory does not grow with the log.
  void add(const Stamp& stamp) {
    const bool same_day = !gap_ && !seen_.empty() && seen_.back().stamp.year == stamp.year &&
                          seen_.back().stamp.month == stamp.month && seen_.back().stamp.day == stamp.day;
    if (same_day) {
      seen_.back().stamp = stamp;
    } else {
      seen_.push_back({stamp, gap_});
    }
    gap_ = false;
  }

  // One stamp of each few lines, one of each month and each 29 February, and the last.
  void row(Form form, std::string_view text, size_t spacing) {
    size_t next = 0;
    std::optional<Stamp> last;
    each_stamp(form, text, [&](const Stamp& stamp, size_t at) {
      last = stamp;
      const bool telling = seen_.size() < kMostSeen && (seen_.empty() || stamp.month != seen_.back().stamp.month ||
                                                        (is_leap_day(stamp) && !is_leap_day(seen_.back().stamp)));
      if (at < next && !telling) return true;
      next = at + spacing;
      add(stamp);
      last.reset();
      return true;
    });
    if (last) add(*last);
  }

  // Whole lines from `at` on, in buffer_, which has room for one more byte.
  std::string_view text_at(const LogSource& source, uint64_t at, size_t most) {
    buffer_.resize(most + 1);
    const uint64_t from = at > 0 ? at - 1 : 0;
    const ssize_t got = ::pread(source.fd(), buffer_.data(), most, static_cast<off_t>(from));
    std::string_view text(buffer_.data(), got > 0 ? static_cast<size_t>(got) : 0);
    if (at > 0) text.remove_prefix(std::min(text.find('\n'), text.size()));
    if (text.starts_with('\n')) text.remove_prefix(1);
    return text;
  }

  std::vector<Seen>& seen_;
  std::string buffer_;
  bool gap_ = false;
};

// The first reading of a stamp from `previous` on, a day and a half of disorder allowed.
Instant next_reading(const Zone& zone, const Stamp& stamp, Instant previous) {
  return resolve_stamp(zone, stamp, previous + std::chrono::days(181), 0);
}

struct Walk {
  int first_year = 0, last_year = 0;   // in which it begins and ends
  Duration widest = Duration::zero();  // step between two neighbours, either way
};

Walk walk(const Zone& zone, const std::vector<Seen>& seen, int year) {
  Walk w;
  Instant t = kNoInstant;
  for (const Seen& s : seen) {
    const Instant next = s.after_gap ? next_reading(zone, s.stamp, t) : resolve_stamp(zone, s.stamp, t, year);
    if (has_time(t)) w.widest = std::max(w.widest, next < t ? t - next : next - t);
    if (!has_time(t)) w.first_year = local_year_of(zone, next);
    t = next;
  }
  w.last_year = local_year_of(zone, t);
  return w;
}

// A log with a 29 February ends in a year that the last line alone doesn't tell: a walk that begins in a
// wrong year jumps there. The way without such a jump; of these, which lie four years apart, the last one
// that doesn't end after `year`.
int first_year_with_leap_day(const Zone& zone, const std::vector<Seen>& seen, int year) {
  constexpr int kReach = 8;  // between two leap years (1896 to 1904, 2096 to 2104)
  const int years = std::max(0, walk(zone, seen, year).last_year - year);  // between the first line and the last
  int best_year = year;
  std::optional<Walk> best;
  for (int first = year - years - kReach; first <= year; ++first) {
    const Walk w = walk(zone, seen, first);
    if (w.last_year > year || (best && w.widest > best->widest)) continue;
    best = w;
    best_year = w.first_year;
  }
  return best_year;
}

}  // namespace

bool BaseYear::contradicted(const Zone& zone, Instant last) const {
  return last_year != 0 && has_time(last) && local_year_of(zone, last) > last_year;
}

std::optional<Stamp> first_stamp(Form form, std::string_view text) {
  std::optional<Stamp> found;
  each_stamp(form, text, [&](const Stamp& s, size_t) {
    found = s;
    return false;
  });
  return found;
}

BaseYear find_base_year(LogSet& set, const Zone& zone, int year_of_last, Instant now, Patience patience) {
  for (const LogPart& part : set.parts) {
    if (!part.source || !is_line_form(part.form) || is_without_time(part.form)) return {};
  }
  if (Looker::has_years(set.parts.front())) return {};
  std::vector<Seen> seen;
  Looker looker(seen);
  Instant limit = now;
  bool to_the_end = true;
  for (const LogPart& part : set.parts) {
    const bool last = &part == &set.parts.back();
    if (part.source->seekable()) {
      looker.plain(part);
    } else if (last && year_of_last != 0 && part.source->rewindable()) {
      looker.whole_stream(part);
    } else {
      const bool all = looker.stream(part, last ? LogSource::kMostPeeked : kFirst, patience);
      if (last) to_the_end = all;
    }
    if (has_time(part.source->modified())) limit = std::min(now, part.source->modified());
  }
  if (seen.empty() || seen.front().stamp.year != 0) return {};
  const Stamp& last = seen.back().stamp;
  BaseYear base;
  int year = year_of_last != 0 ? year_of_last : year_nearest_before(zone, last, limit);
  if (year_of_last != 0 && !to_the_end) {
    // The last line is of that year; the last one that was looked at may be of the year before, and is if it
    // were still to come otherwise.
    base.last_year = year_of_last;
    year = std::min(year, year_nearest_before(zone, last, limit));
  }
  if (std::any_of(seen.begin(), seen.end(), [](const Seen& s) { return is_leap_day(s.stamp); })) {
    base.year = first_year_with_leap_day(zone, seen, year);
  } else {
    // Walk from a guess and shift it by what the walk misses.
    base.year = year - (walk(zone, seen, year).last_year - year);
  }
  return base;
}

}  // namespace mailward
