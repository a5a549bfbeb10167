#include "firewall/backends.h"

namespace mailward {

Result<std::unique_ptr<Firewall>> make_nftables(const FirewallConfig&) {
  return fail("this mailward was built without nftables; choose another firewall.backend");
}

}  // namespace mailward
