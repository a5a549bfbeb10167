// What standard output and error are connected to: asked once, before the process locks itself in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "view/screen.h"

namespace mailward {

enum class ColorChoice { kAuto, kAlways, kNever };

// The part of the world that decides about looks; a test hands in its own.
struct Surroundings {
  std::function<const char*(const char*)> environment;  // getenv
  bool is_terminal = false;
  size_t width = 0;          // of the terminal; 0: unknown
  bool utf8_locale = false;  // the codeset of LC_CTYPE
};

Surroundings surroundings_of(int descriptor);

// UTF-8 where the locale has it and the terminal's font is not known to lack block elements; colour
// on terminals that can, unless $NO_COLOR is set (no-color.org) or the choice says otherwise. Width:
// $COLUMNS, else the terminal's, else 80; at least 40.
Screen screen_of(const Surroundings& surroundings, ColorChoice color);

}  // namespace mailward
