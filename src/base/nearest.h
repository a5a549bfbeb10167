// "Did you mean": the known word that is nearest to one that nobody knows. The only such thing in the program:
// commands, options, keys of the configuration, of policies and of rules all use it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mailward {

// The nearest of `known` by edits of one letter (insert, delete, replace, swap two neighbours): at most about one
// for three letters of `word`, or `word` is the beginning of it. Empty where none is near enough to be meant, the
// first of equals. Words are cut at 64 bytes: `word` may be anybody's.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// " (did you mean scan?)" or nothing, for the end of a sentence.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

// "the nearest is `scan`" between `before` and `after`, or nothing at all.
std::string tell_nearest(std::string_view word, std::span<const std::string_view> known, std::string_view before,
                         std::string_view after = "");

}  // namespace mailward
