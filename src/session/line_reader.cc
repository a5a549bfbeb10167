#include "session/line_reader.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "log/limits.h"
#include "log/meta.h"

namespace mailward {
namespace {
constexpr size_t kUnknown = SIZE_MAX, kTrimmed = SIZE_MAX - 1;
constexpr size_t kMaxWriters = 65'536;
}  // namespace

void LineFigures::add(const LineFigures& other) {
  lines += other.lines;
  not_understood += other.not_understood;
  other_programs += other.other_programs;
  lost += other.lost;
  overlong += other.overlong;
  if (has_time(other.first) && (!has_time(first) || other.first < first)) first = other.first;
  if (has_time(other.last) && other.last > last) last = other.last;
}

inline void LineReader::read_line(const char* begin, const char* end, HeaderReader& header, Batch& out) {
  if (end - begin > static_cast<ptrdiff_t>(kMaxLine)) [[unlikely]]
    return overlong_line();
  ++line_;
  ++figures_.lines;
  const std::string_view text(begin, static_cast<size_t>(end - begin));
  Record& r = record_;
  switch (header.read(text, r)) {
    case Took::kRecord:
      record(r, text, out);
      return;
    case Took::kNoHeader:
      ++figures_.not_understood;
      return;
    case Took::kContinuation:
      return;
  }
}

// Line ends are looked for 64 bytes at a time, a bit for each.
const char* LineReader::lines(const char* begin, const char* end, HeaderReader& header, Batch& out) {
  const char* line = begin;
  for (const char* at = begin; at < end; at += 64) {
    uint64_t ends = equal_mask32(at, '\n') | uint64_t{equal_mask32(at + 32, '\n')} << 32;
    if (end - at < 64) ends &= (uint64_t{1} << (end - at)) - 1;
    for (; ends; ends &= ends - 1) {
      const char* const stop = at + std::countr_zero(ends);
      read_line(line, stop, header, out);
      line = stop + 1;
    }
  }
  return line;
}

void LineReader::line(const char* begin, const char* end, HeaderReader& header, Batch& out) {
  read_line(begin, end, header, out);
}

void LineReader::record(const Record& r, std::string_view raw, Batch& out) {
  seen(r.time);
  const ProgramRules* rules;
  uint32_t host;
  if (r.note && r.note->value) [[likely]] {
    rules = static_cast<const ProgramRules*>(r.note->rules);
    host = static_cast<uint32_t>(r.note->value);
  } else {
    rules = grammar_.find(r.program).rules;
    host = hash_host(r.host);
    if (r.note) *r.note = {rules, uint64_t{1} << 32 | host};
  }
  if (rules) {
    if (rules->cut && continues(r, host, *rules)) return;
    if (const RuleMeaning* meaning =
            ProgramRules::explain(rules, r.message.data(), r.message.data() + r.message.size(), match_)) {
      if (!meaning->silent) tell(r, host, *rules, *meaning, match_, 1, raw, out);
    } else {
      unexplained(r, host, rules, raw, out);
      return;
    }
  } else {
    if (!r.program.empty() || !explain_bare(r, raw, out)) unexplained(r, host, nullptr, raw, out);
    return;
  }
  previous_message_ = r.message;
  previous_rules_ = rules;
  previous_pid_ = r.pid;
  has_previous_ = true;
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

void LineReader::tell(const Record& r, uint32_t host, const ProgramRules& rules, const RuleMeaning& meaning,
                      const Match& match, uint32_t repeat, std::string_view raw, Batch& out) {
  LineContext where{&r, line_, file_, repeat, host, match.address_right && at_cut_length(r), raw, {}};
  if (options_.keep_facts) where.service = grammar_.find(r.program).service;
  tracker_.take(where, rules, meaning, match, out);
}

// Text without a header: whose line it is shows only in what it says. Where the rules of several
// programs explain it, they must accuse the same address.
bool LineReader::explain_bare(const Record& r, std::string_view raw, Batch& out) {
  if (!bare_ready_ && !grammar_.prepare_all()) return false;
  bare_ready_ = true;
  const ProgramRules* by = nullptr;
  const RuleMeaning* meaning = nullptr;
  Match m;
  for (const auto& program : grammar_.programs()) {
    const RuleMeaning* found = program->explain(r.message.data(), r.message.data() + r.message.size(), m);
    if (!found || (meaning && found->silent)) continue;
    if (meaning && !meaning->silent &&
        (match_.has(Capture::kAddress) != m.has(Capture::kAddress) ||
         (m.has(Capture::kAddress) && match_.address != m.address))) {
      RuleMeaning nobody;
      nobody.kinds[0] = EventKind::kAmbiguous;
      tracker_.take(LineContext{&r}, *by, nobody, match_, out);
      return true;
    }
    if (meaning && !meaning->silent) continue;
    by = program.get();
    meaning = found;
    match_ = m;
  }
  if (!meaning) return false;
  if (!meaning->silent) tell(r, hash_host(r.host), *by, *meaning, match_, 1, raw, out);
  return true;
}

void LineReader::unexplained(const Record& r, uint32_t host, const ProgramRules* rules, std::string_view raw,
                             Batch& out) {
  const Meta meta = classify(r);
  switch (meta.kind) {
    case Meta::Kind::kLoss:
      figures_.lost += 1;
      tracker_.lose(r.host, out);
      has_previous_ = false;
      return;
    case Meta::Kind::kRepeatInner: {
      if (!rules) break;
      // The inner text must be followed by readable bytes of its own.
      scratch_.assign(meta.inner);
      scratch_.append(kMessagePadding, '\0');
      const char* text = scratch_.data();
      const auto times = static_cast<uint32_t>(std::min<uint64_t>(meta.count, 1'000'000));
      if (const RuleMeaning* meaning = ProgramRules::explain(rules, text, text + meta.inner.size(), match_)) {
        if (!meaning->silent) tell(r, host, *rules, *meaning, match_, times, raw, out);
        return;
      }
      break;
    }
    case Meta::Kind::kRepeatLast:
      repeat_previous(r, meta.count, out);
      return;
    case Meta::Kind::kNone:
      break;
  }
  has_previous_ = false;
  if (rules || r.program.empty())
    ++figures_.not_understood;
  else
    ++figures_.other_programs;
}

void LineReader::repeat_previous(const Record& r, uint64_t times, Batch& out) {
  if (!has_previous_) {
    wants_previous_ = true;
    ++figures_.other_programs;
    return;
  }
  scratch_.assign(previous_message_);
  scratch_.append(kMessagePadding, '\0');
  const RuleMeaning* meaning =
      previous_rules_->explain(scratch_.data(), scratch_.data() + previous_message_.size(), match_);
  if (!meaning || meaning->silent) return;
  Record again = r;
  again.pid = previous_pid_;
  tell(again, hash_host(again.host), *previous_rules_, *meaning, match_,
       static_cast<uint32_t>(std::min<uint64_t>(times, 1'000'000)), {}, out);
}

void LineReader::keep_previous() {
  if (!has_previous_) return;
  previous_text_.assign(previous_message_);
  previous_message_ = previous_text_;
}

}  // namespace mailward
