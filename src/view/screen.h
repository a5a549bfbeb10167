// What the reader's terminal can show, and text made to fit it. Handed in by the caller: a view asks
// neither the environment nor the terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/instant.h"

namespace mailward {

enum class Charset { kAscii, kUtf8 };

struct Screen {
  size_t width = 80;  // columns
  Charset charset = Charset::kUtf8;
  bool color = false;
};

// Times as the reader wants to see them.
struct LocalTime {
  std::function<std::chrono::seconds(Instant)> offset;  // from UTC; empty: UTC
  std::string zone = "UTC";
};

// "2026-03-09 08:55:42" (`length` bytes of it) in local time; "-" where there is none.
std::string format_local(Instant t, const LocalTime& local, size_t length);

// Log text for this screen, at most `columns` wide: base/text.h's for_terminal, and in an ASCII
// terminal all other characters as \u{e9}.
std::string for_screen(std::string_view text, size_t columns, Charset charset);

// A login name as one item of a list: in quotes where it holds what separates items.
std::string login_for_screen(std::string_view name, size_t columns, Charset charset);

// One word of a shell's command line, quoted where needed; empty where the word holds what can't be
// shown, for then it can't be typed either.
std::string shell_word(std::string_view text, Charset charset);

std::string grouped(unsigned long long n);                         // "25,301"
std::string counted(unsigned long long n, std::string_view noun);  // "1 line", "25,301 lines"
std::string format_bytes(unsigned long long bytes);                // "12.3 MB"

// `text` padded with blanks to `columns`.
std::string padded(std::string text, size_t columns);

// Breaks at blanks; lines after the first begin with `indent`. A word that is too long stays whole.
std::string wrapped(std::string_view text, size_t width, std::string_view indent);

// Colours, used sparingly: the terminal's own, so that they fit dark and light.
enum class Style { kPlain, kBold, kDim, kAlarm, kCaution };
std::string styled(std::string_view text, Style style, const Screen& screen);

}  // namespace mailward
