#include "cli/terminal.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace mailward {
namespace {

std::string_view variable(const Surroundings& surroundings, const char* name) {
  const char* value = surroundings.environment ? surroundings.environment(name) : nullptr;
  return value ? value : "";
}

size_t width_of_screen(const Surroundings& surroundings) {
  const std::string_view columns = variable(surroundings, "COLUMNS");
  size_t width = 0;
  std::from_chars(columns.data(), columns.data() + columns.size(), width);
  if (width == 0) width = surroundings.width;
  if (width == 0) width = 80;
  return std::clamp<size_t>(width, 40, 400);
}

// Terminals that draw no block elements, or nothing but ASCII.
bool is_plain_terminal(std::string_view term) {
  constexpr std::array<std::string_view, 4> kPlain{"dumb", "linux", "cons25", "unknown"};
  return std::find(kPlain.begin(), kPlain.end(), term) != kPlain.end() || term.starts_with("vt");
}

}  // namespace

Surroundings surroundings_of(int descriptor) {
  Surroundings found;
  found.environment = [](const char* name) -> const char* { return std::getenv(name); };
  found.is_terminal = ::isatty(descriptor) == 1;
  winsize size{};
  if (found.is_terminal && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0) found.width = size.ws_col;
  found.utf8_locale = std::string_view(::nl_langinfo(CODESET)) == "UTF-8";
  return found;
}

Screen screen_of(const Surroundings& surroundings, ColorChoice color) {
  const std::string_view term = variable(surroundings, "TERM");
  Screen screen;
  screen.width = width_of_screen(surroundings);
  const bool plain = surroundings.is_terminal && is_plain_terminal(term);
  screen.charset = surroundings.utf8_locale && !plain ? Charset::kUtf8 : Charset::kAscii;
  const bool can =
      surroundings.is_terminal && !term.empty() && term != "dumb" && variable(surroundings, "NO_COLOR").empty();
  screen.color = color == ColorChoice::kAlways || (color == ColorChoice::kAuto && can);
  return screen;
}

}  // namespace mailward
