#include "base/address.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace mailward {
namespace {

constexpr size_t kLongestAddress = 45;  // "ffff:…:ffff:255.255.255.255"

// A decimal number without leading zeros, up to `most`; moves `at` behind it. Nothing: -1.
inline int take_number(const char*& at, const char* end, int most) {
  if (at == end || *at < '0' || *at > '9') return -1;
  int value = *at++ - '0';
  if (value == 0) return at < end && *at >= '0' && *at <= '9' ? -1 : 0;
  while (at < end && *at >= '0' && *at <= '9') {
    value = value * 10 + (*at++ - '0');
    if (value > most) return -1;
  }
  return value <= most ? value : -1;
}

// Runs once for each session of a log: no calls, no loop over fields.
inline std::optional<uint32_t> parse_quad(const char* at, const char* end) {
  if (end - at < 7 || end - at > 15) return std::nullopt;
  const int a = take_number(at, end, 255);
  if (a < 0 || at == end || *at++ != '.') return std::nullopt;
  const int b = take_number(at, end, 255);
  if (b < 0 || at == end || *at++ != '.') return std::nullopt;
  const int c = take_number(at, end, 255);
  if (c < 0 || at == end || *at++ != '.') return std::nullopt;
  const int d = take_number(at, end, 255);
  if (d < 0 || at != end) return std::nullopt;
  return static_cast<uint32_t>(a) << 24 | static_cast<uint32_t>(b) << 16 | static_cast<uint32_t>(c) << 8 |
         static_cast<uint32_t>(d);
}

inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Address from_groups(const std::array<uint16_t, 8>& g) {
  Address a;
  for (int i = 0; i < 4; ++i) a.high = a.high << 16 | g[static_cast<size_t>(i)];
  for (int i = 4; i < 8; ++i) a.low = a.low << 16 | g[static_cast<size_t>(i)];
  return a;
}

// The text forms of RFC 4291, 2.2.
std::optional<Address> parse_v6(const char* at, const char* end) {
  std::array<uint16_t, 8> groups{};
  size_t n = 0;
  std::optional<size_t> gap;  // where "::" stands
  if (end - at >= 2 && at[0] == ':' && at[1] == ':') {
    gap = 0;
    at += 2;
  }
  while (at < end) {
    if (n == 8) return std::nullopt;
    const char* const begin = at;
    unsigned value = 0;
    for (int h; at < end && at - begin < 5 && (h = hex_value(*at)) >= 0; ++at)
      value = value << 4 | static_cast<unsigned>(h);
    if (at < end && *at == '.') {  // the last 32 bits as a dotted quad
      const auto quad = parse_quad(begin, end);
      if (!quad || n > 6) return std::nullopt;
      groups[n++] = static_cast<uint16_t>(*quad >> 16);
      groups[n++] = static_cast<uint16_t>(*quad);
      at = end;
      break;
    }
    if (at == begin || at - begin > 4) return std::nullopt;
    groups[n++] = static_cast<uint16_t>(value);
    if (at == end) break;
    if (*at++ != ':' || at == end) return std::nullopt;  // a single ':' can't be last
    if (*at == ':') {
      if (gap) return std::nullopt;
      gap = n;
      ++at;
    }
  }
  if (!gap) return n == 8 ? std::optional(from_groups(groups)) : std::nullopt;
  if (n == 8) return std::nullopt;  // "::" stands for at least one group
  std::move_backward(groups.begin() + static_cast<ptrdiff_t>(*gap), groups.begin() + static_cast<ptrdiff_t>(n),
                     groups.end());
  std::fill(groups.begin() + static_cast<ptrdiff_t>(*gap), groups.end() - static_cast<ptrdiff_t>(n - *gap),
            uint16_t{0});
  return from_groups(groups);
}

char* put_decimal(char* out, unsigned value) {
  if (value >= 100) *out++ = static_cast<char>('0' + value / 100);
  if (value >= 10) *out++ = static_cast<char>('0' + value / 10 % 10);
  *out++ = static_cast<char>('0' + value % 10);
  return out;
}

char* put_hex(char* out, unsigned value) {
  bool begun = false;
  for (int shift = 12; shift >= 0; shift -= 4) {
    const unsigned digit = value >> shift & 15;
    begun = begun || digit != 0 || shift == 0;
    if (begun) *out++ = "0123456789abcdef"[digit];
  }
  return out;
}

// The mask of the first `bits` of 128.
Address mask_of(int bits) {
  Address m;
  if (bits > 0) m.high = bits >= 64 ? ~uint64_t{0} : ~uint64_t{0} << (64 - bits);
  if (bits > 64) m.low = ~uint64_t{0} << (128 - bits);
  return m;
}

constexpr int bits_of_128(bool v4, int prefix) { return v4 ? 96 + prefix : prefix; }

Address masked(Address a, int bits) {
  const Address m = mask_of(bits);
  return {a.high & m.high, a.low & m.low};
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const char* const at = text.data();
  const char* const end = at + text.size();
  if (const auto quad = parse_quad(at, end)) return Address::v4(*quad);
  if (text.size() < 2 || text.size() > kLongestAddress) return std::nullopt;
  if (std::memchr(at, ':', std::min<size_t>(text.size(), 5)) == nullptr) return std::nullopt;
  return parse_v6(at, end);
}

size_t format_address_to(Address a, char* out) {
  char* at = out;
  if (a.is_v4()) {
    const auto v = static_cast<uint32_t>(a.low);
    for (int shift = 24; shift >= 0; shift -= 8) {
      at = put_decimal(at, v >> shift & 255);
      if (shift > 0) *at++ = '.';
    }
    return static_cast<size_t>(at - out);
  }
  std::array<unsigned, 8> groups{};
  for (size_t i = 0; i < 8; ++i) groups[i] = (i < 4 ? a.high : a.low) >> (48 - 16 * (i & 3)) & 0xffff;
  size_t best = 8, best_length = 1;  // RFC 5952, 4.2: the longest run of zeros, the first of equals, never a single one
  for (size_t i = 0; i < 8;) {
    size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) best = i, best_length = length;
    i += std::max<size_t>(length, 1);
  }
  for (size_t i = 0; i < 8;) {
    if (i == best) {
      *at++ = ':';
      *at++ = ':';
      i += best_length;
      continue;
    }
    if (i > 0 && i != best + best_length) *at++ = ':';
    at = put_hex(at, groups[i++]);
  }
  return static_cast<size_t>(at - out);
}

