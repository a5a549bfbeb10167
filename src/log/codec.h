// Decompressors: one for each codec, a step at a time, with bounded memory. The codecs' own libraries
// rather than an archive library over them: their check sums are looked at, what was decoded before a
// fault is given out, and the memory that an archive may ask for is ours to say (docs/dependencies.md).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "log/source.h"

namespace mailward {

class Decompressor {
 public:
  enum class State : uint8_t {
    kRunning,    // wants more input, or more room
    kMemberEnd,  // a member is complete; another may follow
    kBroken,     // explain() says why
  };
  struct Step {
    size_t taken = 0;  // bytes of `in`
    size_t given = 0;  // bytes of `out`
    State state = State::kRunning;
  };

  virtual ~Decompressor() = default;
  virtual Step step(std::span<const char> in, std::span<char> out) = 0;
  // Why the archive is broken: the end of a sentence.
  const std::string& explain() const { return explain_; }

 protected:
  std::string explain_;
};

// Null for Compression::kNone.
std::unique_ptr<Decompressor> make_decompressor(Compression compression);

}  // namespace mailward
