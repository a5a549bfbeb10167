// OpenBSD: pledge(2) and unveil(2), where CMake builds for that system. Written from their manual pages; tried with
// a compiler only (tests/platforms_test.py), never run.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "log/lockdown.h"

namespace mailward {

// "stdio" has reading and writing of open descriptors, memory, threads and the clock. It has no opening of
// files either; unveil says so a second time.
Result<std::string> lock_in() {
  if (unveil(nullptr, nullptr) != 0) return fail(fmt::format("locking in failed: unveil: {}", std::strerror(errno)));
  if (pledge("stdio", "") != 0) return fail(fmt::format("locking in failed: pledge: {}", std::strerror(errno)));
  return std::string("locked in: pledge and unveil");
}

}  // namespace mailward
