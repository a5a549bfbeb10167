#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace mailward {
namespace {

struct Range {
  uint32_t first, last;
};

// Characters that are valid and still not shown as they are. Sorted.
constexpr std::array<Range, 30> kUnsafe{{
    {0x0, 0x1f},      {0x7f, 0x9f},     {0xad, 0xad},     {0x300, 0x36f},     {0x483, 0x489},     {0x600, 0x605},
    {0x61c, 0x61c},   {0x6dd, 0x6dd},   {0x70f, 0x70f},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x2028, 0x202f},   {0x205f, 0x206f},   {0x20d0, 0x20ff},
    {0x3164, 0x3164}, {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xfffc}, {0xfffe, 0xffff}, {0x110bd, 0x110cd}, {0x1bca0, 0x1d17a}, {0xe0000, 0x10ffff},
}};

// Two columns wide (the ranges of UAX #11 that matter). Sorted.
constexpr std::array<Range, 12> kWide{{
    {0x1100, 0x115e},
    {0x2e80, 0x303e},
    {0x3041, 0x4dbf},
    {0x4e00, 0xa4cf},
    {0xac00, 0xd7a3},
    {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},
    {0xff00, 0xff60},
    {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f},
    {0x1f900, 0x1f9ff},
    {0x20000, 0x3fffd},
}};

template <size_t N>
bool within(const std::array<Range, N>& ranges, uint32_t c) {
  const auto at =
      std::lower_bound(ranges.begin(), ranges.end(), c, [](const Range& r, uint32_t v) { return r.last < v; });
  return at != ranges.end() && at->first <= c;
}

struct Character {
  uint32_t code = 0;
  size_t length = 1;
  bool valid = false;
};

// The character at the front of a text that is not empty (RFC 3629). A bad byte is one by itself.
Character decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {lead, 1, false};
  uint32_t code = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 1, false};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::array<uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {lead, 1, false};
  return {code, length, true};
}

// Text that every form takes as it is: most names are.
bool plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// One character as shown: itself, or its escape.
void append_shown(std::string& out, std::string_view text, const Character& c) {
  if (c.valid && !within(kUnsafe, c.code)) {
    out.append(text.substr(0, c.length));
  } else if (c.valid && c.code > 0x7f) {
    fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", c.code);
  } else {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", c.code);
  }
}

size_t columns_of(uint32_t code) { return within(kWide, code) ? 2 : 1; }

void append_unit(std::string& out, uint32_t unit) { fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit); }

void append_json_escape(std::string& out, uint32_t code) {
  switch (code) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (code < 0x10000) return append_unit(out, code);
  append_unit(out, 0xd800 + ((code - 0x10000) >> 10));
  append_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
}

}  // namespace

std::string for_terminal(std::string_view text, size_t columns) {
  if (text.size() <= columns && plain_ascii(text)) return std::string(text);
  std::string out;
  size_t used = 0;
  size_t cut_at = 0;  // length of `out` that leaves a column for the ellipsis
  while (!text.empty()) {
    const Character c = decode(text);
    const size_t before = out.size();
    append_shown(out, text, c);
    const bool shown = out.size() - before == c.length && c.valid;
    used += shown ? columns_of(c.code) : out.size() - before;
    if (used > columns) {
      out.resize(cut_at);
      if (columns > 0) out += kEllipsis;
      return out;
    }
    if (used < columns) cut_at = out.size();
    text.remove_prefix(c.length);
  }
  return out;
}

size_t width_of(std::string_view shown) {
  size_t columns = 0;
  while (!shown.empty()) {
    const Character c = decode(shown);
    columns += columns_of(c.code);
    shown.remove_prefix(c.length);
  }
  return columns;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    if (c.valid) {
      out.append(text.substr(0, c.length));
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c.code);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  if (plain_ascii(text) && text.find_first_of("\"\\") == std::string_view::npos) {
    out.append(text);
    out += '"';
    return;
  }
  while (!text.empty()) {
    const Character c = decode(text);
    if (!c.valid) {
      fmt::format_to(std::back_inserter(out), "\\\\x{:02x}", c.code);
    } else if (c.code == '"' || c.code == '\\' || within(kUnsafe, c.code)) {
      append_json_escape(out, c.code);
    } else {
      out.append(text.substr(0, c.length));
    }
    text.remove_prefix(c.length);
  }
  out += '"';
}

std::string for_csv(std::string_view text) {
  std::string cell;
  if (!text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos) cell += '\'';
  while (!text.empty()) {
    const Character c = decode(text);
    append_shown(cell, text, c);
    text.remove_prefix(c.length);
  }
  if (cell.find_first_of(",\";") == std::string::npos && (cell.empty() || (cell.front() != ' ' && cell.back() != ' ')))
    return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

}  // namespace mailward
