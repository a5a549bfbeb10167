// How far do the bytes of an alphabet go? The inner loop of matching fields: sixteen bytes at a
// time where the processor can look up sixteen bytes in a table of sixteen (SSSE3 on x86, found at
// run time; NEON on arm64), else byte by byte. Results are the same. The walk for AVX2 has a loop of
// its own over the same table, 32 bytes at a time (tree_match.cc).
#pragma once

#include <array>
#include <cstdint>

#include "grammar/byte_set.h"

namespace mailward {

struct ClassTable {
  // Bit h of low[n]: the byte h * 16 + n is in the set (h < 8). The way of "Faster Base64 Encoding
  // and Decoding Using AVX2 Instructions" (Mula, Lemire 2018), for any set of ASCII bytes.
  alignas(16) std::array<uint8_t, 16> low{};
  bool high = false;   // all bytes of 0x80 and more are in the set
  bool mixed = false;  // some of them are: only the table tells
  std::array<uint8_t, 256> table{};

  explicit ClassTable(const ByteSet& set) {
    int above = 0;
    for (unsigned c = 0; c < 256; ++c) {
      table[c] = set.has(static_cast<uint8_t>(c));
      if (c < 128)
        low[c & 15] = static_cast<uint8_t>(low[c & 15] | table[c] << (c >> 4));
      else
        above += table[c];
    }
    high = above == 128;
    mixed = above > 0 && above < 128;
  }
};

// The part of a ClassTable that looking sixteen bytes up needs, close together.
struct ClassRows {
  alignas(16) std::array<uint8_t, 16> low{};
  uint32_t high = 0;  // all bits, where all bytes of 0x80 and more are in the set
  explicit ClassRows(const ClassTable& c) : low(c.low), high(c.high ? ~0U : 0) {}
};

// The first byte of [p, end) that is not in the class, or `end`. Sixteen bytes after `end` must be
// readable.
using ClassScan = const char* (*)(const char* p, const char* end, const ClassTable& c);
extern const ClassScan kScanClass;

const char* scan_class_bytewise(const char* p, const char* end, const ClassTable& c);

}  // namespace mailward
