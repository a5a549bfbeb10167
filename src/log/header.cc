#include "log/header.h"

#include <cstring>

#include "base/bytes.h"
#include "log/byte_order_mark.h"
#include "log/own_forms.h"
#include "log/stamp.h"
#include "log/tag.h"

namespace mailward {
namespace {

constexpr size_t kIsoPrefix = 16;                            // of "2026-03-02T00:00:00.123456+01:00 " up to the minute
constexpr size_t kQuick = kIsoPrefix + HeaderCache::kQuick;  // a shorter line is read byte by byte

// "<22>": its length, or 0.
size_t priority_length(std::string_view line) {
  if (line.empty() || line[0] != '<') return 0;
  size_t n = 1;
  while (n < line.size() && n < 4 && is_digit(line[n])) ++n;
  return n > 1 && n < line.size() && line[n] == '>' ? n + 1 : 0;
}

// What of an RFC 3339 stamp was read before and holds still.
struct MinuteMemory {
  bool known = false;
  char prefix[kIsoPrefix] = {};
  Instant time = kNoInstant;  // of the minute
  uint64_t tail = 0;          // offset and blank as they follow the seconds
  uint64_t tail_mask = 0;
  size_t tail_length = 0;
};

// Structured data of RFC 5424 6.3 at `at`: "-", or elements in brackets; the place after it, 0: broken.
size_t skip_structured_data(std::string_view t, size_t at) {
  if (at < t.size() && t[at] == '-') return at + 1;
  if (at >= t.size() || t[at] != '[') return 0;
  while (at < t.size() && t[at] == '[') {
    bool quoted = false;
    for (++at; at < t.size(); ++at) {
      if (quoted && t[at] == '\\') {
        ++at;
      } else if (t[at] == '"') {
        quoted = !quoted;
      } else if (!quoted && t[at] == ']') {
        break;
      }
    }
    if (at >= t.size()) return 0;
    ++at;
  }
  return at;
}

}  // namespace

struct HeaderReader::Impl {
  Impl(Form f, TimeFold time_fold, std::string_view file_name) : form(f), fold(time_fold), own(f, file_name) {}

  Form form;
  TimeFold fold;
  MinuteMemory minute;
  HeaderCache tags;
  OwnForms own;
  Stamp first_open;
  bool any = false, first_is_open = false, lent_previous = false;

