// Linux: capabilities(7), prctl(2).
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lockdown/become.h"
#include "lockdown/rights.h"

namespace mailward {

// Ambient ones are always among the permitted: capset(2) takes them out too.
bool give_up_capabilities() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capset, &head, sets) != 0 || ::syscall(SYS_capget, &head, sets) != 0) return false;
  for (const auto& set : sets) {
    if (set.effective != 0 || set.permitted != 0 || set.inheritable != 0) return false;
  }
  return true;
}

Result<void> give_up_new_rights() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) return {};
  return fail(fmt::format("new rights can't be given up: {}", std::strerror(errno)));
}

}  // namespace mailward
