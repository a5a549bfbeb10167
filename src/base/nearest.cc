#include "base/nearest.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace mailward {
namespace {

constexpr size_t kLongest = 64;
constexpr size_t kLeastBeginning = 3;  // letters that say which word was begun
constexpr size_t kLeastMistyped = 5;   // the same where they may hold mistakes

// Optimal string alignment distance (Damerau 1964), three rows of it at a time.
size_t edits(std::string_view a, std::string_view b) {
  std::array<size_t, kLongest + 1> before_last{}, last{}, row{};
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

// "foriegn" is as good as foreign-domain: its beginning, and one more mistake to have left the rest out.
size_t distance(std::string_view word, std::string_view known) {
  if (word.size() >= kLeastBeginning && word.size() < known.size() && known.starts_with(word)) return 1;
  const size_t whole = edits(word, known);
  if (word.size() < kLeastMistyped || word.size() >= known.size()) return whole;
  return std::min(whole, edits(word, known.substr(0, word.size())) + 1);
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  word = word.substr(0, kLongest);
  std::string_view best;
  size_t fewest = std::max<size_t>(1, word.size() / 3) + 1;
  for (std::string_view candidate : known) {
    candidate = candidate.substr(0, kLongest);
    if (const size_t n = distance(word, candidate); n < fewest) {
      fewest = n;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view best = nearest(word, known);
  return best.empty() ? "" : " (did you mean " + std::string(best) + "?)";
}

std::string tell_nearest(std::string_view word, std::span<const std::string_view> known, std::string_view before,
                         std::string_view after) {
  const std::string_view best = nearest(word, known);
  if (best.empty()) return "";
  return std::string(before) + "the nearest is `" + std::string(best) + "`" + std::string(after);
}

}  // namespace mailward
