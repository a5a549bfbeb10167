#include <bit>
#include <cstring>

#include "base/inline.h"
#include "base/wide.h"
#include "grammar/tree.h"

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

// From `p` to the left, as far as the class goes; not beyond `floor`.
inline const char* scan_back_bytewise(const char* p, const char* floor, const ClassTable& c) {
  while (p > floor && c.table[static_cast<uint8_t>(p[-1])]) --p;
  return p;
}

namespace plain {
inline const char* scan_field_class_back(const char* p, const char* floor, const ClassRows&, const ClassTable& c) {
  return scan_back_bytewise(p, floor, c);
}
inline bool all_in_class16(const char* p, const ClassRows&) { return is_hex16(p); }
inline const char* scan_field_class(const char* p, const char* end, const ClassRows&, const ClassTable& c) {
  return kScanClass(p, end, c);
}

// A dotted quad: most addresses. Null: look closer. What the next step begins with is never a byte of an
// address (Cells::give_back() sees to it), so one that goes on here fails there. The bytes behind `end`
// may be read, the end is checked last.
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
  if (p > end) return nullptr;
  out = Address::v4(value);
  return p;
}
inline const char* read_ipv6(const char*, const char*, Address&) { return nullptr; }  // parse_address() reads it
#define MAILWARD_TARGET
#include "grammar/tree_walk.inc"
#undef MAILWARD_TARGET
}  // namespace plain

#if defined(MAILWARD_HAS_WIDE)
// The same walk, 32 bytes at a time.
namespace wide {
#define MAILWARD_TARGET MAILWARD_WIDE
alignas(32) constexpr uint8_t kBitOfHigh[32] = {1, 2, 4, 8, 16, 32, 64, 128, 0,  0,  0,  0,
                                                0, 0, 0, 0, 1,  2,  4,  8,   16, 32, 64, 128};

// The way of ClassTable::low, see class_scan.h; a byte of 0x80 and more looks up a zero.
// What of a byte's high half, shifted down, is an index: a shuffle looks at the four low bits and the
// highest only, so the others may differ; then the compiler loads this instead of building it anew.
alignas(32) constexpr uint8_t kIndex[32] = {0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x0f, 0x0f, 0x7f, 0x0f,
                                            0x7f, 0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x7f,
                                            0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x7f, 0x0f, 0x0f};

MAILWARD_TARGET inline uint32_t outside_class(__m256i bytes, const ClassRows& c) {
  const __m256i low = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(c.low.data())));
  const __m256i bit_of_high = _mm256_load_si256(reinterpret_cast<const __m256i*>(kBitOfHigh));
  const __m256i rows = _mm256_shuffle_epi8(low, bytes);
  const __m256i bits = _mm256_shuffle_epi8(
      bit_of_high,
      _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_load_si256(reinterpret_cast<const __m256i*>(kIndex))));
  const auto outside = static_cast<uint32_t>(
      _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(rows, bits), _mm256_setzero_si256())));
  return outside & ~(static_cast<uint32_t>(_mm256_movemask_epi8(bytes)) & c.high);
}

// Sixteen bytes of a class of ASCII bytes only?
MAILWARD_TARGET inline bool all_in_class16(const char* p, const ClassRows& c) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i rows = _mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(c.low.data())), bytes);
  const __m128i bits = _mm_shuffle_epi8(
      _mm_load_si128(reinterpret_cast<const __m128i*>(kBitOfHigh)),
      _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_load_si128(reinterpret_cast<const __m128i*>(kIndex))));
  return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(rows, bits), _mm_setzero_si128())) == 0;
}

MAILWARD_TARGET inline const char* scan_field_class(const char* p, const char* end, const ClassRows& c,
                                                    const ClassTable&) {
  for (; p < end; p += 32) {
    const uint32_t outside = outside_class(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), c);
    if (outside) {
      p += _tzcnt_u32(outside);
      return p < end ? p : end;
    }
  }
  return end;
}

MAILWARD_TARGET inline const char* scan_field_class_back(const char* p, const char* floor, const ClassRows& c,
                                                         const ClassTable&) {
  while (p > floor) {
    const auto n = static_cast<uint32_t>(p - floor < 32 ? p - floor : 32);
    uint32_t outside = outside_class(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p - n)), c);
    outside = _bzhi_u32(outside, n);
    if (outside) return p - n + std::bit_width(outside);
    p -= n;
  }
  return p;
}

