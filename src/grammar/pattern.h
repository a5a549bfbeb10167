// Patterns: the text of a rule's `line`, parsed (docs/rule-language.md has the grammar).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/byte_set.h"

namespace mailward {

// What a field's bytes are kept as.
enum class Capture : uint8_t {
  kUser,
  kPtr,
  kHelo,
  kSender,
  kRecipient,
  kMechanism,
  kReason,
  kService,
  kSession,
  kQueue,
  kPort,
  kCount,
  kHelper,  // which helper of the server wrote it (Rule::helper)
  kAddress,
  kNone,
};
inline constexpr size_t kCaptures = 14;
std::string_view name_of(Capture c);
std::optional<Capture> parse_capture(std::string_view name);
std::string nearest_capture(std::string_view name);  // of a name that is none: "; the nearest is `user`", or nothing

inline constexpr uint32_t kNoMaximum = UINT32_MAX;

// The language of a field. `kClass`: min to max bytes of `set`. `kAddress`: the same, and the bytes
// must be an IP address. `kPath`, `kQuoted`: the inside of an SMTP path, of a quoted string (set is
// unused). `kFree`: anything, cut by what stands around it.
struct Type {
  enum class Kind : uint8_t { kClass, kAddress, kPath, kQuoted, kFree };
  Kind kind = Kind::kClass;
  ByteSet set;
  uint32_t min = 1;
  uint32_t max = kNoMaximum;
  bool fixed() const { return min == max; }
  friend auto operator<=>(const Type&, const Type&) = default;
};

struct Element {
  enum class Kind : uint8_t {
    kLiteral,
    kOnce,  // a literal that occurs exactly once in the whole line
    kField,
    kChoice,  // one of the branches; an optional part is a choice with an empty branch
  };
  Kind kind = Kind::kLiteral;
  std::string text;  // kLiteral, kOnce
  Type type;         // kField
  Capture capture = Capture::kNone;
  std::vector<std::vector<Element>> branches;  // kChoice
};
using Pattern = std::vector<Element>;

struct NamedType {
  Type type;
  std::string evidence;  // how we know that the daemon writes nothing else; empty for built-in types
  std::string voided_by;
};

// What patterns of one file may refer to.
struct PatternScope {
  std::map<std::string, NamedType, std::less<>> types;
  std::map<std::string, std::string, std::less<>> macros;
};

std::map<std::string, NamedType, std::less<>> builtin_types();

// Errors name the column (from 1) in the text and what was expected.
Result<Pattern> parse_pattern(std::string_view text, const PatternScope& scope);

// `chars` of a type: bytes, ranges `a-z`, `\xHH`, `\\`, `\-`.
Result<ByteSet> parse_byte_set(std::string_view text);

}  // namespace mailward
