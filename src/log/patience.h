// How long a pipe is waited for when its first bytes are looked at (source.h): until a line is whole,
// until nothing came for a second, until the pipe has given all that was asked for or has ended. Regular
// files are never waited for.
#pragma once

#include <cstdint>

namespace mailward {

enum class Patience : uint8_t { kOneLine, kWhileItComes, kToTheEnd };

}  // namespace mailward
