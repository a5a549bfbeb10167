// Asking the daemon: one line to its control socket, one line back.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "daemon/requests.h"

namespace mailward {

// Nothing: no daemon listens there. An error: it does, and something went wrong. Waits some seconds at most, a
// minute for a reload.
Result<std::optional<std::string>> ask_daemon(const std::string& socket, const Request& request);

}  // namespace mailward
