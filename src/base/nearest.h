// "Did you mean …": the known name that is nearest to a mistyped one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mailward {

// Letters to insert, leave out or replace to make one of the other (Levenshtein).
inline size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// The nearest of `names`, the first of equals; one that the text is the beginning of is nearer than any
// other. `names` is not empty. A long text is compared by its first 64 bytes.
inline std::string_view nearest_name(std::string_view text, std::span<const std::string_view> names) {
  const std::string_view head = text.substr(0, 64);
  const auto distance = [head](std::string_view name) {
    return std::pair(head.size() < 3 || !name.starts_with(head), edit_distance(head, name));
  };
  return *std::min_element(names.begin(), names.end(),
                           [&](std::string_view a, std::string_view b) { return distance(a) < distance(b); });
}

}  // namespace mailward
