// mailward run --check: everything is read, judged and told; nothing is changed.
#pragma once

#include "cli/daemon_setup.h"
#include "cli/outcome.h"

namespace mailward {

// Prints to standard output what the daemon would do with this configuration, and whom it would ban.
Outcome<int> check_daemon(const GlobalOptions& globals, DaemonConfig config);

}  // namespace mailward
