#include "base/read_up_to.h"

#include <algorithm>

namespace mailward {

std::string read_up_to(std::istream& in, size_t most) {
  std::string text;
  char block[16384];
  while (in && text.size() < most) {
    in.read(block, static_cast<std::streamsize>(std::min(sizeof block, most - text.size())));
    text.append(block, static_cast<size_t>(in.gcount()));
  }
  return text;
}

}  // namespace mailward
