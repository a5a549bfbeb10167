// Words of bytes at once, for the header's hot path. Little and big endian give the same answers.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace mailward {

inline uint32_t load4(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  if constexpr (std::endian::native == std::endian::big) v = __builtin_bswap32(v);
  return v;
}

// The first byte is the lowest.
inline uint64_t load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  if constexpr (std::endian::native == std::endian::big) v = __builtin_bswap64(v);
  return v;
}

inline constexpr uint64_t kOnes = 0x0101'0101'0101'0101ULL;
inline constexpr uint64_t kHighs = 0x8080'8080'8080'8080ULL;

// The high bit of each byte that is no decimal digit.
inline uint64_t non_digits(uint64_t v) {
  const uint64_t x = v ^ (kOnes * '0');
  return (x | ((x & ~kHighs) + kOnes * 0x76)) & kHighs;
}

// Eight decimal digits, the first the highest.
inline uint32_t eight_digits(uint64_t v) {
  v = (v & (kOnes * 0x0f)) * 2561 >> 8;
  v = (v & 0x00ff'00ff'00ff'00ffULL) * 6553601 >> 16;
  return static_cast<uint32_t>((v & 0x0000'ffff'0000'ffffULL) * 42949672960001ULL >> 32);
}

// The first `n` (1 to 8) bytes of `v` as a number; they must be digits.
inline uint32_t few_digits(uint64_t v, unsigned n) { return eight_digits(v << (64 - 8 * n)); }

// Bit i: p[i] == c, for 32 bytes.
inline uint32_t equal_mask32(const char* p, char c) {
#if defined(__SSE2__)
  const __m128i want = _mm_set1_epi8(c);
  const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16));
  const auto low = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, want)));
  const auto high = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(b, want)));
  return low | high << 16;
#else
  uint32_t mask = 0;
  for (int i = 0; i < 32; i += 8) {
    const uint64_t x = load8(p + i) ^ (kOnes * static_cast<uint8_t>(c));
    const uint64_t zero = ~(((x & ~kHighs) + ~kHighs) | x) & kHighs;  // exact, unlike the shorter form
    mask |= static_cast<uint32_t>((zero >> 7) * 0x0102'0408'1020'4080ULL >> 56) << i;
  }
  return mask;
#endif
}

// Do the first `n` (up to 32) bytes agree? Both sides must have 32 readable bytes.
inline bool equal_upto32(const char* a, const char* b, unsigned n) {
#if defined(__SSE2__)
  const auto load = [](const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  const auto low = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(load(a), load(b))));
  const auto high = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(load(a + 16), load(b + 16))));
  const uint64_t different = ~uint64_t{low | high << 16};
  return (different & ((uint64_t{1} << n) - 1)) == 0;
#else
  return std::memcmp(a, b, n) == 0;
#endif
}

}  // namespace mailward
