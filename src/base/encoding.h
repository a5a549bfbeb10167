// State as bytes, for what is kept between two runs: numbers in base 128, texts with their length. Small, and
// the same on every machine. What is read back is not trusted: a reader never reads past its end, and says
// afterwards whether all was as it should be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/instant.h"

namespace mailward {

class Encoder {
 public:
  void number(uint64_t n) {
    for (; n >= 0x80; n >>= 7) bytes_ += static_cast<char>(n | 0x80);
    bytes_ += static_cast<char>(n);
  }
  // Small where the value is near zero, on either side.
  void integer(int64_t n) { number(static_cast<uint64_t>(n) << 1 ^ static_cast<uint64_t>(n >> 63)); }
  void text(std::string_view t) {
    number(t.size());
    bytes_ += t;
  }
  void address(Address a) {
    const bool v4 = a.is_v4();
    number(v4);
    if (!v4) fixed(a.high);
    fixed(a.low, v4 ? 4 : 8);
  }
  void time(Instant t) { integer(t.time_since_epoch().count()); }
  // The lowest `bytes` bytes.
  void fixed(uint64_t n, int bytes = 8) {
    for (int i = bytes; i > 0; --i) bytes_ += static_cast<char>(n >> (8 * (i - 1)));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// `bytes` must outlive it, and what text() gives points into them.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  uint64_t number() {
    uint64_t n = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = next();
      n |= (byte & 0x7f) << shift;
      if (byte < 0x80) return n;
    }
    good_ = false;
    return 0;
  }
  // At most so much; more is a fault.
  uint64_t number(uint64_t most) {
    const uint64_t n = number();
    if (n <= most) return n;
    good_ = false;
    return 0;
  }
  // How many things follow, each of at least a byte: so nobody makes room for more than there can be.
  uint64_t count() {
    const uint64_t n = number();
    if (n <= rest_.size()) return n;
    good_ = false;
    return 0;
  }
  int64_t integer() {
    const uint64_t n = number();
    return static_cast<int64_t>(n >> 1 ^ (~(n & 1) + 1));
  }
  std::string_view text() {
    const uint64_t size = count();
    const std::string_view t = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return t;
  }
  Address address() {
    const bool v4 = number(1) == 1;
    if (v4) return Address::v4(static_cast<uint32_t>(fixed(4)));
    const uint64_t high = fixed(8);
    return {high, fixed(8)};
  }
  Instant time() { return Instant(Duration(integer())); }
  uint64_t fixed(int bytes) {
    uint64_t n = 0;
    for (int i = 0; i < bytes; ++i) n = n << 8 | next();
    return n;
  }

  // Nothing was missing or out of bounds so far; where it is at the end, also nothing left over.
  bool good() const { return good_; }
  bool finished() const { return good_ && rest_.empty(); }
  void fault() { good_ = false; }

 private:
  uint8_t next() {
    if (rest_.empty()) {
      good_ = false;
      return 0;
    }
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  std::string_view rest_;
  bool good_ = true;
};

}  // namespace mailward
