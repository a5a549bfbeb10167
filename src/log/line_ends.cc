#include "log/line_ends.h"

#include <bit>

#include "base/wide.h"

namespace mailward {
namespace {

// Bits behind the end are no line ends.
inline uint64_t within(uint64_t mask, size_t left) { return left < 64 ? mask & ((uint64_t{1} << left) - 1) : mask; }

size_t find_plain(const char* p, size_t length, uint16_t* out) {
  uint16_t* const begin = out;
  for (size_t at = 0; at < length; at += 64) {
    const uint64_t all = equal_mask32(p + at, '\n') | uint64_t{equal_mask32(p + at + 32, '\n')} << 32;
    for (uint64_t ends = within(all, length - at); ends; ends &= ends - 1)
      *out++ = static_cast<uint16_t>(at + static_cast<size_t>(std::countr_zero(ends)));
  }
  return static_cast<size_t>(out - begin);
}

#if defined(MAILWARD_HAS_WIDE)
// The places of the bits of 64 bytes, behind `out`.
MAILWARD_WIDE inline uint16_t* put(size_t at, uint64_t ends, uint16_t* out) {
  // One is written whether it is there or not: more in 64 bytes are rare.
  *out = static_cast<uint16_t>(at + _tzcnt_u64(ends));
  out += ends != 0;
  for (ends = _blsr_u64(ends); ends != 0; ends = _blsr_u64(ends)) [[unlikely]]
    *out++ = static_cast<uint16_t>(at + _tzcnt_u64(ends));
  return out;
}

MAILWARD_WIDE size_t find_wide(const char* p, size_t length, uint16_t* out) {
  uint16_t* const begin = out;
  const __m256i feed = _mm256_set1_epi8('\n');
  const auto mask = [&](size_t at) MAILWARD_WIDE {
    return uint64_t{wide::mask_of(_mm256_cmpeq_epi8(wide::load32(p + at), feed))} |
           uint64_t{wide::mask_of(_mm256_cmpeq_epi8(wide::load32(p + at + 32), feed))} << 32;
  };
  size_t at = 0;
  for (; at + 64 <= length; at += 64) out = put(at, mask(at), out);
  if (at < length) out = put(at, within(mask(at), length - at), out);
  return static_cast<size_t>(out - begin);
}

MAILWARD_WIDER size_t find_wider(const char* p, size_t length, uint16_t* out) {
  uint16_t* const begin = out;
  const __m512i feed = _mm512_set1_epi8('\n');
  const auto mask = [&](size_t at) MAILWARD_WIDER { return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p + at), feed); };
  size_t at = 0;
  for (; at + 64 <= length; at += 64) out = put(at, mask(at), out);
  if (at < length) out = put(at, within(mask(at), length - at), out);
  return static_cast<size_t>(out - begin);
}
#endif

}  // namespace

std::vector<LineEnds::Find*> LineEnds::ways() {
  std::vector<Find*> ways;
#if defined(MAILWARD_HAS_WIDE)
  if (has_wider()) ways.push_back(find_wider);
  if (has_wide()) ways.push_back(find_wide);
#endif
  ways.push_back(find_plain);
  return ways;
}

LineEnds::Find* const LineEnds::kFind = ways().front();

}  // namespace mailward
