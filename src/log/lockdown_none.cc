// This platform or build has no way to lock in that we know how to use.
#include "log/lockdown.h"

namespace mailward {

Result<std::string> lock_in() { return std::string("not locked in: this build has neither seccomp nor pledge"); }

}  // namespace mailward
