#include "log/tag.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/wide.h"
#include "log/own_forms.h"
#include "log/stamp.h"

namespace mailward {
namespace {

using Tail = HeaderSlot::Tail;

// "mail.info": what busybox' syslogd writes between host and tag.
bool is_facility_and_level(std::string_view word) {
  constexpr std::array<std::string_view, 22> kFacilities = {
      "kern", "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",     "authpriv",
      "ftp",  "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7", "security", "console"};
  constexpr std::array<std::string_view, 11> kLevels = {"emerg", "alert", "crit",  "err",   "warning", "notice",
                                                        "info",  "debug", "panic", "error", "warn"};
  const size_t dot = word.find('.');
  if (dot == std::string_view::npos) return false;
  return std::find(kFacilities.begin(), kFacilities.end(), word.substr(0, dot)) != kFacilities.end() &&
         std::find(kLevels.begin(), kLevels.end(), word.substr(dot + 1)) != kLevels.end();
}

constexpr size_t kLongest = 250;  // of a key that is looked at; offsets are bytes

void set_program(HeaderSlot& slot, std::string_view key, size_t from, size_t to, bool pid) {
  const std::string_view program = key.substr(from, to - from);
  std::string_view daemon = program;
  if (daemon.ends_with(".service")) daemon.remove_suffix(8);  // journalctl -o with-unit
  const bool exim = daemon == "exim" || daemon == "exim4";
  slot.program_at = static_cast<uint8_t>(from);
  slot.program_length = static_cast<uint8_t>(program.size());
  slot.tail = pid ? (exim ? Tail::kEximPid : Tail::kPid) : (exim ? Tail::kEximMessage : Tail::kMessage);
}

// What follows a '[', byte by byte: "123]: text", "123]:text", "123] text", "123]".
void read_pid(const HeaderSlot& slot, const char* p, const char* end, Record& out) {
  const char* at = p + slot.key_length;
  const char* const digits = at;
  uint64_t pid = 0;
  while (at < end && at - digits < 10 && *at >= '0' && *at <= '9') pid = pid * 10 + static_cast<uint64_t>(*at++ - '0');
  if (at == digits || at == end || *at != ']' || pid > UINT32_MAX) {
    // A bracket that holds no pid belongs to the text, and the word before it is no program.
    out.program = {};
    out.message = {p + slot.program_at, end};
    return;
  }
  ++at;
  if (at < end && *at == ':') ++at;
  if (at < end && *at == ' ') ++at;
  out.pid = static_cast<uint32_t>(pid);
  out.message = {at, end};
}

// metalog: "[sshd] text", "[sshd]: text". False: a bracket of the text.
bool read_metalog(std::string_view rest, Record& out) {
  const size_t close = rest.find(']');
  if (close == std::string_view::npos || close < 2 || close > kLongest || close + 2 >= rest.size()) return false;
  const std::string_view program = rest.substr(1, close - 1);
  if (program.find_first_of(" :[") != std::string_view::npos) return false;
  const size_t text = rest[close + 1] == ':' ? close + 2 : close + 1;
  if (text >= rest.size() || rest[text] != ' ') return false;
  out.host = {};
  out.program = program;
  out.pid = 0;
  out.message = rest.substr(text + 1);
  return true;
}

// Haraka's own log, where it writes stamps: "[NOTICE] [ABCDEF12-…] [core] text" (logger.js).
bool is_haraka(std::string_view rest) {
  const size_t close = rest.find(']');
  return close != std::string_view::npos && close > 3 && close < 10 && rest.substr(close).starts_with("] [") &&
         std::all_of(
             rest.begin() + 1, rest.begin() + static_cast<ptrdiff_t>(close),
             [](char c) { return c >= 'A' && c <= 'Z'; });
}

// socklog, behind its "auth.info: ": "May 27 04:31:28 sshd[30993]: text", or less of it.
void read_socklog(std::string_view text, Record& out) {
  Stamp inner;
  const size_t n = parse_traditional_stamp(text, inner);
  if (n != 0 && n + 1 < text.size()) text.remove_prefix(n + 1);
  out.host = out.program = {};
  out.pid = 0;
  out.message = text;
  const size_t end = text.find_first_of(": [");
  if (end == std::string_view::npos || end == 0 || end >= kLongest) return;
  out.program = text.substr(0, end);
  if (text[end] == '[') {
    HeaderSlot slot;
    slot.key_length = static_cast<uint8_t>(end + 1);
    return read_pid(slot, text.data(), text.data() + text.size(), out);
  }
  if (text.substr(end).starts_with(": "))
    out.message = text.substr(end + 2);
  else
    out.program = {};
}

}  // namespace

// The key is all that precedes a '[' or ": ", with the first byte of either. What it may look like:
//   host prog[    host prog:    prog[    prog:                                      (usual)
//   host prog:text [    host text without a tag:     <mail.info> host prog[    host mail.info prog[    (odd)
//   auth.info:                                                                  (socklog)
void parse_header_key(std::string_view key, HeaderSlot& slot) {
  const size_t end = key.size() - 1;
  size_t from = 0;
  if (key.starts_with('<')) {  // FreeBSD's syslogd -v: <facility.severity>
    const size_t close = key.find("> ");
    if (close != std::string_view::npos && close + 2 <= end) from = close + 2;
  }
  slot.host_at = static_cast<uint8_t>(from);
  slot.host_length = 0;
  slot.program_length = 0;
  slot.tail = Tail::kMessage;
  const size_t blank = std::min(key.find(' ', from), end);
  if (blank < end) {
    slot.host_length = static_cast<uint8_t>(blank - from);
    from = blank + 1;
    const size_t second = key.find(' ', from);
    if (second < end && is_facility_and_level(key.substr(from, second - from))) from = second + 1;
  }
  const size_t tag_end = std::min(key.find_first_of(": ", from), end);
  slot.program_at = static_cast<uint8_t>(from);
  slot.message_at = static_cast<uint8_t>(from);
  if (tag_end == from) return;  // no tag: all that follows the host is the message
  if (tag_end < end) {
    if (key[tag_end] != ':') return;  // words without a tag
    set_program(slot, key, from, tag_end, false);
    slot.message_at = static_cast<uint8_t>(tag_end + 1);
    return;
  }
  set_program(slot, key, from, end, key[end] == '[');
  slot.message_at = static_cast<uint8_t>(end + 2);
  if (key[end] == ':' && slot.host_length == 0 && is_facility_and_level(key.substr(from, end - from)))
    slot.tail = Tail::kSocklog;
}

void HeaderCache::forget(HeaderSlot& slot, const char* p, size_t key_length) {
  ++slot.read;
  std::memcpy(slot.key, p, key_length);
  slot.key_length = static_cast<uint8_t>(key_length);
  slot.note = {};
  parse_header_key({slot.key, key_length}, slot);
}

// Where HeaderCache::kReadQuickly lives, for each kind of processor.
struct TagReader {
  struct Plain {
#define MAILWARD_ISA plain
#define MAILWARD_TARGET
#include "log/tag_quick.inc"
#undef MAILWARD_TARGET
#undef MAILWARD_ISA
  };
#if defined(MAILWARD_HAS_WIDE)
  struct Wide {
#define MAILWARD_ISA wide
#define MAILWARD_TARGET MAILWARD_WIDE
#include "log/tag_quick.inc"
#undef MAILWARD_TARGET
#undef MAILWARD_ISA
  };
  static HeaderCache::Quick* choose() { return has_wide() ? Wide::read : Plain::read; }
#else
  static HeaderCache::Quick* choose() { return Plain::read; }
#endif
};

HeaderCache::Quick* const HeaderCache::kReadQuickly = TagReader::choose();

// Everything that is not "prog[pid]: ".
Took HeaderCache::finish(HeaderSlot& slot, const char* p, const char* end, Record& out) {
  const auto length = static_cast<size_t>(end - p);
  out.note = &slot.note;
  out.host = {p + slot.host_at, slot.host_length};
  out.program = {p + slot.program_at, slot.program_length};
  out.pid = 0;
  if (slot.tail == Tail::kPid || slot.tail == Tail::kEximPid) {
    read_pid(slot, p, end, out);
  } else if (slot.tail == Tail::kSocklog) {
    read_socklog({p + std::min<size_t>(slot.message_at, length), end}, out);
  } else {
    out.message = {p + std::min<size_t>(slot.message_at, length), end};
  }
  // What was noted of the slot's program is nothing to another one.
  if (out.program != std::string_view{p + slot.program_at, slot.program_length}) {
    scratch_.note = {};
    out.note = &scratch_.note;
  }
  const bool exim = slot.tail == Tail::kEximPid || slot.tail == Tail::kEximMessage;
  return exim ? strip_exim_stamp(out) : Took::kRecord;
}

// The program's end lies in the second window, or nowhere near.
Took HeaderCache::read_long(const char* p, const char* end, Record& out) {
  if (static_cast<size_t>(end - p) >= kWindow + kQuick && plain::tag_ends32(p) == 0) {
    const uint32_t ends = plain::tag_ends32(p + kWindow);
    if (ends != 0) {
      const size_t length = kWindow + static_cast<size_t>(std::countr_zero(ends)) + 1;
      HeaderSlot& slot = slot_for(p, length);
      if (slot.key_length != length || std::memcmp(slot.key, p, length) != 0) forget(slot, p, length);
      return finish(slot, p, end, out);
    }
  }
  return read_slowly({p, end}, out);
}

// Short lines, and headers that are too long to be remembered.
Took HeaderCache::read_slowly(std::string_view rest, Record& out) {
  if (rest.empty()) return Took::kNoHeader;
  if (rest[0] == '[' && is_haraka(rest)) {
    out.host = {};
    out.program = "haraka";
    out.pid = 0;
    out.message = rest;
    out.note = &slot_of({}, out.program).note;
    return Took::kRecord;
  }
  if (rest[0] == '[' && read_metalog(rest, out)) {
    scratch_.note = {};
    out.note = &scratch_.note;
    return Took::kRecord;
  }
  size_t at = 0;
  while (at < rest.size() && at < kLongest && rest[at] != '[' &&
         !(rest[at] == ':' && (at + 1 == rest.size() || rest[at + 1] == ' '))) {
    ++at;
  }
  const bool found = at < rest.size() && at < kLongest;
  const char* const end = rest.data() + rest.size();
  if (found && at >= 7 && at < HeaderSlot::kMaxKey) {
    HeaderSlot& slot = slot_for(rest.data(), at + 1);
    if (slot.key_length != at + 1 || std::memcmp(slot.key, rest.data(), at + 1) != 0) forget(slot, rest.data(), at + 1);
    return finish(slot, rest.data(), end, out);
  }
  scratch_.note = {};
  if (found) {
    scratch_.key_length = static_cast<uint8_t>(at + 1);
    parse_header_key(rest.substr(0, at + 1), scratch_);
    return finish(scratch_, rest.data(), end, out);
  }
  // No end of a program: the rest is a host and words, or words alone; one last word is no tag.
  char words[kLongest + 1];
  std::memcpy(words, rest.data(), at);
  words[at] = ' ';
  parse_header_key({words, at + 1}, scratch_);
  if (scratch_.program_length != 0 && scratch_.message_at > at) {
    scratch_.program_length = 0;
    scratch_.message_at = scratch_.program_at;
    scratch_.tail = Tail::kMessage;
  }
  return finish(scratch_, rest.data(), end, out);
}

HeaderSlot& HeaderCache::slot_of(std::string_view host, std::string_view program) {
  const size_t length = host.size() + program.size() + 2;
  char padded[8 + HeaderSlot::kMaxKey + 8] = {};  // slot_for() looks at eight bytes from either end
  char* const key = padded + 8;
  if (length > HeaderSlot::kMaxKey) {
    scratch_.note = {};
    set_program(scratch_, program, 0, std::min<size_t>(program.size(), 8), false);
    return scratch_;
  }
  char* end = std::copy(host.begin(), host.end(), key);
  *end++ = ' ';
  end = std::copy(program.begin(), program.end(), end);
  *end = ':';
  HeaderSlot& slot = slot_for(key, length);
  if (slot.key_length != length || std::memcmp(slot.key, key, length) != 0) forget(slot, key, length);
  return slot;
}

}  // namespace mailward
