// The rules of a rule file, made shorter for who only matches: two thirds of their text are samples and comments,
// of which only the samples' lines are wanted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailward {

struct ShortRules {
  struct Line {
    int at_line;  // of its [[rule.sample]], from 1
    std::string_view text;
  };
  std::string text;         // as many lines as before, many of them empty
  std::vector<Line> lines;  // of samples that are not in `text`
  size_t samples = 0;       // sections [[rule.sample]] in `text`
};

// `text` begins with [[rule]]; the result points into it. Only what is seen to be sound by itself is left out:
// comments, and of samples one `version = "…"` each and at most one `gives = { … }`; and all of a sample whose line
// is then a text in single quotes, which stands for itself. Nothing where the text has a form in which that can't
// be seen line by line (texts of several lines, other sections, other keys in samples): then all of it is to be read.
std::optional<ShortRules> short_rules(std::string_view text);

// What stands before the first rule, with one byte in the place of each long text that says how something is known
// and for whom (`evidence`, `void`, `about`, `versions`), and without comments. In all else, also in what is wrong
// with it and where, it is as before.
std::string short_head(std::string_view text);

}  // namespace mailward
