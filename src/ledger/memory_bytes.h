// What judging remembers (judge/live.h), as bytes.
#pragma once

#include <string>
#include <string_view>

#include "judge/live.h"

namespace mailward {

std::string encode_memory(const Memory& memory);
// False: the bytes are not whole.
bool decode_memory(std::string_view bytes, Memory& memory);

}  // namespace mailward
