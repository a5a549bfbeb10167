// Where reading stopped in a log that is followed: to be stored with what the lines meant, in one transaction, and
// to be found again in whatever files there are then. Text is known again by its text: names move on at each
// rotation and inodes are given to new files (docs/following.md).
//
// Plain values; no threads, no files. All offsets count bytes of the text, which for a compressed file are those
// that come out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailward {

// Behind a line feed in one file, and what stood before it. Hashes are keyed by Position::key.
struct Place {
  uint64_t device = 0, inode = 0;  // for people: they prove nothing
  uint64_t offset = 0;             // 0: nothing
  uint64_t lines = 0;              // before it
  int64_t modified_ns = 0;         // the file's own time then, since 1970
  uint64_t head = 0;               // of the first kEdge bytes, or of all before the offset if those are fewer
  uint64_t tail = 0;               // of the last kEdge bytes before the offset
  static constexpr uint64_t kEdge = 4096;
  bool operator==(const Place&) const = default;
};

struct Position {
  Place at;
  // Where reading ended in the files before, the last first: what shows which files have been read when the one
  // of `at` is gone.
  std::vector<Place> earlier;
  static constexpr size_t kEarlier = 8;
  // The last lines before `at.offset`, one hash each, `trail_bytes` together: in a file that lost its end these
  // tell which lines are still the old ones.
  std::vector<uint32_t> trail;
  uint64_t trail_bytes = 0;
  static constexpr uint64_t kTrail = 64 << 10;  // bytes at most
  static constexpr size_t kTrailLines = 1024;   // and lines
  // Of all hashes; drawn at random for each log that is followed, once and for all.
  uint64_t key = 0;
  // With `at.offset` 0: all that there is is to be read.
  bool begun = false;
  bool operator==(const Position&) const = default;
};

// One line of text without blanks at its ends, at most about 10 KiB.
std::string to_text(const Position& position);
Result<Position> position_from_text(std::string_view text);

// Does this file, plain or compressed, hold the text up to `at`? It is read, and where its offset stands
// afterwards is not said. Not asked of a position of nothing.
bool matches(int descriptor, const Position& position);

}  // namespace mailward
