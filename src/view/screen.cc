#include "view/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"

namespace mailward {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Text that for_terminal has made (valid UTF-8, nothing unsafe), its characters beyond ASCII spelled out.
// The ellipsis is ours, so it becomes "~".
std::string spelled_out(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t code = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (size_t k = 1; k < length && i + k < text.size(); ++k) {
      code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
    }
    out += length == 1 ? std::string(1, text[i]) : fmt::format("\\u{{{:x}}}", code);
    i += length;
  }
  return out;
}

}  // namespace

std::string format_local(Instant t, const LocalTime& local, size_t length) {
  if (!has_time(t)) return "-";
  if (local.offset) t += local.offset(t);
  std::string text = format_instant(t, false);
  if (size_t at = text.find('T'); at != std::string::npos) text[at] = ' ';
  return text.substr(0, length);
}

std::string for_screen(std::string_view text, size_t columns, Charset charset) {
  if (charset == Charset::kUtf8) return for_terminal(text, columns);
  std::string all = spelled_out(for_terminal(text, columns + 1));  // one more: is there more than fits?
  if (all.size() <= columns) return all;
  all.resize(columns > 0 ? columns - 1 : 0);
  // An escape that was cut in two says nothing.
  if (size_t at = all.rfind('\\'); at != std::string::npos && all.size() - at < 10 && at > 0) {
    const bool whole = all.compare(at, 2, "\\x") == 0 ? all.size() - at >= 4 : all.find('}', at) != std::string::npos;
    if (!whole) all.resize(at);
  }
  if (columns > 0) all += '~';
  return all;
}

std::string login_for_screen(std::string_view name, size_t columns, Charset charset) {
  if (!name.empty() && name.find_first_of(" ,;\"") == std::string_view::npos) return for_screen(name, columns, charset);
  return '"' + for_screen(name, columns - std::min<size_t>(columns, 2), charset) + '"';
}

std::string shell_word(std::string_view text, Charset charset) {
  constexpr size_t kLongest = 4096;
  if (text.size() > kLongest || for_terminal(text, kLongest) != text) return "";
  if (charset == Charset::kAscii && !is_ascii(text)) return "";
  constexpr std::string_view kSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos) return std::string(text);
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string grouped(unsigned long long n) {
  std::string digits = fmt::to_string(n);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string counted(unsigned long long n, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(n), noun, n == 1 ? "" : "s");
}

std::string format_bytes(unsigned long long bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) return counted(bytes, "byte");
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string padded(std::string text, size_t columns) {
  const size_t width = width_of(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

// Of the first word; what stands between `ticks` is one word, for a command must not be broken.
static size_t word_end(std::string_view text) {
  const size_t blank = std::min(text.find(' '), text.size());
  const size_t tick = text.substr(0, blank).find('`');
  if (tick == std::string_view::npos) return blank;
  const size_t close = text.find('`', tick + 1);
  return close == std::string_view::npos ? blank : std::min(text.find(' ', close), text.size());
}

std::string wrapped(std::string_view text, size_t width, std::string_view indent) {
  std::string out;
  size_t used = 0;
  while (!text.empty()) {
    const size_t blank = word_end(text);
    const std::string_view word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    const size_t columns = width_of(word);
    if (used > 0 && used + 1 + columns > width) {
      out += '\n';
      out += indent;
      used = width_of(indent);
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += columns;
  }
  return out;
}

std::string styled(std::string_view text, Style style, const Screen& screen) {
  constexpr std::array<std::string_view, 5> kStart{"", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m"};
  if (!screen.color || style == Style::kPlain || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", kStart[static_cast<size_t>(style)], text);
}

}  // namespace mailward
