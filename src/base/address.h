// IP addresses and networks as values: 128 bits, an IPv4 address in its mapped form
// (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that an IPv4-mapped IPv6 address IS the IPv4 address.
// Text form: RFC 5952 for IPv6, dotted quad for IPv4. Order: IPv4 before IPv6, then by value.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailward {

struct Address {
  uint64_t high = 0;
  uint64_t low = 0;

  static constexpr Address v4(uint32_t value) { return {0, 0xffff'0000'0000ULL | value}; }
  constexpr bool is_v4() const { return high == 0 && (low >> 32) == 0xffff; }
  constexpr bool empty() const { return (high | low) == 0; }  // "::" serves as "none"

  friend constexpr bool operator==(const Address&, const Address&) = default;
  friend constexpr std::strong_ordering operator<=>(const Address& a, const Address& b) {
    if (a.is_v4() != b.is_v4()) return a.is_v4() ? std::strong_ordering::less : std::strong_ordering::greater;
    if (auto c = a.high <=> b.high; c != 0) return c;
    return a.low <=> b.low;
  }
};

// Exactly one address, nothing around it: "192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7",
// "2001:db8:0:0:0:0:0:1". No zone, no brackets, no leading zeros in a dotted quad's numbers.
std::optional<Address> parse_address(std::string_view text);
std::string format_address(Address a);
// Writes at most 45 bytes, no terminator; returns how many. For hot paths.
size_t format_address_to(Address a, char* out);

// A mix of all bits, good enough for open addressing with attackers' addresses as keys.
inline uint64_t hash_address(Address a) {
  uint64_t h = (a.high * 0x9e3779b97f4a7c15ULL) ^ a.low;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ULL;
  h ^= h >> 32;
  return h;
}

// A network: the address has zeros right of the prefix. `prefix` counts the bits of the family:
// 0 to 32 for IPv4, 0 to 128 for IPv6.
struct Network {
  Address address;
  int prefix = 0;
  friend constexpr bool operator==(const Network&, const Network&) = default;
  friend constexpr std::strong_ordering operator<=>(const Network& a, const Network& b) {
    if (auto c = a.address <=> b.address; c != 0) return c;
    return a.prefix <=> b.prefix;
  }
};

Network network_of(Address a, int prefix4, int prefix6);
bool contains(const Network& n, Address a);
// "192.0.2.0/24", "2001:db8::/32", or a single address (then /32 or /128). Bits right of the
// prefix are refused (nothing is returned).
std::optional<Network> parse_network(std::string_view text);
std::string format_network(const Network& n);

}  // namespace mailward

template <>
struct std::hash<mailward::Address> {
  size_t operator()(mailward::Address a) const noexcept { return mailward::hash_address(a); }
};
