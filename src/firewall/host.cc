#include "firewall/host.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/read_up_to.h"
#include "base/text.h"

namespace mailward {
namespace {

constexpr size_t kMostResolvConf = 1U << 20;

Network single(Address a) { return network_of(a, 32, 128); }

std::optional<Address> address_of(const sockaddr* from) {
  if (from == nullptr) return std::nullopt;
  if (from->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, from, sizeof v4);
    return Address::v4(ntohl(v4.sin_addr.s_addr));
  }
  if (from->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, from, sizeof v6);
  Address a;
  for (int i = 0; i < 8; ++i) {
    a.high = a.high << 8 | v6.sin6_addr.s6_addr[i];
    a.low = a.low << 8 | v6.sin6_addr.s6_addr[8 + i];
  }
  return a;
}

Result<void> add_addresses(std::vector<Protected>& to) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0)
    return fail(fmt::format("this host's addresses can't be read: {}", std::strerror(errno)));
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    const auto address = address_of(at->ifa_addr);
    if (address && !address->empty())
      to.push_back({single(*address), fmt::format("this host's own address ({})", for_terminal(at->ifa_name))});
  }
  return {};
}

// resolv.conf(5): "nameserver ADDRESS", an IPv6 address perhaps with %ZONE.
Result<void> add_resolvers(const std::string& path, std::vector<Protected>& to) {
  std::ifstream in(path);
  if (!in && errno == ENOENT) return {};
  if (!in) return fail(fmt::format("{} can't be read: {}", for_terminal(path), std::strerror(errno)));
  std::istringstream lines(read_up_to(in, kMostResolvConf));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, value;
    if (!(words >> key >> value) || key != "nameserver") continue;
    if (const auto address = parse_address(std::string_view(value).substr(0, value.find('%'))))
      to.push_back({single(*address), fmt::format("a resolver of this host ({})", for_terminal(path))});
  }
  return {};
}

}  // namespace

Result<std::vector<Protected>> protected_of_host(const HostFiles& files) {
  std::vector<Protected> all;
  if (auto ok = add_addresses(all); !ok) return std::unexpected(ok.error());
  if (auto ok = add_gateways(files, all); !ok) return std::unexpected(ok.error());
  if (auto ok = add_resolvers(files.resolvers, all); !ok) return std::unexpected(ok.error());
  return all;
}

}  // namespace mailward
