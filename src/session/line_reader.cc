#include "session/line_reader.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "base/inline.h"
#include "log/limits.h"
#include "log/meta.h"
#include "log/stamp.h"

namespace mailward {
namespace {
// In HeaderNote::value, above the host's hash: the note was written.
constexpr uint64_t kNoted = uint64_t{1} << 32;

// Of any daemon that writes under this name?
bool is_heeded(const ProgramRules* rules) {
  for (; rules; rules = rules->also)
    if (rules->heeded) return true;
  return false;
}

// Of text that was taken to have no header: does this line begin like one of a log that has them?
bool has_stamp(std::string_view line) {
  Stamp stamp;
  return read_stamp(Form::kSyslog, line, stamp) || read_stamp(Form::kTai64n, line, stamp);
}

static_assert(LineEnds::kPadding <= kMessagePadding);
constexpr size_t kUnknown = SIZE_MAX, kTrimmed = SIZE_MAX - 1;
constexpr size_t kMaxWriters = 65'536;
}  // namespace

void LineFigures::add(const LineFigures& other) {
  lines += other.lines;
  not_understood += other.not_understood;
  other_programs += other.other_programs;
  lost += other.lost;
  overlong += other.overlong;
  unheeded += other.unheeded;
  no_header += other.no_header;
  unshown += other.unshown;
  continued += other.continued;
  untrusted += other.untrusted;
  if (has_time(other.first) && (!has_time(first) || other.first < first)) first = other.first;
  if (has_time(other.last) && other.last > last) last = other.last;
}

MAILWARD_INLINE void LineReader::tell(Line& line, const RuleMeaning& meaning, Batch& out) {
  line.where.cut = match_.address_right && at_cut_length(line.record);
  if (options_.keep_facts) line.where.service = grammar_.find(line.record.program).service;
  tracker_.take(line.where, meaning, match_, out);
}

void LineReader::tell_repeated(const Line& line, const RuleMeaning& meaning, uint64_t times, Batch& out) {
  Line again = line;
  again.where.repeat = static_cast<uint32_t>(std::min<uint64_t>(times, 1'000'000));
  tell(again, meaning, out);
}

// False: nothing more is to be done with this line.
MAILWARD_INLINE bool LineReader::read_header(const char* begin, const char* end, HeaderReader& header, Line& line,
                                             Batch& out) {
  line.where.raw = {begin, static_cast<size_t>(end - begin)};
  line.where.line = ++line_;
  const Took took = header.read(line.where.raw, line.record);
  if (took == Took::kRecord) return find_rules(line);
  without_record(took, line, out);
  return false;
}

void LineReader::without_record(Took took, Line& line, Batch& out) {
  if (took != Took::kNoHeader) {
    ++figures_.continued;
    return;
  }
  ++figures_.not_understood;
  ++figures_.no_header;
  if (!options_.unexplained) return;
  line.record = Record{};
  tracker_.show(line.where, out);
}

// False: it is the rest of the record before.
MAILWARD_INLINE bool LineReader::find_rules(Line& line) {
  Record& r = line.record;
  seen(r.time);
  if (r.note && r.note->value) [[likely]] {
    line.rules = static_cast<const ProgramRules*>(r.note->rules);
    line.where.host = static_cast<uint32_t>(r.note->value);
  } else {
    line.rules = grammar_.find(r.program).rules;
    line.where.host = hash_host(r.host);
    if (line.rules && !is_heeded(line.rules)) line.rules = &ProgramRules::unheeded();
    if (r.note) *r.note = {line.rules, kNoted | line.where.host};
  }
  if (!line.rules || !line.rules->cut || !continues(r, line.where.host, *line.rules)) return true;
  ++figures_.continued;
  return false;
}

MAILWARD_INLINE void LineReader::explain(Line& line, Batch& out) {
  const Record& r = line.record;
  if (!line.rules) {
    // Some syslogds leave out their own tag: "host last message repeated 2 times".
    const bool repeats = r.program.empty() && classify(r).kind == Meta::Kind::kRepeatLast;
    if (repeats || !r.program.empty() || !explain_bare(line, out)) unexplained(line, out);
    return;
  }
  const ProgramRules* rules = line.rules;
  const RuleMeaning* const meaning =
      ProgramRules::explain(rules, line.start, r.message.data(), r.message.data() + r.message.size(), match_);
  if (!meaning) return unexplained(line, out);
  if (meaning->heeded) [[likely]]
    tell(line, *meaning, out);
  else if (!meaning->silent)
    ++figures_.unheeded;
  line.rules = rules;
  explained_ = &line;
}

// Some lines at a time go from station to station together: what one station finds out of a line is
// known long before the next one needs it, so that a wrongly guessed branch there is seen at once.
const char* LineReader::lines(const char* begin, const char* end, HeaderReader& header, Batch& out) {
  const uint64_t lines_before = line_;
  const char* line = begin;
  // (What is shown of lines without a header must come in its turn.)
  Line* const last = together_.data() + (header.views_last() && !options_.unexplained ? kTogether : 1);
  Line* next = together_.data();
  for (const char* at = begin; at < end; at += LineEnds::kStretch) {
    line_ends_.find(at, std::min(LineEnds::kStretch, static_cast<size_t>(end - at)));
    for (const uint16_t offset : line_ends_) {
      const char* const stop = at + offset;
      if (stop - line > static_cast<ptrdiff_t>(kMaxLine)) [[unlikely]] {
        next = explain_together(next, out);
        ++line_;
        forget_overlong();
      } else if (read_header(line, stop, header, *next, out) && ++next == last) {
        next = explain_together(next, out);
      }
      line = stop + 1;
    }
  }
  explain_together(next, out);
  figures_.lines += line_ - lines_before;
  return line;
}

auto LineReader::explain_together(Line* end, Batch& out) -> Line* {
  Line* const first = together_.data();
  if (narrowed_)
    explain_heeded(end, out);
  else
    explain_all(end, out);
  keep_previous();
  return first;
}

// Where its rules begin with a line is looked up for all lines before the first is explained (not when its header
// is read: the place of the message would be waited for).
void LineReader::explain_all(Line* end, Batch& out) {
  for (Line* l = together_.data(); l != end; ++l)
    if (l->rules) [[likely]]
      l->start = l->rules->start(l->record.message.data());
  for (Line* l = together_.data(); l != end; ++l) explain(*l, out);
}

void LineReader::explain_heeded(Line* end, Batch& out) {
  Line** listed = list_.data();
  for (Line* l = together_.data(); l != end; ++l) {
    *listed = l;
    bool passed = false;
    if (l->rules) [[likely]] {
      const std::string_view message = l->record.message;
      l->start = l->rules->start(message.data());
      passed = l->rules->passes(message.data(), message.data() + message.size());
    }
    listed += !passed;  // no branch: which line comes next can't be guessed
  }
  list_end_ = listed;
  // The next line is known before this one is explained: after a wrong guess there, it is not waited for.
  Line* next = list_[0];
  for (Line** l = list_.data(); l != list_end_; ++l) explain(*std::exchange(next, l[1]), out);
  const auto lines = end - together_.data(), explained = list_end_ - list_.data();
  figures_.unheeded += static_cast<size_t>(lines - explained);
  if (lines > 0 && (explained == 0 || list_end_[-1] != end - 1)) forget_previous();
}

void LineReader::line(const char* begin, const char* end, HeaderReader& header, Batch& out) {
  if (end - begin > static_cast<ptrdiff_t>(kMaxLine)) return overlong_line();
  ++figures_.lines;
  explain_together(together_.data() + read_header(begin, end, header, together_[0], out), out);
}

void LineReader::record(const Record& record, std::string_view raw, Batch& out) {
  Line& line = together_[0];
  line.record = record;
  line.where.raw = raw;
  line.where.line = line_;
  explain_together(together_.data() + find_rules(line), out);
  line.record.origin = nullptr;  // is the stream's
}

// A logger that splits long records writes the rest as one that begins anywhere, in client text say:
// such a record is no line. A part that was begun in the middle can't know; it is read again, in order.
bool LineReader::continues(const Record& r, uint32_t host, const ProgramRules& rules) {
  size_t& last = last_length(uint64_t{host} << 32 | hash_host(r.program));
  if (last == kUnknown && tracker_.ahead()) wants_previous_ = true;
  const bool rest = last != kUnknown && last >= rules.cut;
  // What looks like syslogd's own words ends no split record: it may be the rest, or stand before it.
  // Of what journald took away (blanks at the end) nobody knows how long it was.
  if (r.origin && r.origin->trimmed)
    last = kTrimmed;
  else if (classify(r).kind == Meta::Kind::kNone)
    last = r.message.size();
  return rest;
}

size_t& LineReader::last_length(uint64_t writer) {
  // Writers are hosts and programs of this log: a client can't make any.
  if (last_lengths_.size() >= kMaxWriters) last_lengths_.clear();
  return last_lengths_.try_emplace(writer, kUnknown).first->second;
}

// A rule for whatever a program writes, or for all that begins with one sign, says nothing of a line of which nobody
// knows that this program wrote it. Such rules are those that explain what nobody writes.
void LineReader::prepare_bare() {
  grammar_.need_all();
  const std::string signs = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  for (const auto& program : grammar_.programs())
    for (const char sign : signs) {
      const std::string nothing = {sign, '?'};
      const std::string padded = nothing + std::string(kMessagePadding, '\0');
      if (const RuleMeaning* any = program->explain(padded.data(), padded.data() + nothing.size(), match_))
        of_any_text_.push_back(any);
    }
  std::sort(of_any_text_.begin(), of_any_text_.end());
  of_any_text_.erase(std::unique(of_any_text_.begin(), of_any_text_.end()), of_any_text_.end());
  bare_ready_ = true;
}

// Text without a header: whose line it is shows only in what it says. Where the rules of several
// programs explain it, they must accuse the same address.
bool LineReader::explain_bare(Line& line, Batch& out) {
  const Record& r = line.record;
  if (!bare_ready_) prepare_bare();
  const auto of_any_text = [&](const RuleMeaning* m) {
    return std::binary_search(of_any_text_.begin(), of_any_text_.end(), m);
  };
  const RuleMeaning* meaning = nullptr;
  Match m;
  for (const auto& program : grammar_.programs()) {
    const RuleMeaning* found = program->explain(r.message.data(), r.message.data() + r.message.size(), m);
    if (!found || (meaning && found->silent) || of_any_text(found)) continue;
    if (meaning && !meaning->silent &&
        (match_.has(Capture::kAddress) != m.has(Capture::kAddress) ||
         (m.has(Capture::kAddress) && match_.address != m.address))) {
      RuleMeaning nobody;
      nobody.kinds[0] = EventKind::kAmbiguous;
      tracker_.take(LineContext{&r}, nobody, match_, out);
      return true;
    }
    if (meaning && !meaning->silent) continue;
    meaning = found;
    match_ = m;
  }
  if (!meaning) return false;
  if (meaning->heeded)
    tell(line, *meaning, out);
  else if (!meaning->silent)
    ++figures_.unheeded;
  return true;
}

void LineReader::unexplained(Line& line, Batch& out) {
  const Record& r = line.record;
  const ProgramRules* rules = line.rules;
  const Meta meta = classify(r);
  switch (meta.kind) {
    case Meta::Kind::kLoss:
      figures_.lost += 1;
      tracker_.lose(r.host, out);
      forget_previous();
      return;
    case Meta::Kind::kRepeatInner: {
      if (!rules) break;
      // The inner text must be followed by readable bytes of its own.
      scratch_.assign(meta.inner);
      scratch_.append(kMessagePadding, '\0');
      const char* text = scratch_.data();
      if (const RuleMeaning* meaning = ProgramRules::explain(rules, text, text + meta.inner.size(), match_)) {
        if (meaning->heeded)
          tell_repeated(line, *meaning, meta.count, out);
        else if (!meaning->silent)
          ++figures_.unheeded;
        return;
      }
      break;
    }
    case Meta::Kind::kRepeatLast:
      repeat_previous(line, meta.count, out);
      return;
    case Meta::Kind::kNone:
      break;
  }
  forget_previous();
  if (!rules && !r.program.empty()) {
    ++figures_.other_programs;
    return;
  }
  ++figures_.not_understood;
  if (r.program.empty() && !has_time(r.time) && has_stamp(line.where.raw)) ++figures_.no_header;
  if (options_.unexplained) tracker_.show(line.where, out);
}

void LineReader::repeat_previous(const Line& line, uint64_t times, Batch& out) {
  if (is_passed(&line - 1)) forget_previous();
  keep_previous();
  if (!has_previous_) {
    wants_previous_ = true;
    ++figures_.other_programs;
    return;
  }
  scratch_.assign(previous_message_);
  scratch_.append(kMessagePadding, '\0');
  const RuleMeaning* meaning =
      previous_rules_->explain(scratch_.data(), scratch_.data() + previous_message_.size(), match_);
  if (!meaning || !meaning->heeded) return;
  Line again = line;
  again.record.pid = previous_pid_;
  again.where.raw = {};
  tell_repeated(again, *meaning, times, out);
}

// Of the lines that go together: is it one that need not be explained?
bool LineReader::is_passed(const Line* line) const {
  Line* const* const end = list_end_;
  return narrowed_ && line >= together_.data() && std::find(list_.data(), end, line) == end;
}

void LineReader::keep_previous() {
  if (!explained_) return;
  previous_message_.assign(explained_->record.message);
  previous_rules_ = explained_->rules;
  previous_pid_ = explained_->record.pid;
  has_previous_ = knows_previous_ = true;
  explained_ = nullptr;
}

void LineReader::forget_previous() {
  explained_ = nullptr;
  has_previous_ = false;
  knows_previous_ = true;
}

}  // namespace mailward
