#include "grammar/short_rules.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace mailward {
namespace {

// One line, read from its beginning.
class Line {
 public:
  explicit Line(std::string_view rest) : rest_(rest) {}

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  void blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }
  // Of small letters and `_`; empty where there is none.
  std::string_view key() {
    const auto begin = rest_;
    while (!rest_.empty() && ((rest_[0] >= 'a' && rest_[0] <= 'z') || rest_[0] == '_')) rest_.remove_prefix(1);
    return begin.substr(0, begin.size() - rest_.size());
  }
  bool equals() {
    blanks();
    const bool found = take("=");
    blanks();
    return found;
  }
  // "…" of printable ASCII without escapes.
  bool quoted() {
    if (!take("\"")) return false;
    while (!rest_.empty() && rest_[0] >= ' ' && rest_[0] <= '~' && rest_[0] != '"' && rest_[0] != '\\')
      rest_.remove_prefix(1);
    return take("\"");
  }
  // A number without a sign: one digit, or some that begin with no nought, and not too many.
  bool number() {
    size_t n = 0;
    while (n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9') ++n;
    if (n == 0 || n > 9 || (n > 1 && rest_[0] == '0')) return false;
    rest_.remove_prefix(n);
    return true;
  }
  std::string_view rest() const { return rest_; }
  bool at_end() {
    blanks();
    return rest_.empty();
  }

 private:
  std::string_view rest_;
};

bool is_comment(std::string_view line) {
  return line.starts_with('#') && std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_version(std::string_view text) {
  Line line(text);
  return line.key() == "version" && line.equals() && line.quoted() && line.at_end();
}

bool is_gives(std::string_view text) {
  Line line(text);
  if (line.key() != "gives" || !line.equals() || !line.take("{")) return false;
  line.blanks();
  if (line.take("}")) return line.at_end();
  std::array<std::string_view, 16> keys;
  for (auto last = keys.begin(); last != keys.end(); ++last) {
    const std::string_view key = line.key();
    if (key.empty() || std::find(keys.begin(), last, key) != last) return false;
    *last = key;
    if (!line.equals()) return false;
    if (key == "mild" ? !line.take("true") : !(line.quoted() || line.number())) return false;
    line.blanks();
    if (line.take("}")) return line.at_end();
    if (!line.take(",")) return false;
    line.blanks();
  }
  return false;
}

// A key and a text between three quotes each, which ends where the line does: no other line is part of it.
bool is_whole_text(std::string_view text) {
  constexpr std::string_view kQuotes = "'''";
  Line line(text);
  if (line.key().empty() || !line.equals() || !line.take(kQuotes)) return false;
  return line.rest().find(kQuotes) + kQuotes.size() == line.rest().size();
}

// In a rule itself: the key `sample`, or one in quotes, or whatever else begins with a quote.
bool may_hold_samples(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.starts_with("sample") || text.starts_with('"') || text.starts_with('\'');
}

// The text of `line = '…'`.
std::optional<std::string_view> literal_line(std::string_view text) {
  Line line(text);
  if (line.key() != "line" || !line.equals() || !line.take("'") || !line.rest().ends_with('\'')) return {};
  std::string_view inner = line.rest();
  inner.remove_suffix(1);
  const bool plain = std::all_of(inner.begin(), inner.end(), [](char c) { return c >= ' ' && c <= '~' && c != '\''; });
  return plain ? std::optional(inner) : std::nullopt;
}

class Shortener {
 public:
  std::optional<ShortRules> shorten(std::string_view text) {
    out_.text.reserve(text.size());
    for (int at_line = 1; !text.empty(); ++at_line) {
      const size_t end = std::min(text.find('\n'), text.size());
      if (!(text[0] == '[' ? header(text.substr(0, end), at_line) : line(text.substr(0, end)))) return {};
      text.remove_prefix(std::min(end + 1, text.size()));
      out_.text += '\n';
    }
    if (!close()) return {};
    return std::move(out_);
  }

 private:
  bool header(std::string_view line, int at_line) {
    const bool sample = line == "[[rule.sample]]";
    if (!close() || (!sample && line != "[[rule]]")) return false;
    section_ = {.sample = sample, .at_line = at_line, .from = out_.text.size()};
    out_.text += line;
    return true;
  }

  bool line(std::string_view line) {
    if (line.find("'''") != std::string_view::npos && !is_whole_text(line)) return false;
    if (line.empty() || is_comment(line)) return true;
    if (section_.sample && is_version(line)) return !std::exchange(section_.version, true);
    if (section_.sample && is_gives(line)) return !std::exchange(section_.gives, true);
    if (!section_.sample && may_hold_samples(line)) return false;
    if (section_.sample && !line.starts_with('#')) {
      if (!line.starts_with("line")) return false;
      section_.text = section_.kept++ == 0 ? literal_line(line) : std::nullopt;
    }
    out_.text += line;
    return true;
  }

  // The section's end. False: it is not sound.
  bool close() {
    if (!section_.sample) return true;
    if (!section_.version) return false;
    if (section_.text) {
      const auto lines = std::count(out_.text.begin() + static_cast<ptrdiff_t>(section_.from), out_.text.end(), '\n');
      out_.text.resize(section_.from);
      out_.text.append(static_cast<size_t>(lines), '\n');
      out_.lines.push_back({section_.at_line, *section_.text});
    } else {
      ++out_.samples;
    }
    return true;
  }

  struct Section {
    bool sample = false;
    int at_line = 0;
    size_t from = 0;                       // in the text put out
    bool version = false, gives = false;   // were left out
    size_t kept = 0;                       // lines that begin with `line`
    std::optional<std::string_view> text;  // of the only one
  };
  ShortRules out_;
  Section section_;
};

// `evidence = "…"` and the like: what stands before the text. Empty: it is no such line, or it has no text.
std::string_view before_long_text(std::string_view text) {
  constexpr std::string_view kKeys[] = {"evidence", "void", "about", "versions"};
  Line line(text);
  if (std::find(std::begin(kKeys), std::end(kKeys), line.key()) == std::end(kKeys) || !line.equals()) return {};
  const size_t length = line.rest().size();
  if (length < 3 || !line.quoted() || !line.rest().empty()) return {};
  return text.substr(0, text.size() - length);
}

}  // namespace

std::string short_head(std::string_view text) {
  if (text.find("\"\"\"") != std::string_view::npos || text.find("'''") != std::string_view::npos)
    return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (const auto before = before_long_text(line); !before.empty())
      out.append(before).append("\".\"");
    else if (!is_comment(line))
      out += line;
    if (end != std::string_view::npos) out += '\n';
    text.remove_prefix(std::min(end, text.size() - 1) + 1);
  }
  return out;
}

std::optional<ShortRules> short_rules(std::string_view text) {
  if (text.find("\"\"\"") != std::string_view::npos) return {};
  return Shortener().shorten(text);
}

}  // namespace mailward
