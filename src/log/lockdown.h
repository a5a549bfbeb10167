// Locking in: after all inputs are open (the journal's files too), the process gives up everything but
// reading its descriptors, writing to standard output and error, memory, threads, the clock and its end. What
// an attacker's bytes could then still do through a fault in this program is to lie on its output.
#pragma once

#include <string>

#include "base/result.h"

namespace mailward {

// What holds from now on, in words, for -v: "seccomp and Landlock", or what is missing and why.
// An error only where the system has the means and refused: then the caller should end.
// Call on the main thread, before other threads begin.
Result<std::string> lock_in();

}  // namespace mailward
