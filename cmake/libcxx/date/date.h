// Stands in for the date library under libc++, whose <chrono> has its types, functions and time
// zones by the same names (the standard took them from that library). Debian's compiled libdate-tz
// speaks libstdc++'s ABI, and libstdc++ 12 has no time zones of its own.
#pragma once

#include <chrono>

namespace date = std::chrono;
