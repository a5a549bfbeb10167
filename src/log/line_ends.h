// Where lines end: positions of line feeds, a stretch of a block at a time. The answer is a list and
// not a loop over the block, because whether the next 64 bytes hold a line feed can't be guessed:
// written down without a branch, that costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mailward {

class LineEnds {
 public:
  static constexpr size_t kStretch = 8192;  // so many bytes are looked at together
  static constexpr size_t kPadding = 64;    // so many bytes after them must be readable

  // Looks at [p, p + length), length up to kStretch; forgets what was found before.
  void find(const char* p, size_t length) { count_ = kFind(p, length, at_); }

  // Offsets from `p`, ascending.
  const uint16_t* begin() const { return at_; }
  const uint16_t* end() const { return at_ + count_; }

  // Writes the offsets, and one more place, to `out`; how many.
  using Find = size_t(const char* p, size_t length, uint16_t* out);
  // Every way that this processor can go, the one that is taken first; for tests.
  static std::vector<Find*> ways();

 private:
  static Find* const kFind;
  size_t count_ = 0;
  uint16_t at_[kStretch + 2];
};

}  // namespace mailward
