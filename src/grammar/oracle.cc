#include "grammar/oracle.h"

#include <functional>

#include "base/address.h"

namespace mailward {
namespace {

class Oracle {
 public:
  Oracle(std::string_view line, size_t limit, long fuel) : line_(line), limit_(limit), fuel_(fuel) {}

  void run(const Pattern& p) {
    Reading r;
    sequence(p, 0, 0, r, [this](size_t at, Reading& done) {
      if (at == line_.size() && out_.size() < limit_) out_.push_back(done);
    });
  }

  std::vector<Reading> out_;
  bool complete() const { return fuel_ > 0 && out_.size() < limit_; }

 private:
  using Then = std::function<void(size_t, Reading&)>;

  void sequence(const Pattern& p, size_t i, size_t at, Reading& r, const Then& then) {
    if (--fuel_ <= 0 || out_.size() >= limit_) return;
    if (i == p.size()) return then(at, r);
    const Element& e = p[i];
    const Then rest = [this, &p, i, &then](size_t next, Reading& got) { sequence(p, i + 1, next, got, then); };
    switch (e.kind) {
      case Element::Kind::kOnce:
        if (line_.find(e.text) != line_.rfind(e.text)) return;
        [[fallthrough]];
      case Element::Kind::kLiteral:
        if (line_.substr(at).starts_with(e.text)) rest(at + e.text.size(), r);
        return;
      case Element::Kind::kChoice:
        for (const Pattern& branch : e.branches) sequence(branch, 0, at, r, rest);
        return;
      case Element::Kind::kField:
        for (size_t length = e.type.min; at + length <= line_.size() && length <= e.type.max; ++length) {
          if (--fuel_ <= 0) return;
          const std::string_view text = line_.substr(at, length);
          if (!in_language(e.type, text)) continue;
          Reading next = r;
          if (e.capture != Capture::kNone)
            next.spans[static_cast<size_t>(e.capture)] = text.data() ? text : std::string_view("");
          rest(at + length, next);
        }
    }
  }

  static bool in_language(const Type& t, std::string_view s) {
    bool quoted = t.kind == Type::Kind::kQuoted;
    switch (t.kind) {
      case Type::Kind::kAddress:
        return parse_address(s).has_value();
      case Type::Kind::kFree:
      case Type::Kind::kClass:
        for (char c : s)
          if (!t.set.has(c)) return false;
        return true;
      case Type::Kind::kPath:
      case Type::Kind::kQuoted:
        for (size_t i = 0; i < s.size(); ++i) {
          if (quoted && s[i] == '\\') {
            if (++i == s.size()) return false;
          } else if (s[i] == '"') {
            if (t.kind == Type::Kind::kQuoted) return false;
            quoted = !quoted;
          } else if (!quoted && s[i] == '>') {
            return false;
          }
        }
        return t.kind == Type::Kind::kQuoted || !quoted;
    }
    return false;
  }

  std::string_view line_;
  size_t limit_;
  long fuel_;
};

}  // namespace

std::vector<Reading> all_readings(const Pattern& pattern, std::string_view line, size_t limit, long fuel,
                                  bool* complete) {
  Oracle oracle(line, limit, fuel);
  oracle.run(pattern);
  *complete = oracle.complete();
  return std::move(oracle.out_);
}

}  // namespace mailward
