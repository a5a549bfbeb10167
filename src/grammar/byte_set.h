// A set of byte values: the alphabet of a field.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace mailward {

class ByteSet {
 public:
  constexpr ByteSet() = default;
  static constexpr ByteSet all() {
    ByteSet s;
    s.words_.fill(~uint64_t{0});
    return s;
  }
  static constexpr ByteSet of(std::string_view bytes) {
    ByteSet s;
    for (char c : bytes) s.add(static_cast<uint8_t>(c));
    return s;
  }
  static constexpr ByteSet range(uint8_t from, uint8_t to) {
    ByteSet s;
    for (unsigned c = from; c <= to; ++c) s.add(static_cast<uint8_t>(c));
    return s;
  }

  constexpr void add(uint8_t c) { words_[c >> 6] |= uint64_t{1} << (c & 63); }
  constexpr void remove(uint8_t c) { words_[c >> 6] &= ~(uint64_t{1} << (c & 63)); }
  constexpr bool has(uint8_t c) const { return words_[c >> 6] >> (c & 63) & 1; }
  constexpr bool has(char c) const { return has(static_cast<uint8_t>(c)); }
  constexpr bool empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  constexpr int size() const {
    int n = 0;
    for (uint64_t w : words_) n += std::popcount(w);
    return n;
  }

  friend constexpr ByteSet operator|(const ByteSet& a, const ByteSet& b) {
    return a.combine(b, [](auto x, auto y) { return x | y; });
  }
  friend constexpr ByteSet operator&(const ByteSet& a, const ByteSet& b) {
    return a.combine(b, [](auto x, auto y) { return x & y; });
  }
  friend constexpr ByteSet operator-(const ByteSet& a, const ByteSet& b) {
    return a.combine(b, [](auto x, auto y) { return x & ~y; });
  }
  friend constexpr bool operator==(const ByteSet&, const ByteSet&) = default;
  friend constexpr auto operator<=>(const ByteSet&, const ByteSet&) = default;

 private:
  template <class F>
  constexpr ByteSet combine(const ByteSet& other, F f) const {
    ByteSet s;
    for (size_t i = 0; i < 4; ++i) s.words_[i] = f(words_[i], other.words_[i]);
    return s;
  }
  std::array<uint64_t, 4> words_{};
};

}  // namespace mailward
