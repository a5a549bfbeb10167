// The mark that some programs put before UTF-8 text, and text that is no UTF-8 at all.
#pragma once

#include <string_view>

namespace mailward {

// Takes the marks off the beginning of `text` (several: files that were put together); true if there was one.
inline bool take_byte_order_mark(std::string_view& text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (!text.starts_with(kMark)) return false;
  while (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return true;
}

// "UTF-16LE", "UTF-16BE" as iconv(1) calls them, where a text is told to be that by its first bytes: by
// a mark, or by ASCII of which every other byte is zero; empty: it is not.
std::string_view wide_encoding_of(std::string_view first_bytes);

}  // namespace mailward
