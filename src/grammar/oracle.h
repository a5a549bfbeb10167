// The slow, obviously right reader of patterns: tries everything. Tests and fuzzing hold the tree
// against it; nothing else uses it.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "grammar/pattern.h"

namespace mailward {

struct Reading {
  std::array<std::string_view, kCaptures> spans{};  // data() == nullptr: not present
};

// All ways to read `line` by `pattern`, up to `limit`; nothing when `fuel` steps were not enough to
// know them all (*complete is false then).
std::vector<Reading> all_readings(const Pattern& pattern, std::string_view line, size_t limit, long fuel,
                                  bool* complete);

}  // namespace mailward
