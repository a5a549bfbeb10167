// OpenBSD: pledge(2) and unveil(2). Written from their manual pages; never compiled or run on the real
// system by us, and not part of any build that we test.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "log/lockdown.h"

namespace mailward {

// "stdio" has reading and writing of open descriptors, memory, threads and the clock; "rpath" only
// where folders must stay readable, and then unveil narrows it to them.
Result<std::string> lock_in(const LockdownNeeds& needs) {
  for (const std::string& folder : needs.readable) {
    if (unveil(folder.c_str(), "r") != 0 && errno != ENOENT) {
      return fail(fmt::format("locking in failed: unveil {}: {}", folder, std::strerror(errno)));
    }
  }
  if (unveil(nullptr, nullptr) != 0) return fail(fmt::format("locking in failed: unveil: {}", std::strerror(errno)));
  const char* promises = needs.readable.empty() ? "stdio" : "stdio rpath";
  if (pledge(promises, "") != 0) return fail(fmt::format("locking in failed: pledge: {}", std::strerror(errno)));
  return std::string("locked in: pledge and unveil");
}

}  // namespace mailward
