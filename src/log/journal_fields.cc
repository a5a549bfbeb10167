#include "log/journal_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "log/own_forms.h"

namespace mailward {
namespace {

constexpr std::array<std::string_view, JournalFields::kCount> kNames = {"MESSAGE",
                                                                        "SYSLOG_IDENTIFIER",
                                                                        "_COMM",
                                                                        "_PID",
                                                                        "SYSLOG_PID",
                                                                        "__REALTIME_TIMESTAMP",
                                                                        "_SOURCE_REALTIME_TIMESTAMP",
                                                                        "_HOSTNAME",
                                                                        "_SYSTEMD_UNIT",
                                                                        "_SYSTEMD_USER_UNIT",
                                                                        "_UID",
                                                                        "_TRANSPORT",
                                                                        "_LINE_BREAK",
                                                                        "_STREAM_ID",
                                                                        "__CURSOR",
                                                                        "__SEQNUM",
                                                                        "__SEQNUM_ID",
                                                                        "SYSLOG_RAW",
                                                                        "_MACHINE_ID"};

int64_t number(std::string_view text, int64_t otherwise) {
  int64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  return error == std::errc() && end == text.data() + text.size() && v >= 0 ? v : otherwise;
}

constexpr size_t kMostId = 64;
constexpr int64_t kLatest = 7'258'118'400'000'000;  // the year 2200

int64_t micros_of(const JournalFields& f) {
  const int64_t told = number(f.values[JournalFields::kSourceRealtime], -1);
  return told >= 0 && told <= kLatest ? told : number(f.values[JournalFields::kRealtime], -1);
}

// "s=…" in "s=3b2f…;i=1f4;b=…;m=…;t=…;x=…"; empty: not there.
std::string_view of_cursor(std::string_view cursor, std::string_view name) {
  while (!cursor.empty()) {
    const size_t end = std::min(cursor.find(';'), cursor.size());
    if (cursor.starts_with(name)) return cursor.substr(name.size(), end - name.size());
    cursor.remove_prefix(std::min(end + 1, cursor.size()));
  }
  return {};
}

// systemd.io/UIDS-GIDS: ordinary users begin at 1000; 65534 is nobody.
bool is_ordinary_user(int64_t uid) { return uid >= 1000 && uid != 65534; }

bool is_believed(const JournalFields& f, int64_t uid) {
  if (!is_ordinary_user(uid)) return true;
  const std::string_view unit = f.values[JournalFields::kUnit];
  if (unit.empty() || !f.values[JournalFields::kUserUnit].empty()) return false;
  const bool session = unit.starts_with("session-") && unit.ends_with(".scope");
  return !session && !unit.starts_with("user@");
}

}  // namespace

JournalFields::Field JournalFields::find(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Field>(i);
  }
  return kCount;
}

std::string_view JournalFields::name_of(Field field) { return kNames[field]; }

void JournalFields::clear() {
  for (std::string_view& v : values) v = {};
  for (bool& p : present) p = false;
}

JournalSequence::Writer& JournalSequence::writer(std::string_view id, std::string_view machine) {
  if (writers_[last_writer_].id == id) return writers_[last_writer_];
  const auto found = std::find_if(writers_.begin(), writers_.end(), [&](const Writer& w) { return w.id == id; });
  last_writer_ = static_cast<size_t>(found - writers_.begin());
  if (found != writers_.end()) return *found;
  last_writer_ = next_writer_;
  next_writer_ = (next_writer_ + 1) % writers_.size();
  writers_[last_writer_] = {std::string(id), std::string(machine.substr(0, kMostId)), 0, 0};
  return writers_[last_writer_];
}

uint64_t JournalSequence::highest(std::string_view machine) const {
  uint64_t n = 0;
  for (const Writer& w : writers_)
    if (w.machine == machine.substr(0, kMostId)) n = std::max(n, w.last);
  return n;
}

namespace {

struct Numbered {
  std::string_view id;  // empty: it can't be told
  uint64_t number = 0;
};

Numbered number_of(const JournalFields& f) {
  using F = JournalFields;
  std::string_view id = f.values[F::kSeqnumId], digits = f.values[F::kSeqnum];
  const bool told = !id.empty() && !digits.empty();
  if (!told) {
    id = of_cursor(f.values[F::kCursor], "s=");
    digits = of_cursor(f.values[F::kCursor], "i=");
  }
  uint64_t n = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, n, told ? 10 : 16);
  if (id.empty() || id.size() > kMostId || error != std::errc() || stop != end || n == 0) return {};
  return {id, n};
}

