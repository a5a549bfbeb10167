// Reading journal files that shrink: libsystemd maps them, and journald cuts what it archived and empties what it
// vacuumed. Without this a touch of what is gone ends the process by SIGBUS: with journald 252 of Debian 12 that is
// any reader who still has an empty user's journal open when it is rotated the second time (systemd issue 24320).
// Within this station.
#pragma once

namespace mailward {

// While one lives, what is gone from a mapped file reads as zeros, and that is remembered. For calls of libsystemd
// and nothing else; one at a time in the process. It takes over SIGBUS when the first is made, for good: at
// other times it does what it always did.
class MappedReading {
 public:
  MappedReading();
  ~MappedReading();
  MappedReading(const MappedReading&) = delete;
  MappedReading& operator=(const MappedReading&) = delete;
  // Did it happen? Then nothing that was read since can be relied on.
  bool faulted() const;
};

}  // namespace mailward
