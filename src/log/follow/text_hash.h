// A hash of text whose writer doesn't know the key, and so can't make two texts look the same: SipHash-2-4
// (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). The same on every system, since it is stored.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace mailward {

class TextHash {
 public:
  TextHash(uint64_t key0, uint64_t key1)
      : v0_(key0 ^ 0x736f6d6570736575ULL),
        v1_(key1 ^ 0x646f72616e646f6dULL),
        v2_(key0 ^ 0x6c7967656e657261ULL),
        v3_(key1 ^ 0x7465646279746573ULL) {}

  uint64_t of(std::string_view text) {
    size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) take(load8(text.data() + at));
    uint64_t last = static_cast<uint64_t>(text.size()) << 56;
    for (size_t i = 0; at + i < text.size(); ++i) {
      last |= static_cast<uint64_t>(static_cast<unsigned char>(text[at + i])) << (8 * i);
    }
    take(last);
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void take(uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }
  uint64_t v0_, v1_, v2_, v3_;
};

inline uint64_t text_hash(uint64_t key, std::string_view text) { return TextHash(key, 0).of(text); }

}  // namespace mailward
