#include "grammar/pattern.h"

#include <fmt/format.h>

#include "base/nearest.h"

namespace mailward {
namespace {

constexpr std::array<std::string_view, kCaptures> kCaptureNames = {
    "user",    "ptr",     "helo",  "sender", "recipient", "mechanism", "reason",
    "service", "session", "queue", "port",   "count",     "helper",    "address"};

// Nothing that a person would write by hand nests deeper; a bound keeps the parser's recursion safe.
constexpr int kMaxDepth = 12;
constexpr size_t kMaxPattern = 16'384;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Parser {
 public:
  Parser(std::string_view text, const PatternScope& scope, int depth) : text_(text), scope_(scope), depth_(depth) {}

  Result<Pattern> whole() {
    if (text_.size() > kMaxPattern) return fail("the pattern is longer than 16 KiB");
    auto p = sequence(false, 0);
    if (p && at_ < text_.size()) return error("a `}` that closes nothing; write `\\}` for the byte");
    return p;
  }

 private:
  std::unexpected<Error> error(const std::string& what) const {
    return fail(fmt::format("column {}: {}", at_ + 1, what));
  }

  // Reads up to the end, an unmatched `}`, or (among alternatives) a `|`.
  Result<Pattern> sequence(bool alternatives, int nesting) {
    if (nesting + depth_ > kMaxDepth) return error("parts are nested too deeply");
    Pattern out;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '}' || (alternatives && c == '|')) break;
      if (c == '{') {
        if (auto ok = braces(out, nesting); !ok) return std::unexpected(ok.error());
        continue;
      }
      if (auto ok = literal(out, alternatives); !ok) return std::unexpected(ok.error());
    }
    return out;
  }

  static bool stands_for_itself(char c) { return c != '{' && c != '}' && c != '\\' && c != '\n' && c != '\0'; }

  // A byte that is escaped, or all that stand for themselves up to the next that may not.
  Result<void> literal(Pattern& out, bool alternatives) {
    size_t end = at_;
    while (end < text_.size() && stands_for_itself(text_[end]) && !(alternatives && text_[end] == '|')) ++end;
    if (out.empty() || out.back().kind != Element::Kind::kLiteral) out.push_back(Element{});
    if (end > at_) {
      out.back().text += text_.substr(at_, end - at_);
      at_ = end;
      return {};
    }
    const auto byte = literal_byte();
    if (!byte) return std::unexpected(byte.error());
    out.back().text += *byte;
    return {};
  }

  Result<char> literal_byte() {
    const char c = text_[at_++];
    if (c == '\n' || c == '\0') return error("a line has no such byte");
    if (c != '\\') return c;
    if (at_ >= text_.size()) return error("a `\\` at the end; write `\\\\` for the byte");
    const char e = text_[at_++];
    if (e == 'x') {
      if (at_ + 2 > text_.size() || hex_value(text_[at_]) < 0 || hex_value(text_[at_ + 1]) < 0)
        return error("`\\x` wants two hexadecimal digits");
      const char byte = static_cast<char>(hex_value(text_[at_]) * 16 + hex_value(text_[at_ + 1]));
      at_ += 2;
      if (byte == '\n' || byte == '\0') return error("a line has no such byte");
      return byte;
    }
    if (e == '{' || e == '}' || e == '|' || e == '\\') return e;
    return error("after `\\` may stand `{`, `}`, `|`, `\\` or `xHH`");
  }

  Result<void> braces(Pattern& out, int nesting) {
    ++at_;
    if (at_ >= text_.size()) return error("`{` is not closed");
    switch (text_[at_]) {
      case '?':
        return optional_part(out, nesting);
      case '|':
        return alternatives(out, nesting);
      case '!':
        return once(out);
      case '@':
        return macro(out);
      default:
        return field(out);
    }
  }

  Result<void> close() {
    if (at_ >= text_.size() || text_[at_] != '}') return error("`}` is missing");
    ++at_;
    return {};
  }

  Result<void> optional_part(Pattern& out, int nesting) {
    ++at_;
    auto inner = sequence(false, nesting + 1);
    if (!inner) return std::unexpected(inner.error());
    if (inner->empty()) return error("an optional part without content");
    Element e{.kind = Element::Kind::kChoice};
    e.branches.push_back(std::move(*inner));
    e.branches.emplace_back();
    out.push_back(std::move(e));
    return close();
  }

  Result<void> alternatives(Pattern& out, int nesting) {
    Element e{.kind = Element::Kind::kChoice};
    while (at_ < text_.size() && text_[at_] == '|') {
      ++at_;
      auto branch = sequence(true, nesting + 1);
      if (!branch) return std::unexpected(branch.error());
      e.branches.push_back(std::move(*branch));
    }
    out.push_back(std::move(e));
    return close();
  }

  Result<void> once(Pattern& out) {
    ++at_;
    Element e{.kind = Element::Kind::kOnce};
    while (at_ < text_.size() && text_[at_] != '}') {
      auto byte = literal_byte();
      if (!byte) return std::unexpected(byte.error());
      e.text += *byte;
    }
    if (e.text.size() < 2) return error("`{!…}` wants a text of at least two bytes");
    out.push_back(std::move(e));
    return close();
  }

  std::string_view name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<void> macro(Pattern& out) {
    ++at_;
    const auto called = name();
    const auto found = scope_.macros.find(called);
    if (found == scope_.macros.end()) return error(fmt::format("no macro is called `{}`", called));
    auto inner = Parser(found->second, scope_, depth_ + 1).whole();
    if (!inner) return fail(fmt::format("macro `{}`: {}", called, inner.error().message));
    out.reserve(out.size() + inner->size());
    for (Element& e : *inner) {
      if (e.kind == Element::Kind::kLiteral && !out.empty() && out.back().kind == Element::Kind::kLiteral)
        out.back().text += e.text;
      else
        out.push_back(std::move(e));
    }
    return close();
  }

  static std::string_view default_type(Capture c) {
    switch (c) {
      case Capture::kAddress:
        return "address";
      case Capture::kPort:
      case Capture::kCount:
        return "int";
      case Capture::kPtr:
        return "host";
      default:
        return {};
    }
  }

  Result<void> field(Pattern& out) {
    Element e{.kind = Element::Kind::kField};
    const auto called = name();
    if (!called.empty()) {
      const auto capture = parse_capture(called);
      if (!capture) return error(fmt::format("`{}` is no fact{}", called, nearest_capture(called)));
      e.capture = *capture;
    }
    std::string_view type_name = default_type(e.capture);
    if (at_ < text_.size() && text_[at_] == ':') {
      ++at_;
      type_name = name();
    }
    if (type_name.empty()) return error("a field wants a type: `{name:type}`");
    const auto found = scope_.types.find(type_name);
    if (found == scope_.types.end()) {
      std::vector<std::string_view> names;
      for (const auto& [name, type] : scope_.types) names.push_back(name);
      return error(fmt::format("no type is called `{}`{}", type_name, tell_nearest(type_name, names, "; ")));
    }
    e.type = found->second.type;
    if (auto ok = length(e.type); !ok) return ok;
    if ((e.type.kind == Type::Kind::kAddress) != (e.capture == Capture::kAddress))
      return error("the type `address` and the fact `address` belong together; a second mention is `{:ip}`");
    out.push_back(std::move(e));
    return close();
  }

  Result<void> length(Type& type) {
    if (at_ >= text_.size() || text_[at_] != '(') return {};
    ++at_;
    auto number = [this]() -> std::optional<uint32_t> {
      uint64_t n = 0;
      const size_t begin = at_;
      while (at_ < text_.size() && isdigit(static_cast<unsigned char>(text_[at_])) && n < 1'000'000)
        n = n * 10 + static_cast<uint64_t>(text_[at_++] - '0');
      if (at_ == begin || n >= 1'000'000) return {};
      return static_cast<uint32_t>(n);
    };
    const auto low = number();
    if (!low) return error("a length wants a number below 1000000");
    type.min = type.max = *low;
    if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      const auto high = number();
      if (!high || *high < *low) return error("the second length must be a number, not smaller than the first");
      type.max = *high;
    }
    if (at_ >= text_.size() || text_[at_] != ')') return error("`)` is missing after the length");
    ++at_;
    return {};
  }

  std::string_view text_;
  const PatternScope& scope_;
  int depth_;
  size_t at_ = 0;
};

}  // namespace