// Whatever bytes they are: as digits, with one more in front, so that nothing is a word too.
std::string as_word(std::string_view bytes) {
  std::string word = "x";
  for (const unsigned char c : bytes) word += fmt::format("{:02x}", c);
  return word;
}

bool from_word(std::string_view word, std::string& bytes) {
  if (!word.starts_with('x') || word.size() % 2 == 0) return false;
  bytes.clear();
  for (size_t i = 1; i < word.size(); i += 2) {
    unsigned char c = 0;
    const auto [stop, error] = std::from_chars(word.data() + i, word.data() + i + 2, c, 16);
    if (error != std::errc() || stop != word.data() + i + 2) return false;
    bytes += static_cast<char>(c);
  }
  return true;
}

std::string_view cut_word(std::string_view& text) {
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

// 0 for the first; the next, of this writer or of all on its machine; an order that is not the writer's.
uint64_t JournalSequence::hole_before(std::string_view id, std::string_view machine, uint64_t n) const {
  const auto w = std::find_if(writers_.begin(), writers_.end(), [&](const Writer& each) { return each.id == id; });
  if (w == writers_.end() || w->last == 0) return 0;
  const uint64_t before = std::max(w->last, highest(machine));
  return n <= before + 1 ? 0 : n - before - 1;
}

bool JournalSequence::believes(const Writer& w) const {
  return holes_ == Holes::kAreLosses || (holes_ == Holes::kAfterAWholeRun && w.run >= kWholeRun);
}

uint64_t JournalSequence::missing_before(const JournalFields& f) {
  const auto [id, n] = number_of(f);
  if (id.empty()) return 0;
  const std::string_view machine = f.values[JournalFields::kMachineId];
  const uint64_t hole = hole_before(id, machine, n);
  Writer& w = writer(id, machine);
  const uint64_t missing = believes(w) ? hole : 0;
  w.last = n;
  w.run = hole > 0 ? 0 : w.run + 1;
  return missing;
}

uint64_t JournalSequence::would_miss_before(const JournalFields& f) const {
  const auto [id, n] = number_of(f);
  return holes_ == Holes::kAreLosses ? hole_before(id, f.values[JournalFields::kMachineId], n) : 0;
}

bool JournalSequence::knows(const JournalFields& f) const {
  const auto [id, n] = number_of(f);
  const auto known = [&, named = id](const Writer& w) {
    return w.id == named || (w.last > 0 && w.machine == f.values[JournalFields::kMachineId].substr(0, kMostId));
  };
  return !id.empty() && std::any_of(writers_.begin(), writers_.end(), known);
}

void JournalSequence::stand_at(const JournalFields& f) {
  const auto [id, n] = number_of(f);
  if (id.empty()) return;
  const std::string_view machine = f.values[JournalFields::kMachineId].substr(0, kMostId);
  for (Writer& w : writers_)
    if (w.machine == machine) w.last = std::min(w.last, n);
  writer(id, machine).last = n;
}

// "WRITER:MACHINE:LAST,…", in the order in which they are forgotten.
std::string JournalSequence::to_text() const {
  std::string text = fmt::format("{:x}", next_writer_);
  for (const Writer& w : writers_) text += fmt::format(",{}:{}:{:x}", as_word(w.id), as_word(w.machine), w.last);
  return text;
}

bool JournalSequence::from_text(std::string_view text) {
  const auto number = [](std::string_view digits, uint64_t& to) {
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to, 16);
    return error == std::errc() && stop == digits.data() + digits.size();
  };
  const size_t head = std::min(text.find(','), text.size());
  if (!number(text.substr(0, head), next_writer_) || next_writer_ >= writers_.size()) return false;
  text.remove_prefix(head);
  last_writer_ = 0;
  for (Writer& w : writers_) {
    if (!text.starts_with(',')) return false;
    text.remove_prefix(1);
    const std::string_view one = text.substr(0, text.find(','));
    const size_t first = one.find(':'), second = one.rfind(':');
    w.run = 0;
    if (first == second || !from_word(one.substr(0, first), w.id) || w.id.size() > kMostId) return false;
    if (!from_word(one.substr(first + 1, second - first - 1), w.machine) || w.machine.size() > kMostId) return false;
    if (!number(one.substr(second + 1), w.last)) return false;
    text.remove_prefix(one.size());
  }
  return text.empty();
}

