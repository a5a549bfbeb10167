#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "grammar/tree.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mailward {
namespace {

// Middles are cut by trying; a client who fills a line with separators must not buy time with it.
constexpr int kFuel = 4096;
constexpr int kMaxSolutions = 16;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Where a path or the inside of a quoted string ends: at the first stop byte outside quotes.
const char* end_of_path(const char* p, const char* end) {
  bool quoted = false;
  for (; p < end; ++p) {
    const char c = *p;
    if (quoted) {
      if (c == '\\') {
        if (++p >= end) return nullptr;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '>') {
      return p;
    }
  }
  return quoted ? nullptr : end;
}

const char* end_of_quoted(const char* p, const char* end) {
  for (; p < end; ++p) {
    if (*p == '\\') {
      if (++p >= end) return nullptr;
    } else if (*p == '"') {
      return p;
    }
  }
  return end;
}

// Sixteen hexadecimal digits? Eight at a time: no byte may be outside the two ranges.
inline bool is_hex8(uint64_t v) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL, kHigh = 0x8080808080808080ULL;
  // For bytes below 0x80: the high bit of (b + 0x80 - low) says b >= low, that of (b + 0x7f - high) b > high.
  const uint64_t letters = v | kOnes * 0x20;
  const uint64_t digit = (v + kOnes * (0x80 - '0')) & ~(v + kOnes * (0x7f - '9'));
  const uint64_t letter = (letters + kOnes * (0x80 - 'a')) & ~(letters + kOnes * (0x7f - 'f'));
  return ((digit | letter) & ~v & kHigh) == kHigh;
}
inline bool is_hex16(const char* p) { return is_hex8(load8(p)) && is_hex8(load8(p + 8)); }

}  // namespace

// May an address go on with this byte?
inline bool goes_on(char c) { return c == '.' || c == ':' || is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// From `p` to the left, as far as the class goes; not beyond `floor`.
inline const char* scan_back_bytewise(const char* p, const char* floor, const ClassTable& c) {
  while (p > floor && c.table[static_cast<uint8_t>(p[-1])]) --p;
  return p;
}

namespace plain {
inline const char* scan_field_class_back(const char* p, const char* floor, const ClassRows&, const ClassTable& c) {
  return scan_back_bytewise(p, floor, c);
}
inline bool all_hex16(const char* p) { return is_hex16(p); }
inline const char* scan_field_class(const char* p, const char* end, const ClassRows&, const ClassTable& c) {
  return scan_class(p, end, c);
}

// A dotted quad that ends where no byte of an address follows: most addresses. Null: look closer. The
// bytes behind `end` may be read, the end is checked last.
inline const char* read_ipv4(const char* p, const char* end, Address& out) {
  uint32_t value = 0;
  for (int part = 0;; ++part) {
    const char* const from = p;
    unsigned n = 0;
    for (; p - from < 3 && is_digit(*p); ++p) n = n * 10 + static_cast<unsigned>(*p - '0');
    if (p == from || n > 255 || (*from == '0' && p - from > 1)) return nullptr;
    value = value << 8 | n;
    if (part == 3) break;
    if (*p++ != '.') return nullptr;
  }
  if (p > end || (p < end && goes_on(*p))) return nullptr;
  out = Address::v4(value);
  return p;
}
#define MAILWARD_TARGET
#include "grammar/tree_walk.inc"
#undef MAILWARD_TARGET
}  // namespace plain

#if defined(__x86_64__)
// The same walk for processors of the last decade: 32 bytes at a time.
namespace wide {
#define MAILWARD_TARGET __attribute__((target("avx2,bmi,bmi2")))
MAILWARD_TARGET inline bool equal_upto32(const char* a, const char* b, uint32_t n) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
  const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
  const auto equal = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, y)));
  return _bzhi_u32(~equal, n) == 0;
}

alignas(32) constexpr uint8_t kBitOfHigh[32] = {1, 2, 4, 8, 16, 32, 64, 128, 0,  0,  0,  0,
                                                0, 0, 0, 0, 1,  2,  4,  8,   16, 32, 64, 128};

MAILWARD_TARGET inline bool all_hex16(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i digits = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
  const __m128i letters = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
  const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
  const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letters, _mm_set1_epi8(5)), letters);
  return _mm_movemask_epi8(_mm_or_si128(is_digit, is_letter)) == 0xffff;
}

// The way of ClassTable::low, see class_scan.h; a byte of 0x80 and more looks up a zero.
MAILWARD_TARGET inline const char* scan_field_class(const char* p, const char* end, const ClassRows& c,
                                                    const ClassTable&) {
  const __m256i low = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(c.low.data())));
  const __m256i bit_of_high = _mm256_load_si256(reinterpret_cast<const __m256i*>(kBitOfHigh));
  for (; p < end; p += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i rows = _mm256_shuffle_epi8(low, bytes);
    const __m256i bits =
        _mm256_shuffle_epi8(bit_of_high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15)));
    auto outside = static_cast<uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(rows, bits), _mm256_setzero_si256())));
    outside &= ~(static_cast<uint32_t>(_mm256_movemask_epi8(bytes)) & c.high);
    if (outside) {
      p += _tzcnt_u32(outside);
      return p < end ? p : end;
    }
  }
  return end;
}

