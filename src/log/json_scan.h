// A scanner for one JSON object in one line (RFC 8259), as `journalctl -o json` and Docker write them:
// it visits the members of the outer object and builds nothing. Measured, a parser that builds a tree
// is an order of magnitude slower, and logs of these forms are long.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailward {

struct JsonValue {
  enum class Kind : uint8_t { kString, kArray, kOther } kind = Kind::kOther;
  // kString: between the quotes, escapes as written; kArray: with its brackets; kOther: the token.
  std::string_view raw;
  bool escaped = false;  // kString: holds a backslash
};

class JsonScanner {
 public:
  // `text` must begin with '{'.
  explicit JsonScanner(std::string_view text);
  // The next member; false at the end of the object, or where the text is no JSON: see good().
  bool next(std::string_view& key, JsonValue& value);
  // After next() was false: was the object whole, with nothing but blanks behind it?
  bool good() const { return good_; }

 private:
  void skip_blanks();
  bool string(JsonValue& out);
  bool nested(JsonValue& out);
  bool value(JsonValue& out);

  std::string_view text_;
  size_t at_ = 0;
  bool first_ = true;
  bool good_ = false;
};

// Appends what an escaped string means, in UTF-8; half a surrogate pair becomes U+FFFD. False: a bad escape.
bool unescape_json(std::string_view raw, std::string& out);
// Appends the bytes of "[104,101,…]"; false: something else.
bool json_bytes(std::string_view array, std::string& out);

}  // namespace mailward
