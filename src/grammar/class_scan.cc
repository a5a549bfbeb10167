#include "grammar/class_scan.h"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace mailward {

const char* scan_class_bytewise(const char* p, const char* end, const ClassTable& c) {
  while (p < end && c.table[static_cast<uint8_t>(*p)]) ++p;
  return p;
}

namespace {

#if defined(__x86_64__)

__attribute__((target("ssse3"))) const char* scan_class_ssse3(const char* p, const char* end, const ClassTable& c) {
  if (c.mixed) return scan_class_bytewise(p, end, c);
  const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(c.low.data()));
  const __m128i bit_of_high = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, static_cast<char>(128), 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i nibble = _mm_set1_epi8(15);
  for (; p < end; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i rows = _mm_shuffle_epi8(low, _mm_and_si128(bytes, nibble));
    const __m128i bits = _mm_shuffle_epi8(bit_of_high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
    auto outside =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(rows, bits), _mm_setzero_si128())));
    if (c.high) outside &= ~static_cast<unsigned>(_mm_movemask_epi8(bytes));
    if (outside) {
      p += std::countr_zero(outside);
      return p < end ? p : end;
    }
  }
  return end;
}

ClassScan choose() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("ssse3") ? scan_class_ssse3 : scan_class_bytewise;
}

#elif defined(__aarch64__)

const char* scan_class_neon(const char* p, const char* end, const ClassTable& c) {
  if (c.mixed) return scan_class_bytewise(p, end, c);
  const uint8x16_t low = vld1q_u8(c.low.data());
  static constexpr uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0};
  const uint8x16_t bit_of_high = vld1q_u8(kBits);
  for (; p < end; p += 16) {
    const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const uint8_t*>(p));
    const uint8x16_t rows = vqtbl1q_u8(low, vandq_u8(bytes, vdupq_n_u8(15)));
    const uint8x16_t bits = vqtbl1q_u8(bit_of_high, vshrq_n_u8(bytes, 4));
    uint8x16_t outside = vceqq_u8(vandq_u8(rows, bits), vdupq_n_u8(0));
    if (c.high) outside = vbicq_u8(outside, vcgeq_u8(bytes, vdupq_n_u8(0x80)));
    const uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(outside), 4)), 0);
    if (mask) {
      p += std::countr_zero(mask) / 4;
      return p < end ? p : end;
    }
  }
  return end;
}

ClassScan choose() { return scan_class_neon; }

#else

ClassScan choose() { return scan_class_bytewise; }

#endif

}  // namespace

const ClassScan kScanClass = choose();

}  // namespace mailward
