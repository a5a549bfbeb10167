#include "log/json_scan.h"

#include <cstring>

namespace mailward {
namespace {

int hex4(std::string_view t, size_t at) {
  if (t.size() < at + 4) return -1;
  int v = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const char c = t[i];
    const int d = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
    if (d < 0) return -1;
    v = v << 4 | d;
  }
  return v;
}

void append_utf8(uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

bool is_high_surrogate(int c) { return c >= 0xd800 && c < 0xdc00; }
bool is_low_surrogate(int c) { return c >= 0xdc00 && c < 0xe000; }

// "\u0041" or a pair, at the 'u' of `raw`; returns how many bytes it took, 0: broken.
size_t append_unicode(std::string_view raw, size_t at, std::string& out) {
  const int c = hex4(raw, at + 1);
  if (c < 0) return 0;
  if (is_high_surrogate(c) && raw.substr(at + 5).starts_with("\\u")) {
    const int low = hex4(raw, at + 7);
    if (is_low_surrogate(low)) {
      append_utf8(0x10000 + ((static_cast<uint32_t>(c) & 0x3ff) << 10 | (static_cast<uint32_t>(low) & 0x3ff)), out);
      return 11;
    }
  }
  append_utf8(is_high_surrogate(c) || is_low_surrogate(c) ? 0xfffd : static_cast<uint32_t>(c), out);
  return 5;
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text) : text_(text) {
  if (text.starts_with('{')) at_ = 1;
}

void JsonScanner::skip_blanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n'))
    ++at_;
}

// At a quote.
bool JsonScanner::string(JsonValue& out) {
  out.kind = JsonValue::Kind::kString;
  out.escaped = false;
  const size_t begin = ++at_;
  while (true) {
    const void* found = at_ < text_.size() ? std::memchr(text_.data() + at_, '"', text_.size() - at_) : nullptr;
    if (found == nullptr) return false;
    const auto quote = static_cast<size_t>(static_cast<const char*>(found) - text_.data());
    size_t slashes = 0;
    while (quote - slashes > begin && text_[quote - slashes - 1] == '\\') ++slashes;
    at_ = quote + 1;
    if (slashes % 2 == 1) continue;
    out.raw = text_.substr(begin, quote - begin);
    out.escaped = !out.raw.empty() && std::memchr(out.raw.data(), '\\', out.raw.size()) != nullptr;
    return true;
  }
}

// At a bracket or a brace: to the one that closes it.
bool JsonScanner::nested(JsonValue& out) {
  const size_t begin = at_;
  out.kind = text_[at_] == '[' ? JsonValue::Kind::kArray : JsonValue::Kind::kOther;
  const JsonValue::Kind kind = out.kind;
  size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      JsonValue inner;
      if (!string(inner)) return false;
      continue;
    }
    ++at_;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) {
      out.raw = text_.substr(begin, at_ - begin);
      out.kind = kind;
      return true;
    }
  }
  return false;
}

bool JsonScanner::value(JsonValue& out) {
  if (at_ >= text_.size()) return false;
  const char c = text_[at_];
  if (c == '"') return string(out);
  if (c == '[' || c == '{') return nested(out);
  const size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}' && text_[at_] != ' ') ++at_;
  out.kind = JsonValue::Kind::kOther;
  out.raw = text_.substr(begin, at_ - begin);
  return at_ > begin;
}

bool JsonScanner::next(std::string_view& key, JsonValue& out) {
  if (at_ == 0) return false;
  skip_blanks();
  if (at_ < text_.size() && text_[at_] == '}') {
    ++at_;
    skip_blanks();
    good_ = at_ == text_.size();
    return false;
  }
  if (!first_) {
    if (at_ >= text_.size() || text_[at_] != ',') return false;
    ++at_;
    skip_blanks();
  }
  first_ = false;
  JsonValue name;
  if (at_ >= text_.size() || text_[at_] != '"' || !string(name)) return false;
  key = name.raw;
  skip_blanks();
  if (at_ >= text_.size() || text_[at_] != ':') return false;
  ++at_;
  skip_blanks();
  return value(out);
}

bool unescape_json(std::string_view raw, std::string& out) {
  size_t at = 0;
  while (at < raw.size()) {
    const size_t slash = std::min(raw.find('\\', at), raw.size());
    out.append(raw.substr(at, slash - at));
    at = slash + 1;
    if (slash == raw.size()) break;
    if (at >= raw.size()) return false;
    switch (raw[at]) {
      case '"':
      case '\\':
      case '/':
        out += raw[at];
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        const size_t n = append_unicode(raw, at, out);
        if (n == 0) return false;
        at += n - 1;
        break;
      }
      default:
        return false;
    }
    ++at;
  }
  return true;
}

bool json_bytes(std::string_view array, std::string& out) {
  if (array.size() < 2 || array.front() != '[' || array.back() != ']') return false;
  array = array.substr(1, array.size() - 2);
  size_t at = 0;
  const auto blanks = [&] {
    while (at < array.size() && array[at] == ' ') ++at;
  };
  blanks();
  while (at < array.size()) {
    unsigned v = 0;
    const size_t begin = at;
    while (at < array.size() && at < begin + 3 && array[at] >= '0' && array[at] <= '9')
      v = v * 10 + static_cast<unsigned>(array[at++] - '0');
    if (at == begin || v > 255) return false;
    out += static_cast<char>(v);
    blanks();
    if (at == array.size()) return true;
    if (array[at++] != ',') return false;
    blanks();
    if (at == array.size()) return false;
  }
  return true;
}

}  // namespace mailward