std::string JournalRecords::to_text() const {
  std::string text = fmt::format("{} {:x}", sequence_.to_text(), next_unfinished_);
  for (const std::string& stream : unfinished_) text += " " + as_word(stream);
  return text;
}

bool JournalRecords::from_text(std::string_view text) {
  if (!sequence_.from_text(cut_word(text))) return false;
  const std::string_view next = cut_word(text);
  const auto [stop, error] = std::from_chars(next.data(), next.data() + next.size(), next_unfinished_, 16);
  if (error != std::errc() || stop != next.data() + next.size() || next_unfinished_ >= unfinished_.size()) return false;
  for (std::string& stream : unfinished_)
    if (!from_word(cut_word(text), stream) || stream.size() > 64) return false;
  return text.empty();
}

// Is this the rest of a line? And does it go on itself?
bool JournalRecords::continues(const JournalFields& f) {
  const std::string_view stream = f.values[JournalFields::kStreamId];
  if (stream.empty() || stream.size() > 64) return false;
  const auto found = std::find(unfinished_.begin(), unfinished_.end(), stream);
  const bool is_rest = found != unfinished_.end();
  if (is_rest) found->clear();
  if (f.values[JournalFields::kLineBreak] == "line-max") {
    unfinished_[next_unfinished_].assign(stream);
    next_unfinished_ = (next_unfinished_ + 1) % unfinished_.size();
  }
  return is_rest;
}

// In journald's own name, as it admits what it dropped itself.
void JournalRecords::admit(std::string_view what, const JournalFields& f, Record& out) {
  static constexpr Origin kJournald{"systemd-journald.service", "systemd-journal", "driver", 0};
  const int64_t micros = micros_of(f);
  admission_ = what;
  admission_.append(kRecordPadding, '\0');
  out = {};
  if (micros >= 0 && micros <= kLatest) out.time = Instant{Duration{micros}};
  out.host = f.values[JournalFields::kHostname];
  out.program = "systemd-journald";
  out.message = std::string_view(admission_).substr(0, what.size());
  out.length = static_cast<uint32_t>(what.size());
  out.note = &tags_.slot_of(out.host, out.program).note;
  out.origin = &kJournald;
}

JournalTook JournalRecords::fill(const JournalFields& f, Record& out) {
  using F = JournalFields;
  if (!std::exchange(loss_told_, false)) {
    if (const uint64_t missing = sequence_.missing_before(f); missing > 0) {
      loss_told_ = true;
      admit(fmt::format("Missed {} entries of the journal", missing), f, out);
      return JournalTook::kLoss;
    }
  }
  if (!f.present[F::kMessage]) return JournalTook::kNothing;
  const int64_t micros = micros_of(f);
  if (micros < 0 || micros > kLatest) return JournalTook::kNothing;
  out.time = Instant{Duration{micros}};
  origin_.uid = number(f.values[F::kUid], -1);
  origin_.unit = f.values[F::kUnit];
  origin_.command = f.values[F::kComm];
  origin_.transport = f.values[F::kTransport];
  origin_.trimmed = f.present[F::kSyslogRaw];
  out.origin = &origin_;
  out.host = f.values[F::kHostname];
  out.program = f.present[F::kIdentifier] ? f.values[F::kIdentifier] : f.values[F::kComm];
  const bool has_pid = f.present[F::kSyslogPid] || origin_.transport != "syslog";
  const std::string_view pid = f.present[F::kPid] ? f.values[F::kPid] : f.values[F::kSyslogPid];
  const int64_t value = has_pid ? number(pid, 0) : 0;
  out.pid = value <= UINT32_MAX ? static_cast<uint32_t>(value) : 0;
  std::string_view message = f.values[F::kMessage];
  while (message.ends_with('\n') || message.ends_with('\r')) message.remove_suffix(1);
  out.message = message;
  out.length = static_cast<uint32_t>(std::min<size_t>(f.values[F::kMessage].size(), UINT32_MAX));
  const bool is_rest = continues(f);
  HeaderSlot& slot = tags_.slot_of(out.host, out.program);
  out.note = &slot.note;
  if (!is_believed(f, origin_.uid)) return JournalTook::kUntrusted;
  if (is_rest) return JournalTook::kContinuation;
  if (slot.tail == HeaderSlot::Tail::kEximMessage && strip_exim_stamp(out) == Took::kContinuation)
    return JournalTook::kContinuation;
  return JournalTook::kRecord;
}

}  // namespace mailward
