// Nobody has written yet how this system tells its routes; the gateways then belong on the ignore list.
#include "firewall/host.h"

namespace mailward {

Result<void> add_gateways(const HostFiles&, std::vector<Protected>&) { return {}; }

}  // namespace mailward
