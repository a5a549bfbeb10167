// This platform or build has no way to lock in that we know how to use.
#include "lockdown/lockdown.h"

namespace mailward {

Result<std::string> lock_in() { return std::string("not locked in: this build has neither seccomp nor pledge"); }
Result<std::string> lock_in_reader() { return lock_in(); }
Result<std::string> lock_in_keeper(const KeeperFolders&) { return lock_in(); }
Result<std::string> lock_in_helper(const HelperNeeds&) { return lock_in(); }

}  // namespace mailward
