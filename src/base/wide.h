// Instructions of wider processors, chosen at run time: AVX2 with BMI, which x86-64 has had since 2013.
// A hot path that gains by them stands in a file of its own (*.inc) and is included twice: in namespace
// plain, and, with MAILWARD_TARGET as MAILWARD_WIDE, in namespace wide. Elsewhere there is plain only.
//
// Functions with MAILWARD_WIDE may be called only where has_wide() is true; the compiler inlines
// them only into one another.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MAILWARD_HAS_WIDE 1
#define MAILWARD_WIDE __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define MAILWARD_WIDER __attribute__((target("avx512bw,bmi,bmi2,popcnt")))  // where has_wider()
#endif

namespace mailward {

// False also where the environment has MAILWARD_PLAIN: so tests see both ways on one machine.
inline bool has_wide() {
#if defined(MAILWARD_HAS_WIDE)
  if (std::getenv("MAILWARD_PLAIN")) return false;
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
#else
  return false;
#endif
}

// And 64 bytes at a time, compared into a mask?
inline bool has_wider() {
#if defined(MAILWARD_HAS_WIDE)
  return has_wide() && __builtin_cpu_supports("avx512bw");
#else
  return false;
#endif
}

namespace plain {
using mailward::equal_mask32;
using mailward::equal_upto32;

// Bit i: a ']' stands at p[i]; for 31 bytes, and the 32nd is anything.
inline uint32_t brackets31(const char* p) { return equal_mask32(p, ']'); }
// Bit i: a '[' stands at p[i], or ": "; for 32 bytes.
inline uint32_t tag_ends32(const char* p) {
  return equal_mask32(p, '[') | (equal_mask32(p, ':') & equal_mask32(p + 1, ' '));
}
}  // namespace plain

#if defined(MAILWARD_HAS_WIDE)
namespace wide {

MAILWARD_WIDE inline __m256i load32(const char* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
MAILWARD_WIDE inline uint32_t mask_of(__m256i bytes) { return static_cast<uint32_t>(_mm256_movemask_epi8(bytes)); }

// As those of bytes.h.
MAILWARD_WIDE inline bool equal_upto32(const char* a, const char* b, uint32_t n) {
  return _bzhi_u32(~mask_of(_mm256_cmpeq_epi8(load32(a), load32(b))), n) == 0;
}
MAILWARD_WIDE inline uint32_t equal_mask32(const char* p, char c) {
  return mask_of(_mm256_cmpeq_epi8(load32(p), _mm256_set1_epi8(c)));
}
// (The last byte differs, so that the compiler loads them instead of building them anew each time.)
alignas(32) inline constexpr char kBrackets[] = "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]";
MAILWARD_WIDE inline uint32_t brackets31(const char* p) {
  return mask_of(_mm256_cmpeq_epi8(load32(p), _mm256_load_si256(reinterpret_cast<const __m256i*>(kBrackets))));
}
MAILWARD_WIDE inline uint32_t tag_ends32(const char* p) {
  const __m256i bytes = load32(p);
  const __m256i colons = _mm256_and_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(':')),
                                          _mm256_cmpeq_epi8(load32(p + 1), _mm256_set1_epi8(' ')));
  return mask_of(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('[')), colons));
}

}  // namespace wide
#endif

}  // namespace mailward
