// The daemon's other processes: made by fork, so that they have what was read and checked already, and nothing else
// of their parent's that is open. One thread at the time of the call, but for libuv's pool, which the child doesn't
// use.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "base/result.h"

namespace mailward {

// Runs `body` in a child, which has standard error and `keep` open and nothing else; its result is the exit status.
// SIGTERM, SIGINT and SIGHUP don't reach it: it is told to end.
Result<pid_t> start_process(const std::vector<int>& keep, const std::function<int()>& body);

}  // namespace mailward