std::string format_address(Address a) {
  char text[kLongestAddress];
  return std::string(text, format_address_to(a, text));
}

Network network_of(Address a, int prefix4, int prefix6) {
  const bool v4 = a.is_v4();
  const int prefix = v4 ? std::clamp(prefix4, 0, 32) : std::clamp(prefix6, 0, 128);
  return {masked(a, bits_of_128(v4, prefix)), prefix};
}

bool contains(const Network& n, Address a) {
  const bool v4 = n.address.is_v4();
  return a.is_v4() == v4 && masked(a, bits_of_128(v4, n.prefix)) == n.address;
}

std::optional<Network> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const bool v4 = address->is_v4();
  const int most = v4 ? 32 : 128;
  if (slash == std::string_view::npos) return Network{*address, most};
  const std::string_view digits = text.substr(slash + 1);
  const char* at = digits.data();
  // "::ffff:192.0.2.0/120" counts the bits of IPv6, though it is an IPv4 network.
  const int shift = v4 && text.find(':') < slash ? 96 : 0;
  const int prefix = take_number(at, digits.data() + digits.size(), most + shift) - shift;
  if (prefix < 0 || at != digits.data() + digits.size()) return std::nullopt;
  if (masked(*address, bits_of_128(v4, prefix)) != *address) return std::nullopt;
  return Network{*address, prefix};
}

std::string format_network(const Network& n) { return format_address(n.address) + "/" + std::to_string(n.prefix); }

}  // namespace mailward
