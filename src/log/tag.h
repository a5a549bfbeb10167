// What stands between a syslog stamp and the message: host, program, pid. Taken apart once for each
// distinct host and program; a small direct-mapped table remembers the last ones. The pid is no part
// of what is remembered: daemons that fork for each client have a new one in every session.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "log/record.h"
#include "log/took.h"

namespace mailward {

// A header without its pid, and where its parts lie: offsets from the first byte after the stamp.
struct alignas(64) HeaderSlot {
  static constexpr size_t kMaxKey = 64;
  // What follows the key: a pid; the message; either, and Exim's own stamp before the message; socklog's second header.
  enum class Tail : uint8_t { kPid, kMessage, kEximPid, kEximMessage, kSocklog };

  char key[kMaxKey];       // "mail postfix/smtpd[", "mail dovecot:": up to the byte that ends the program
  uint8_t key_length = 0;  // 0: empty slot
  Tail tail = Tail::kMessage;
  uint8_t host_at = 0, host_length = 0;
  uint8_t program_at = 0, program_length = 0;
  uint8_t message_at = 0;  // where no pid follows
  HeaderNote note;
};

// The parts of a header, from its key alone.
void parse_header_key(std::string_view key, HeaderSlot& slot);

class HeaderCache {
 public:
  static constexpr size_t kWindow = 32;
  static constexpr size_t kQuick = kWindow + 16;  // what the quick way may look at: the window, and a pid after it

  // Takes `rest` (a line from the first byte after the stamp and its blank) apart; fills host, program,
  // pid, message and note. kNoHeader: `rest` is empty.
  Took read(std::string_view rest, Record& out) {
    return rest.size() >= kQuick ? read_quickly(rest.data(), rest.data() + rest.size(), out) : read_slowly(rest, out);
  }
  // The same for a rest of at least kQuick bytes.
  Took read_quickly(const char* p, const char* end, Record& out);
  // For headers whose program and host are known already: the slot alone.
  HeaderSlot& slot_of(std::string_view host, std::string_view program);

 private:
  static constexpr unsigned kSlotBits = 6;
  static uint32_t program_ends(const char* p) {
    return equal_mask32(p, '[') | (equal_mask32(p, ':') & equal_mask32(p + 1, ' '));
  }
  HeaderSlot& slot_for(const char* p, size_t key_length) {
    const uint64_t hash = (load8(p) * 0x9e37'79b9'7f4a'7c15ULL ^ load8(p + key_length - 8)) * 0xd6e8'feb8'6659'fd93ULL;
    return slots_[hash >> (64 - kSlotBits)];
  }
  void forget(HeaderSlot& slot, const char* p, size_t key_length);
  Took read_long(const char* p, const char* end, Record& out);
  Took read_slowly(std::string_view rest, Record& out);
  static Took finish(HeaderSlot& slot, const char* p, const char* end, Record& out);

  std::array<HeaderSlot, size_t{1} << kSlotBits> slots_{};
  HeaderSlot scratch_{};
  struct {
    char header[kWindow] = {'\n'};  // of the last line, "mail postfix/smtpd[123]: "; no line begins with a line feed
    uint32_t length = 8;
    uint64_t tail = 0;  // its last eight bytes
    uint32_t pid = 0;
    HeaderSlot* slot = nullptr;
  } last_;
};

inline Took HeaderCache::read_quickly(const char* p, const char* end, Record& out) {
  // Its last bytes, the process id among them, tell most others at once.
  if (load8(p + last_.length - 8) == last_.tail && equal_upto32(last_.header, p, last_.length)) {
    HeaderSlot& slot = *last_.slot;
    out.note = &slot.note;
    out.host = {p + slot.host_at, slot.host_length};
    out.program = {p + slot.program_at, slot.program_length};
    out.pid = last_.pid;
    out.message = {p + last_.length, end};
    return Took::kRecord;
  }
  const uint32_t ends = program_ends(p);
  const auto at = static_cast<unsigned>(std::countr_zero(ends));
  if (at - 7 > kWindow - 8) [[unlikely]]
    return read_long(p, end, out);  // below 7, or none
  HeaderSlot& slot = slot_for(p, at + 1);
  if (slot.key_length != at + 1 || !equal_upto32(slot.key, p, at + 1)) [[unlikely]]
    forget(slot, p, at + 1);
  if (slot.tail == HeaderSlot::Tail::kPid) [[likely]] {
    const char* digits = p + at + 1;
    const uint64_t word = load8(digits);
    const unsigned n = static_cast<unsigned>(std::countr_zero(non_digits(word) | uint64_t{1} << 63)) / 8;
    if (n > 0 && (load4(digits + n) & 0xff'ffff) == (']' | ':' << 8 | ' ' << 16)) [[likely]] {
      out.note = &slot.note;
      out.host = {p + slot.host_at, slot.host_length};
      out.program = {p + slot.program_at, slot.program_length};
      out.pid = few_digits(word, n);
      out.message = {digits + n + 3, end};
      if (at + n + 4 <= kWindow) {
        std::memcpy(last_.header, p, kWindow);
        last_.length = at + n + 4;
        last_.tail = load8(p + last_.length - 8);
        last_.pid = out.pid;
        last_.slot = &slot;
      }
      return Took::kRecord;
    }
  }
  return finish(slot, p, end, out);
}

}  // namespace mailward
