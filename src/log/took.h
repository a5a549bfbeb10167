// What a reader made of one line.
#pragma once

#include <cstdint>

namespace mailward {

enum class Took : uint8_t {
  kRecord,        // the record is filled
  kNoHeader,      // no header of this form: count it as not understood
  kContinuation,  // part of the record before it, or nothing at all (an empty line): no record
};

}  // namespace mailward