// Where the numbers of a dotted quad end (a bit for each dot, and one for the end) says where each digit
// goes, so that all four are computed at once. The 81 ways are found by a hash without collisions.
struct QuadShapes {
  struct alignas(32) Shape {
    uint8_t from[16];  // four bytes for each number: nothing, hundreds, tens, ones
    uint32_t ends;     // 0: no shape
    uint32_t leading;  // first digits of numbers that have more than one: never a zero
  };
  static constexpr uint32_t place(uint32_t ends) { return ends * 0xa9a2122d >> 24; }
  Shape of[256];
  bool apart = true;
  constexpr QuadShapes() : of{} {
    for (int k = 0; k < 81; ++k) {
      const int length[4] = {k / 27 + 1, k / 9 % 3 + 1, k / 3 % 3 + 1, k % 3 + 1};
      Shape shape{};
      int from = 0;
      for (int part = 0; part < 4; ++part) {
        for (int i = 0; i < 4; ++i) {
          const int digit = i - (4 - length[part]);
          shape.from[part * 4 + i] = static_cast<uint8_t>(digit < 0 ? 0x80 : from + digit);
        }
        if (length[part] > 1) shape.leading |= 1U << from;
        from += length[part];
        shape.ends |= 1U << from++;
      }
      apart = apart && of[place(shape.ends)].ends == 0;
      of[place(shape.ends)] = shape;
    }
  }
};
constexpr QuadShapes kQuadShapes;
static_assert(kQuadShapes.apart);

// The last byte of each differs: an address is shorter, so it does no harm, and the compiler loads what
// it would otherwise build anew each time.
alignas(16) constexpr uint8_t kZeros[16] = {48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 49};
alignas(16) constexpr uint8_t kNines[16] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8};
alignas(16) constexpr uint8_t kDots[16] = {46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 47};

// No loop, and no branch but one at the end: how long the numbers are can't be guessed.
MAILWARD_TARGET __attribute__((always_inline)) inline const char* read_ipv4(const char* p, const char* end,
                                                                            Address& out) {
  const auto constant = [](const uint8_t* c)
                            MAILWARD_TARGET { return _mm_load_si128(reinterpret_cast<const __m128i*>(c)); };
  const auto mask = [](__m128i bytes) MAILWARD_TARGET { return static_cast<uint32_t>(_mm_movemask_epi8(bytes)); };
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i values = _mm_sub_epi8(bytes, constant(kZeros));
  const uint32_t digits = mask(_mm_cmpeq_epi8(_mm_min_epu8(values, constant(kNines)), values));
  const uint32_t dots = mask(_mm_cmpeq_epi8(bytes, constant(kDots)));
  const uint32_t stop = _tzcnt_u32(~(digits | dots));  // 16: none
  const uint32_t ends = _bzhi_u32(dots, stop) | 1U << stop;
  const QuadShapes::Shape& shape = kQuadShapes.of[QuadShapes::place(ends)];
  const uint32_t zeros = mask(_mm_cmpeq_epi8(values, _mm_setzero_si128()));
  p += stop;
  if (((shape.ends ^ ends) | (zeros & shape.leading)) != 0 || p > end) return nullptr;
  const __m128i parted = _mm_shuffle_epi8(values, constant(shape.from));
  const __m128i pairs = _mm_maddubs_epi16(parted, _mm_set1_epi32(0x010a6400));
  const __m128i sums = _mm_add_epi16(pairs, _mm_srli_epi32(pairs, 16));
  const __m128i packed =
      _mm_shuffle_epi8(sums, _mm_setr_epi8(12, 8, 4, 0, 13, 9, 5, 1, -1, -1, -1, -1, -1, -1, -1, -1));
  const auto value = static_cast<uint64_t>(_mm_cvtsi128_si64(packed));
  if (value >> 32 != 0) return nullptr;  // a number above 255
  out = Address::v4(static_cast<uint32_t>(value));
  return p;
}

