// One maker a backend; the table of them is in firewall.cc.
#pragma once

#include "firewall/firewall.h"

namespace mailward {

Result<std::unique_ptr<Firewall>> make_nftables(const FirewallConfig& config);
Result<std::unique_ptr<Firewall>> make_pf(const FirewallConfig& config);
Result<std::unique_ptr<Firewall>> make_crowdsec(const FirewallConfig& config);
Result<std::unique_ptr<Firewall>> make_command(const FirewallConfig& config);
Result<std::unique_ptr<Firewall>> make_none(const FirewallConfig& config);

}  // namespace mailward
