// Routes as /proc shows them (Linux, net/ipv4/fib_trie.c and net/ipv6/route.c): one a line, numbers in hexadecimal.
// IPv4: interface, destination, gateway, flags, …, addresses as the bytes of memory read as a number; after a
// line of titles. IPv6: destination, length, source, length, next hop, metric, references, uses, flags, interface.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "firewall/host.h"

namespace mailward {
namespace {

constexpr uint32_t kThroughGateway = 2;  // RTF_GATEWAY

template <class Number>
std::optional<Number> hexadecimal(std::string_view text) {
  Number value = 0;
  const char* const end = text.data() + text.size();
  if (text.size() != 2 * sizeof(Number)) return std::nullopt;
  const auto [at, error] = std::from_chars(text.data(), end, value, 16);
  return error == std::errc() && at == end ? std::optional(value) : std::nullopt;
}

// The gateway in a line; nothing: it has none, or isn't a route.
std::optional<Address> gateway4(std::istream& line) {
  std::string interface, destination, gateway, flags;
  line >> interface >> destination >> gateway >> flags;
  const auto address = hexadecimal<uint32_t>(gateway);
  const auto bits = hexadecimal<uint16_t>(flags);
  if (!address || !bits || (*bits & kThroughGateway) == 0) return std::nullopt;
  return Address::v4(ntohl(*address));
}

std::optional<Address> gateway6(std::istream& line) {
  std::string destination, length, source, source_length, hop, metric, references, uses, flags;
  line >> destination >> length >> source >> source_length >> hop >> metric >> references >> uses >> flags;
  const auto bits = hexadecimal<uint32_t>(flags);
  if (hop.size() != 32 || !bits || (*bits & kThroughGateway) == 0) return std::nullopt;
  const auto high = hexadecimal<uint64_t>(std::string_view(hop).substr(0, 16));
  const auto low = hexadecimal<uint64_t>(std::string_view(hop).substr(16));
  return high && low ? std::optional(Address{*high, *low}) : std::nullopt;
}

Result<void> add(const std::string& path, std::optional<Address> (*gateway)(std::istream&),
                 std::vector<Protected>& to) {
  std::ifstream in(path);
  if (!in && errno == ENOENT) return {};  // a kernel without this family
  if (!in)
    return fail(fmt::format("this host's routes can't be read from {}: {}", for_terminal(path), std::strerror(errno)));
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    if (const auto address = gateway(words); address && !address->empty())
      to.push_back({network_of(*address, 32, 128), "a gateway of this host"});
  }
  if (in.bad()) return fail(fmt::format("this host's routes can't be read from {}", for_terminal(path)));
  return {};
}

}  // namespace

Result<void> add_gateways(const HostFiles& files, std::vector<Protected>& to) {
  if (auto ok = add(files.routes4, gateway4, to); !ok) return ok;
  return add(files.routes6, gateway6, to);
}

}  // namespace mailward
