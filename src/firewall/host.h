// What a Guard must protect of this host, as the host has it now: its addresses, gateways and resolvers. They
// change while a daemon runs (DHCP, a tunnel), so read them again before they are relied on; it takes less than a
// millisecond. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "firewall/guard.h"

namespace mailward {

struct HostFiles {
  std::string resolvers = "/etc/resolv.conf";
  std::string routes4 = "/proc/net/route";       // Linux: of the main table
  std::string routes6 = "/proc/net/ipv6_route";  // Linux
};

// All three. An error if one can't be found out: a firewall that may shut its host off is none. A file of
// resolvers that isn't there, and IPv6 that the kernel doesn't have, are no errors.
Result<std::vector<Protected>> protected_of_host(const HostFiles& files = {});

// Adds the gateways of all routes that go through one; a file for each platform.
Result<void> add_gateways(const HostFiles& files, std::vector<Protected>& to);

}  // namespace mailward