// RFC 4291 2.2, without a dotted quad, where no byte of an address follows. Null: look closer. Behind
// `p` 48 bytes are readable; that the address ends before `end` is checked.
MAILWARD_TARGET inline const char* read_ipv6(const char* p, const char* end, Address& out) {
  alignas(32) char nibbles[64];
  uint64_t digits = 0, colons = 0;
  for (int half = 0; half < 2; ++half) {
    // The second half begins at 16: what it says of bytes that the first has seen is the same.
    const int at = half * 16;
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + at));
    const __m256i numbers = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
    const __m256i letters = _mm256_sub_epi8(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
    const __m256i is_number = _mm256_cmpeq_epi8(_mm256_min_epu8(numbers, _mm256_set1_epi8(9)), numbers);
    const __m256i is_letter = _mm256_cmpeq_epi8(_mm256_min_epu8(letters, _mm256_set1_epi8(5)), letters);
    const __m256i values = _mm256_add_epi8(_mm256_and_si256(bytes, _mm256_set1_epi8(15)),
                                           _mm256_and_si256(is_letter, _mm256_set1_epi8(9)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(nibbles + at), values);
    const auto is_digit = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(is_number, is_letter)));
    const auto is_colon = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(':'))));
    digits |= uint64_t{is_digit} << at;
    colons |= uint64_t{is_colon} << at;
  }
  const uint64_t stop = _tzcnt_u64(~(digits | colons));
  if (stop < 2 || stop > 39 || p + stop > end || p[stop] == '.') return nullptr;
  digits = _bzhi_u64(digits, static_cast<uint32_t>(stop));
  colons = _bzhi_u64(colons, static_cast<uint32_t>(stop));
  const uint64_t gap = colons & colons >> 1;  // where "::" begins
  const uint64_t starts = digits & ~(digits << 1);
  const auto groups = static_cast<unsigned>(std::popcount(starts));
  // A single colon neither begins nor ends it; a group has at most four digits; one gap, of one group at least.
  const uint64_t edges = (uint64_t{1} | uint64_t{1} << (stop - 1)) & colons & ~(gap | gap << 1);
  const uint64_t long_group = digits & digits >> 1 & digits >> 2 & digits >> 3 & digits >> 4;
  if ((edges | long_group | (gap & (gap - 1))) != 0 || (gap ? groups > 7 : groups != 8)) return nullptr;
  const uint64_t before_gap = gap ? gap - 1 : ~uint64_t{0};
  unsigned __int128 value = 0;
  const auto take = [&](uint64_t which) MAILWARD_TARGET {
    for (; which; which &= which - 1) {
      const auto from = static_cast<uint32_t>(_tzcnt_u64(which));
      const auto length = static_cast<uint32_t>(_tzcnt_u64(~(digits >> from)));
      uint32_t word;
      std::memcpy(&word, nibbles + from, 4);
      value = value << 16 | _pext_u32(__builtin_bswap32(word) >> (32 - 8 * length), 0x0f0f0f0f);
    }
  };
  take(starts & before_gap);
  if (gap) {
    if (groups > 0) value <<= 16 * (8 - groups);
    take(starts & ~before_gap);
  }
  out = Address{static_cast<uint64_t>(value >> 64), static_cast<uint64_t>(value)};
  return p + stop;
}
#include "grammar/tree_walk.inc"
MAILWARD_TARGET static bool match_nodes(const Tree& tree, uint32_t root, const char* begin, const char* end, Match& m) {
  return Walk(tree, begin, end, m).run(root);
}
#undef MAILWARD_TARGET
}  // namespace wide

static const bool kWide = has_wide();

bool Tree::match_straight(uint32_t start, const char* begin, const char* end, Match& m) const {
  return kWide ? wide::Walk::straight(*this, start, begin, end, m) : plain::Walk::straight(*this, start, begin, end, m);
}

bool Tree::match(const char* begin, const char* end, Match& m) const {
  return match_straight(straight_start(begin), begin, end, m) ||
         (kWide ? wide::match_nodes(*this, root_, begin, end, m) : match_plain(begin, end, m));
}
#else
bool Tree::match_straight(uint32_t start, const char* begin, const char* end, Match& m) const {
  return plain::Walk::straight(*this, start, begin, end, m);
}

bool Tree::match(const char* begin, const char* end, Match& m) const {
  return match_straight(straight_start(begin), begin, end, m) || match_plain(begin, end, m);
}
#endif

bool Tree::match_plain(const char* begin, const char* end, Match& m) const {
  return plain::Walk(*this, begin, end, m).run(root_);
}

Tree Tree::passing_all() {
  Tree t;
  t.straights_.passed = {0, 0};
  t.straights_.passed_mask = 0;
  return t;
}

const void* const* Tree::places() {
  Match m;
  const Tree none;
  none.match_straight(kNowhere, nullptr, nullptr, m);
  return reinterpret_cast<const void* const*>(m.spans[0].begin);
}

}  // namespace mailward
