#include "log/byte_order_mark.h"

#include <algorithm>
#include <cstddef>

namespace mailward {
namespace {

constexpr size_t kLook = 64, kLeast = 16;  // bytes that must agree where no mark says it

bool is_printable(char c) { return (c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n'; }

// Of each two bytes, is the one at `zero` zero, and the other plain text?
bool alternates(std::string_view bytes, size_t zero) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    if (bytes[i + zero] != '\0' || !is_printable(bytes[i + 1 - zero])) return false;
  return true;
}

}  // namespace

std::string_view wide_encoding_of(std::string_view b) {
  if (b.starts_with("\xff\xfe")) return "UTF-16LE";
  if (b.starts_with("\xfe\xff")) return "UTF-16BE";
  const std::string_view look = b.substr(0, std::min(kLook, b.size() / 2 * 2));
  if (look.size() < kLeast) return {};
  if (alternates(look, 1)) return "UTF-16LE";
  if (alternates(look, 0)) return "UTF-16BE";
  return {};
}

}  // namespace mailward