std::string_view name_of(Capture c) {
  return c == Capture::kNone ? std::string_view{} : kCaptureNames[static_cast<size_t>(c)];
}

std::optional<Capture> parse_capture(std::string_view name) {
  for (size_t i = 0; i < kCaptures; ++i)
    if (kCaptureNames[i] == name) return static_cast<Capture>(i);
  return {};
}

std::string nearest_capture(std::string_view name) { return tell_nearest(name, kCaptureNames, "; "); }

std::map<std::string, NamedType, std::less<>> builtin_types() {
  const ByteSet digits = ByteSet::range('0', '9');
  const ByteSet letters = ByteSet::range('a', 'z') | ByteSet::range('A', 'Z');
  const ByteSet hex = digits | ByteSet::range('a', 'f') | ByteSet::range('A', 'F');
  const ByteSet address = hex | ByteSet::of(".:");
  using K = Type::Kind;
  auto make = [](K kind, ByteSet set, uint32_t min = 1) { return NamedType{{kind, set, min, kNoMaximum}, {}, {}}; };
  return {
      {"address", make(K::kAddress, address, 2)},
      {"address4", make(K::kAddress, digits | ByteSet::of("."), 7)},
      {"ip", make(K::kClass, address, 2)},
      {"int", make(K::kClass, digits)},
      {"decimal", make(K::kClass, digits | ByteSet::of("."))},
      {"hex", make(K::kClass, hex)},
      {"host", make(K::kClass, letters | digits | ByteSet::of("._-"))},
      {"word", make(K::kClass, ByteSet::range('!', '~') | ByteSet::range(0x80, 0xff))},
      {"token", make(K::kClass, letters | digits | ByteSet::of("_-"))},
      {"alpha", make(K::kClass, letters)},
      {"alnum", make(K::kClass, letters | digits)},
      {"base64", make(K::kClass, letters | digits | ByteSet::of("+/="))},
      {"path", make(K::kPath, {}, 0)},
      {"quoted", make(K::kQuoted, {}, 0)},
      {"free", make(K::kFree, ByteSet::all(), 0)},
  };
}

