#include <bit>
#include <cstring>

#include "grammar/tree.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mailward {
namespace {

// Middles are cut by trying; a client who fills a line with separators must not buy time with it.
constexpr int kFuel = 4096;
constexpr int kMaxSolutions = 4;

inline uint64_t load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

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

namespace plain {
inline const char* scan_field_class(const char* p, const char* end, const ClassTable& c) { return scan_class(p, end, c); }
#define MAILWARD_TARGET
#include "grammar/tree_walk.inc"
#undef MAILWARD_TARGET
}  // namespace plain

#if defined(__x86_64__)
// The same walk for processors of the last decade: fields are read sixteen bytes at a time in place.
namespace wide {
#define MAILWARD_TARGET __attribute__((target("avx2,bmi,bmi2")))
MAILWARD_TARGET inline const char* scan_field_class(const char* p, const char* end, const ClassTable& c) {
  if (c.mixed) return scan_class_bytewise(p, end, c);
  const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(c.low.data()));
  const __m128i bit_of_high = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, static_cast<char>(128), 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i nibble = _mm_set1_epi8(15);
  for (; p < end; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i rows = _mm_shuffle_epi8(low, _mm_and_si128(bytes, nibble));
    const __m128i bits = _mm_shuffle_epi8(bit_of_high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
    auto outside = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(rows, bits), _mm_setzero_si128())));
    if (c.high) outside &= ~static_cast<unsigned>(_mm_movemask_epi8(bytes));
    if (outside) {
      p += _tzcnt_u32(outside);
      return p < end ? p : end;
    }
  }
  return end;
}
#include "grammar/tree_walk.inc"
MAILWARD_TARGET static bool match(const Tree& tree, uint32_t root, const char* begin, const char* end, Match& m) {
  return Walk(tree, begin, end, m).forward(root, begin, 0);
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

bool Tree::match_plain(const char* begin, const char* end, Match& m) const { return plain::Walk(*this, begin, end, m).forward(root_, begin, 0); }

size_t Tree::bytes() const {
  return nodes_.size() * sizeof(Node) + alternatives_.size() * sizeof(Alternative) + dispatches_.size() * sizeof(Dispatch) +
         literals_.size() * sizeof(Literal) + fields_.size() * sizeof(FieldEdge) + accepts_.size() * sizeof(Accept) +
         atoms_.size() * sizeof(Atom) + slots_.size() * sizeof(uint32_t) + classes_.size() * sizeof(ClassTable);
}

}  // namespace mailward
