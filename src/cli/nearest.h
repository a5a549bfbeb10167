// "Did you mean": the known word that is nearest to one that nobody knows.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mailward {

// The nearest of `known` by edits of one letter (insert, delete, replace, swap two neighbours); empty
// where none is near enough to be meant. Words are cut at 64 bytes: `word` may be anybody's.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// " (did you mean scan?)" or nothing, for the end of a sentence.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace mailward