Result<Pattern> parse_pattern(std::string_view text, const PatternScope& scope) {
  return Parser(text, scope, 0).whole();
}

Result<ByteSet> parse_byte_set(std::string_view text) {
  struct Unit {
    uint8_t byte;
    bool bare;  // not escaped: a `-` of this kind may make a range
  };
  std::vector<Unit> units;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      units.push_back({static_cast<uint8_t>(text[i]), true});
      continue;
    }
    if (i + 3 < text.size() && text[i + 1] == 'x' && hex_value(text[i + 2]) >= 0 && hex_value(text[i + 3]) >= 0) {
      units.push_back({static_cast<uint8_t>(hex_value(text[i + 2]) * 16 + hex_value(text[i + 3])), false});
      i += 3;
    } else if (i + 1 < text.size() && !isalnum(static_cast<unsigned char>(text[i + 1]))) {
      units.push_back({static_cast<uint8_t>(text[++i]), false});
    } else {
      return fail("after `\\` in an alphabet may stand `xHH` or a sign that is to stand for itself");
    }
  }
  ByteSet set;
  for (size_t i = 0; i < units.size(); ++i) {
    if (i + 2 < units.size() && units[i + 1].byte == '-' && units[i + 1].bare) {
      if (units[i].byte > units[i + 2].byte) return fail("a range in an alphabet goes backwards");
      set = set | ByteSet::range(units[i].byte, units[i + 2].byte);
      i += 2;
    } else {
      set.add(units[i].byte);
    }
  }
  if (set.empty()) return fail("an alphabet wants at least one byte");
  return set;
}

}  // namespace mailward
