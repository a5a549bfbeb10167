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
                                                                        "SYSLOG_RAW"};

int64_t number(std::string_view text, int64_t otherwise) {
  int64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  return error == std::errc() && end == text.data() + text.size() && v >= 0 ? v : otherwise;
}

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

JournalSequence::Writer& JournalSequence::writer(std::string_view id) {
  if (writers_[last_writer_].id == id) return writers_[last_writer_];
  const auto found = std::find_if(writers_.begin(), writers_.end(), [&](const Writer& w) { return w.id == id; });
  last_writer_ = static_cast<size_t>(found - writers_.begin());
  if (found != writers_.end()) return *found;
  last_writer_ = next_writer_;
  next_writer_ = (next_writer_ + 1) % writers_.size();
  writers_[last_writer_] = {std::string(id), 0, 0};
  return writers_[last_writer_];
}

uint64_t JournalSequence::missing_before(const JournalFields& f) {
  using F = JournalFields;
  if (holes_ == Holes::kMeanNothing) return 0;
  std::string_view id = f.values[F::kSeqnumId], digits = f.values[F::kSeqnum];
  const bool told = !id.empty() && !digits.empty();
  if (!told) {
    id = of_cursor(f.values[F::kCursor], "s=");
    digits = of_cursor(f.values[F::kCursor], "i=");
  }
  uint64_t n = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, n, told ? 10 : 16);
  if (id.empty() || id.size() > 64 || error != std::errc() || stop != end || n == 0) return 0;
  Writer& w = writer(id);
  const uint64_t last = std::exchange(w.last, n);
  if (last == 0 || n <= last + 1) {  // the first; the next; or an order that is not the writer's
    ++w.run;
    return 0;
  }
  const bool believed = holes_ == Holes::kAreLosses || w.run >= kWholeRun;
  w.run = 0;
  return believed ? n - last - 1 : 0;
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
JournalTook JournalRecords::admit_loss(uint64_t missing, const JournalFields& f, Record& out) {
  static constexpr Origin kJournald{"systemd-journald.service", "systemd-journal", "driver", 0};
  const int64_t micros = micros_of(f);
  admission_ = fmt::format("Missed {} entries of the journal", missing);
  out = {};
  if (micros >= 0 && micros <= kLatest) out.time = Instant{Duration{micros}};
  out.host = f.values[JournalFields::kHostname];
  out.program = "systemd-journald";
  out.message = admission_;
  out.length = static_cast<uint32_t>(admission_.size());
  out.note = &tags_.slot_of(out.host, out.program).note;
  out.origin = &kJournald;
  return JournalTook::kLoss;
}

JournalTook JournalRecords::fill(const JournalFields& f, Record& out) {
  using F = JournalFields;
  if (!std::exchange(loss_told_, false)) {
    if (const uint64_t missing = sequence_.missing_before(f); missing > 0) {
      loss_told_ = true;
      return admit_loss(missing, f, out);
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