  Took read_syslog(std::string_view line, Last& last, Record& out);
  bool step_within_hour(const char* p, Last& last);
  size_t take_stamp(std::string_view line, size_t at, Last& last, Instant& time);
  size_t take_iso_quickly(const char* p, Instant& time);
  size_t take_stamp_slowly(std::string_view line, size_t at, Last& last, Instant& time);
  Instant resolve(const Stamp& stamp);
  Took read_5424(std::string_view line, size_t at, Last& last, Record& out);
  Took read_marked(std::string_view line, Last& last, Record& out);
  Took read_own(std::string_view line, Record& out);
  Took read_uptime(std::string_view line, Record& out);
};

HeaderReader::HeaderReader(Form form, TimeFold fold, std::string_view file_name)
    : impl_(std::make_unique<Impl>(form, fold, file_name)) {
  last_.tags = &impl_->tags;
}
HeaderReader::HeaderReader(HeaderReader&&) noexcept = default;
HeaderReader& HeaderReader::operator=(HeaderReader&&) noexcept = default;
HeaderReader::~HeaderReader() = default;

Form HeaderReader::form() const { return impl_->form; }
const TimeFold& HeaderReader::fold() const { return impl_->fold; }

void HeaderReader::restart(Instant previous) {
  impl_->fold = TimeFold(impl_->fold.zone(), previous, impl_->fold.base_year());
  impl_->minute.known = false;
  last_.least = SIZE_MAX;
  impl_->any = impl_->first_is_open = impl_->lent_previous = false;
}

bool HeaderReader::read_a_stamp() const { return impl_->any; }
bool HeaderReader::lent_previous() const { return impl_->lent_previous; }

const Stamp* HeaderReader::first_open_stamp() const { return impl_->first_is_open ? &impl_->first_open : nullptr; }

Took HeaderReader::read_other_second(std::string_view line, Record& out) {
  if (line.size() >= last_.least && impl_->step_within_hour(line.data(), last_)) [[likely]] {
    out.time = last_.time;
    return HeaderCache::kReadQuickly(impl_->tags, line.data() + kPrefix, line.data() + line.size(), out);
  }
  return impl_->form == Form::kSyslog ? impl_->read_syslog(line, last_, out) : impl_->read_own(line, out);
}

// "Mar  2 00:" as before, then a minute, a second and a blank.
inline bool HeaderReader::Impl::step_within_hour(const char* p, Last& last) {
  const char* const q = last.prefix;
  if (load8(p) != load8(q) || load8(p + 2) != load8(q + 2) || p[12] != ':' || p[15] != ' ' || !fold.steady())
    return false;
  const auto digit = [](char c) { return static_cast<unsigned>(static_cast<uint8_t>(c - '0')); };
  if (digit(p[10]) > 5 || digit(p[11]) > 9 || digit(p[13]) > 5 || digit(p[14]) > 9) return false;
  const auto seconds = [&](const char* s) {
    return static_cast<int>((digit(s[10]) * 10 + digit(s[11])) * 60 + digit(s[13]) * 10 + digit(s[14]));
  };
  last.time += std::chrono::seconds(seconds(p) - seconds(q));
  std::memcpy(last.prefix, p, kPrefix);
  fold.step_within_hour(last.time);
  return true;
}

Took HeaderReader::Impl::read_syslog(std::string_view line, Last& last, Record& out) {
  if (line.empty()) return Took::kContinuation;
  size_t at = 0;
  // A machine that lost power may leave zeros where a line was to be.
  while (at < line.size() && line[at] == '\0') ++at;
  at += priority_length(line.substr(at));
  if (line.size() - at > 2 && line[at] == '1' && line[at + 1] == ' ') return read_5424(line, at + 2, last, out);
  at = take_stamp(line, at, last, out.time);
  if (at == 0) return read_marked(line, last, out);
  if (at >= line.size()) return Took::kNoHeader;
  return tags.read(line.substr(at), out);
}

// A line without a stamp that may begin with a byte order mark: the first of a file, or of one of several
// files that were put together.
Took HeaderReader::Impl::read_marked(std::string_view line, Last& last, Record& out) {
  return take_byte_order_mark(line) ? read_syslog(line, last, out) : Took::kNoHeader;
}

// The place after the stamp and its blank, 0: there is none.
size_t HeaderReader::Impl::take_stamp(std::string_view line, size_t at, Last& last, Instant& time) {
  const char* p = line.data() + at;
  if (line.size() - at >= last.least && (std::memcmp(p, last.prefix, kPrefix) == 0 || step_within_hour(p, last))) {
    time = last.time;
    return at + kPrefix;
  }
  if (minute.known && line.size() - at >= kQuick && std::memcmp(p, minute.prefix, kIsoPrefix) == 0)
    if (const size_t n = take_iso_quickly(p, time)) return at + n;
  return take_stamp_slowly(line, at, last, time);
}

// ":12.345678+01:00 " after a minute and an offset that are known; 0: not that.
inline size_t HeaderReader::Impl::take_iso_quickly(const char* p, Instant& time) {
  const unsigned tens = static_cast<uint8_t>(p[17] - '0'), ones = static_cast<uint8_t>(p[18] - '0');
  if (p[16] != ':' || tens > 5 || ones > 9) return 0;
  int64_t micros = (tens * 10 + ones) * int64_t{1'000'000};
  size_t at = 19;
  if (p[19] == '.') {
    const uint64_t word = load8(p + 20);
    if ((non_digits(word) & 0x0000'8080'8080'8080ULL) != 0) return 0;
    micros += few_digits(word & 0x0000'ffff'ffff'ffffULL, 6);
    at = 26;
  }
  if ((load8(p + at) & minute.tail_mask) != minute.tail) return 0;
  time = minute.time + Duration{micros};
  fold.set_previous(time);
  return at + minute.tail_length;
}

size_t HeaderReader::Impl::take_stamp_slowly(std::string_view line, size_t at, Last& last, Instant& time) {
  const std::string_view text = line.substr(at);
  minute.known = false;
  last.least = SIZE_MAX;
  Stamp stamp;
  size_t n = parse_traditional_stamp(text, stamp);
  const bool traditional = n == kPrefix - 1;
  if (n == 0) n = parse_iso_stamp(text, stamp);
  const bool iso = n != 0 && !traditional && stamp.has_offset && text.size() >= kQuick;
  if (n == 0) n = parse_unix_stamp(text, stamp);
  if (n == 0) n = parse_full_stamp(text, stamp);
  if (n == 0) return 0;
  time = resolve(stamp);
  if (traditional && text.size() > kPrefix) {
    last.least = kQuick;
    last.time = time;
    std::memcpy(last.prefix, text.data(), kPrefix);
  } else if (iso && text[4] == '-') {
    const size_t tail_at = text[19] == '.' ? 26 : 19;
    if (n >= tail_at && n + 1 - tail_at <= 8 && stamp.second < 60) {
      minute.time = time - std::chrono::seconds(stamp.second) - Duration{stamp.micros};
      std::memcpy(minute.prefix, text.data(), kIsoPrefix);
      minute.tail_length = n + 1 - tail_at;
      minute.tail_mask = minute.tail_length == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * minute.tail_length)) - 1;
      minute.tail = load8(text.data() + tail_at) & minute.tail_mask;
      minute.known = (non_digits(minute.tail) & 0x80) != 0;  // else it is a longer fraction
    }
  }
  return at + n + 1;
}

Instant HeaderReader::Impl::resolve(const Stamp& stamp) {
  if (!any) {
    any = true;
    first_is_open = !stamp.has_offset;
    first_open = stamp;
  }
  return fold.resolve(stamp);
}

// After "<PRI>1 ": stamp, host, app, procid, msgid, structured data, message; "-" is none of it.
Took HeaderReader::Impl::read_5424(std::string_view line, size_t at, Last& last, Record& out) {
  if (line.substr(at).starts_with("- ")) {
    out.time = fold.previous();
    lent_previous = lent_previous || !any;
    at += 2;
  } else {
    at = take_stamp(line, at, last, out.time);
    if (at == 0) return Took::kNoHeader;
  }
  std::string_view words[4];
  for (std::string_view& word : words) {
    if (at >= line.size()) return Took::kNoHeader;
    const size_t blank = line.find(' ', at);
    if (blank == std::string_view::npos || blank == at) return Took::kNoHeader;
    word = line.substr(at, blank - at);
    at = blank + 1;
    if (word == "-") word = {};
  }
  at = skip_structured_data(line, at);
  if (at == 0 || (at < line.size() && line[at] != ' ')) return Took::kNoHeader;
  std::string_view message = line.substr(std::min(at + 1, line.size()));
  if (message.starts_with("\xef\xbb\xbf")) message.remove_prefix(3);
  if (message.starts_with(' ')) message.remove_prefix(1);  // it stood between tag and text
  out.host = words[0];
  out.program = words[1];
  out.pid = 0;
  if (!words[2].empty() && words[2].size() <= 9) {
    for (const char c : words[2]) {
      if (!is_digit(c)) {
        out.pid = 0;
        break;
      }
      out.pid = out.pid * 10 + static_cast<uint32_t>(c - '0');
    }
  }
  out.message = message;
  HeaderSlot& slot = tags.slot_of(out.host, out.program);
  out.note = &slot.note;
  return slot.tail == HeaderSlot::Tail::kEximMessage ? strip_exim_stamp(out) : Took::kRecord;
}

Took HeaderReader::Impl::read_uptime(std::string_view line, Record& out) {
  if (line.empty()) return Took::kContinuation;
  while (line.starts_with('\0')) line.remove_prefix(1);
  const size_t n = parse_uptime_stamp(line);
  if (n == 0 || n + 1 >= line.size()) return Took::kNoHeader;
  out.time = kNoInstant;
  return tags.read(line.substr(n + 1), out);
}

Took HeaderReader::Impl::read_own(std::string_view line, Record& out) {
  take_byte_order_mark(line);
  if (form == Form::kUptime) return read_uptime(line, out);
  Stamp stamp;
  out.host = {};
  out.pid = 0;
  const Took took = own.read(line, stamp, out);
  if (took != Took::kRecord) return took;
  out.time = is_without_time(form) ? kNoInstant : resolve(stamp);
  HeaderSlot& slot = tags.slot_of({}, out.program);
  out.note = &slot.note;
  const bool stamped_again = form == Form::kTagged && slot.tail == HeaderSlot::Tail::kEximMessage;
  return stamped_again ? strip_exim_stamp(out) : took;
}

}  // namespace mailward
