// Small files, read whole.
#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace mailward {

// The first `most` bytes, or all that there are; then the stream is as istream::read() of `most` bytes leaves it.
// Block by block: room for `most` bytes would have to be filled first.
std::string read_up_to(std::istream& in, size_t most);

}  // namespace mailward