MAILWARD_TARGET inline const char* scan_field_class_back(const char* p, const char* floor, const ClassRows& c,
                                                         const ClassTable&) {
  const __m256i low = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(c.low.data())));
  const __m256i bit_of_high = _mm256_load_si256(reinterpret_cast<const __m256i*>(kBitOfHigh));
  while (p > floor) {
    const auto n = static_cast<uint32_t>(p - floor < 32 ? p - floor : 32);
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p - n));
    const __m256i rows = _mm256_shuffle_epi8(low, bytes);
    const __m256i bits =
        _mm256_shuffle_epi8(bit_of_high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15)));
    auto outside = static_cast<uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(rows, bits), _mm256_setzero_si256())));
    outside &= ~(static_cast<uint32_t>(_mm256_movemask_epi8(bytes)) & c.high);
    outside = _bzhi_u32(outside, n);
    if (outside) return p - n + std::bit_width(outside);
    p -= n;
  }
  return p;
}

// By the lengths of the four numbers: where each digit goes, so that all four are computed at once.
struct QuadShuffles {
  alignas(16) uint8_t at[81][16];
  constexpr QuadShuffles() : at{} {
    for (int k = 0; k < 81; ++k) {
      const int length[4] = {k / 27 + 1, k / 9 % 3 + 1, k / 3 % 3 + 1, k % 3 + 1};
      int from = 0;
      for (int part = 0; part < 4; ++part) {
        for (int i = 0; i < 4; ++i) {
          const int digit = i - (4 - length[part]);
          at[k][part * 4 + i] = static_cast<uint8_t>(digit < 0 ? 0x80 : from + digit);
        }
        from += length[part] + 1;
      }
    }
  }
};
constexpr QuadShuffles kQuadShuffles;

// No branch but one at the end: how long the numbers are can't be guessed.
MAILWARD_TARGET __attribute__((always_inline)) inline const char* read_ipv4(const char* p, const char* end,
                                                                            Address& out) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i values = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
  const auto digits =
      static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)));
  uint32_t dots = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'))));
  const uint32_t stop = _tzcnt_u32(~(digits | dots));  // 16: none
  dots = _bzhi_u32(dots, stop);
  const uint32_t zeros = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(values, _mm_setzero_si128())));
  const uint32_t leading = zeros & (dots << 1 | 1) & digits >> 1;  // a zero, and a digit after it
  const uint32_t first = _tzcnt_u32(dots), rest = _blsr_u32(dots);
  const uint32_t second = _tzcnt_u32(rest), third = _tzcnt_u32(_blsr_u32(rest));
  // A number has one to three digits: one less is below three. (Fewer than three dots give huge lengths.)
  const uint32_t a = first - 1, b = second - first - 2, c = third - second - 2, d = stop - third - 2;
  const bool odd =
      (_blsr_u32(_blsr_u32(rest)) != 0) | (leading != 0) | (a > 2) | (b > 2) | (c > 2) | (d > 2) | (p + stop > end);
  if (odd || (p + stop < end && goes_on(p[stop]))) return nullptr;
  const __m128i order = _mm_load_si128(reinterpret_cast<const __m128i*>(kQuadShuffles.at[a * 27 + b * 9 + c * 3 + d]));
  const __m128i parted = _mm_shuffle_epi8(values, order);
  const __m128i pairs = _mm_maddubs_epi16(parted, _mm_set1_epi32(0x010a6400));
  const __m128i sums = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
  if (_mm_movemask_epi8(_mm_cmpgt_epi32(sums, _mm_set1_epi32(255)))) return nullptr;
  const __m128i packed =
      _mm_shuffle_epi8(sums, _mm_setr_epi8(12, 8, 4, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
  out = Address::v4(static_cast<uint32_t>(_mm_cvtsi128_si32(packed)));
  return p + stop;
}
#include "grammar/tree_walk.inc"
MAILWARD_TARGET static bool match(const Tree& tree, uint32_t root, const char* begin, const char* end, Match& m) {
  Walk walk(tree, begin, end, m);
  return walk.straight() || walk.run(root);
}
#undef MAILWARD_TARGET
}  // namespace wide

namespace {
bool has_wide() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
const bool kWide = has_wide();
}  // namespace

bool Tree::match(const char* begin, const char* end, Match& m) const {
  return kWide ? wide::match(*this, root_, begin, end, m) : match_plain(begin, end, m);
}
#else
bool Tree::match(const char* begin, const char* end, Match& m) const { return match_plain(begin, end, m); }
#endif

bool Tree::match_plain(const char* begin, const char* end, Match& m) const {
  plain::Walk walk(*this, begin, end, m);
  return walk.straight() || walk.run(root_);
}

}  // namespace mailward
