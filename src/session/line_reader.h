// One stretch of one part of a log, line by line: header, rule, session. The inner loop of the
// whole program.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/grammar.h"
#include "log/header.h"
#include "log/line_ends.h"
#include "log/record_stream.h"
#include "session/event_stream.h"
#include "session/tracker.h"

namespace mailward {

// Longer lines are dropped and counted: no daemon writes them in one record.
inline constexpr size_t kMaxLine = 64 * 1024;

struct LineFigures {
  uint64_t lines = 0, not_understood = 0, other_programs = 0, lost = 0, overlong = 0;
  uint64_t unheeded = 0;   // lines that tell nothing that is asked for (Grammar::narrow()), matched or not
  uint64_t no_header = 0;  // of `not_understood`: not of the form that most lines of the file have
  uint64_t unshown = 0;    // of `not_understood`: can't be delivered (ReadOptions::unexplained), nobody kept them
  uint64_t continued = 0;  // no lines of their own: parts of the one before, and empty ones
  uint64_t untrusted = 0;  // of a journal: an ordinary user's process wrote them
  Instant first = kNoInstant, last = kNoInstant;
  void add(const LineFigures& other);
};

// Reads records on behalf of one tracker. Not thread-safe.
class LineReader {
 public:
  LineReader(const Grammar& grammar, Tracker& tracker, const ReadOptions& options)
      : grammar_(grammar), tracker_(tracker), options_(options), narrowed_(grammar.narrowed()) {}
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // What follows belongs to this file; lines are counted from `line` + 1.
  void begin(uint32_t file, uint64_t line) {
    for (Line& each : together_) each.where.file = file;
    line_ = line;
  }

  // All whole lines in [begin, end), each ending in a line feed; kMessagePadding bytes after `end`
  // must be readable. Returns where the first line that has no end begins.
  const char* lines(const char* begin, const char* end, HeaderReader& header, Batch& out);
  // One line without its line feed.
  void line(const char* begin, const char* end, HeaderReader& header, Batch& out);
  // A line that was too long to be looked at.
  void overlong_line() {
    ++line_;
    ++figures_.lines;
    forget_overlong();
  }
  // One record of a form that is not lines. `raw` may be empty.
  void record(const Record& record, std::string_view raw, Batch& out);

  // A repetition stood before anything that it could repeat: the part must be read in order.
  bool wants_previous() const { return wants_previous_; }

  uint64_t line_number() const { return line_; }
  // Lines that somebody else read.
  void skip_to(uint64_t line, const LineReader& other) {
    line_ = line;
    if (other.knows_previous_) {
      has_previous_ = other.has_previous_;
      previous_message_ = other.previous_message_;
      previous_rules_ = other.previous_rules_;
      previous_pid_ = other.previous_pid_;
    }
    for (const auto& [writer, length] : other.last_lengths_) last_length(writer) = length;
  }
  // A stream of records read on, from the figures `before` to the figures `now`.
  void skip_lines(const StreamFigures& before, const StreamFigures& now) {
    const uint64_t no_header = now.no_header - before.no_header, overlong = now.overlong - before.overlong;
    line_ += now.lines - before.lines;
    figures_.lines += now.lines - before.lines;
    figures_.not_understood += no_header + overlong;
    figures_.no_header += no_header;
    figures_.unshown += no_header + overlong;
    figures_.continued += now.continued - before.continued;
    figures_.untrusted += now.untrusted - before.untrusted;
    figures_.overlong += overlong;
  }
  // Forgets what the lines so far left behind.
  void forget() {
    figures_ = {};
    seen_ = kNoInstant;
    forget_previous();
    knows_previous_ = wants_previous_ = false;
    last_lengths_.clear();
  }
  // See saving.h.
  void save(Encoder& out);
  bool restore(Decoder& in);

  const LineFigures& figures() const { return figures_; }
  // What was counted since the last call.
  LineFigures take_figures() {
    seen_ = kNoInstant;
    return std::exchange(figures_, {});
  }

 private:
  // A record on its way through the stations.
  struct Line {
    Record record;
    LineContext where{&record};
    const ProgramRules* rules = nullptr;
    uint32_t start = 0;  // for ProgramRules::explain()
    Line() = default;
    Line(const Line& other) : record(other.record), where(other.where), rules(other.rules), start(other.start) {
      where.record = &record;
    }
    Line& operator=(const Line&) = delete;
  };
  static constexpr size_t kTogether = 16;
  bool read_header(const char* begin, const char* end, HeaderReader& header, Line& line, Batch& out);
  void without_record(Took took, Line& line, Batch& out);
  bool find_rules(Line& line);
  void explain(Line& line, Batch& out);
  Line* explain_together(Line* end, Batch& out);
  void explain_all(Line* end, Batch& out);
  void explain_heeded(Line* end, Batch& out);
  void seen(Instant t) {
    if (t == seen_ || !has_time(t)) return;
    seen_ = t;
    if (!has_time(figures_.first) || t < figures_.first) figures_.first = t;
    if (t > figures_.last) figures_.last = t;
  }
  bool continues(const Record& record, uint32_t host, const ProgramRules& rules);
  void forget_overlong() {
    ++figures_.overlong;
    ++figures_.unshown;
    ++figures_.not_understood;
    forget_previous();
  }
  size_t& last_length(uint64_t writer);
  void unexplained(Line& line, Batch& out);
  void prepare_bare();
  bool explain_bare(Line& line, Batch& out);
  bool is_passed(const Line* line) const;
  void keep_previous();
  void forget_previous();
  void repeat_previous(const Line& line, uint64_t times, Batch& out);
  void tell(Line& line, const RuleMeaning& meaning, Batch& out);
  void tell_repeated(const Line& line, const RuleMeaning& meaning, uint64_t times, Batch& out);

  const Grammar& grammar_;
  Tracker& tracker_;
  const ReadOptions& options_;
  uint64_t line_ = 0;
  LineFigures figures_;
  Instant seen_ = kNoInstant;  // figures_ know of it
  std::array<Line, kTogether> together_;
  const bool narrowed_;                      // the grammar is
  std::array<Line*, kTogether + 1> list_{};  // only then: those of together_ that are to be explained, and room
  Line** list_end_ = list_.data();
  Match match_;
  LineEnds line_ends_;
  bool bare_ready_ = false;
  std::vector<const RuleMeaning*> of_any_text_;  // of rules that explain whatever their program writes
  // For syslogd's "last message repeated": the last record that was no repetition. It is copied when the
  // lines that went together are done.
  const Line* explained_ = nullptr;  // that record, while they are not
  bool has_previous_ = false, wants_previous_ = false;
  bool knows_previous_ = false;  // some record since forget() was one, or ended the last one's being it
  std::string previous_message_;
  const ProgramRules* previous_rules_ = nullptr;
  uint32_t previous_pid_ = 0;
  // The length of the last message of each writer (host and program) whose logger splits long ones.
  std::unordered_map<uint64_t, size_t> last_lengths_;
  std::string scratch_;
};

}  // namespace mailward
