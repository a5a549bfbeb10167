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
  uint32_t read = 0;       // how often the slot was filled
  HeaderNote note;
};

// The parts of a header, from its key alone.
void parse_header_key(std::string_view key, HeaderSlot& slot);

class HeaderCache {
 public:
  static constexpr size_t kWindow = 32;
  static constexpr size_t kQuick = kWindow + 12;  // what the quick way may look at: the window, and a pid after it

  // Takes `rest` (a line from the first byte after the stamp and its blank) apart; fills host, program,
  // pid, message and note. kNoHeader: `rest` is empty.
  Took read(std::string_view rest, Record& out) {
    return rest.size() >= kQuick ? kReadQuickly(*this, rest.data(), rest.data() + rest.size(), out)
                                 : read_slowly(rest, out);
  }
  // The same for a rest of at least kQuick bytes, by the instructions that this processor has.
  using Quick = Took(HeaderCache& c, const char* p, const char* end, Record& out);
  static Quick* const kReadQuickly;
  // For headers whose program and host are known already: the slot alone.
  HeaderSlot& slot_of(std::string_view host, std::string_view program);

 private:
  friend struct TagReader;

  static constexpr unsigned kSlotBits = 6;
  HeaderSlot& slot_for(const char* p, size_t key_length) {
    const uint64_t hash = (load8(p) * 0x9e37'79b9'7f4a'7c15ULL ^ load8(p + key_length - 8)) * 0xd6e8'feb8'6659'fd93ULL;
    return slots_[hash >> (64 - kSlotBits)];
  }
  void forget(HeaderSlot& slot, const char* p, size_t key_length);
  Took read_long(const char* p, const char* end, Record& out);
  Took read_slowly(std::string_view rest, Record& out);
  Took finish(HeaderSlot& slot, const char* p, const char* end, Record& out);

  std::array<HeaderSlot, size_t{1} << kSlotBits> slots_{};
  HeaderSlot scratch_{};
  // A header with its pid: "mail postfix/smtpd[123]: ".
  struct alignas(64) Recent {
    char header[kWindow];
    uint32_t length = 0;  // 0: none
    uint32_t pid = 0;
    uint32_t read = 0;  // of the slot, when this was read
    HeaderSlot* slot = nullptr;
  };
  static constexpr unsigned kRecentBits = 9;
  Recent& recent_for(uint64_t tail) { return recent_[tail * 0x9e37'79b9'7f4a'7c15ULL >> (64 - kRecentBits)]; }
  std::array<Recent, size_t{1} << kRecentBits> recent_{};
};

}  // namespace mailward
