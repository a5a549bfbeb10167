// Becoming another user for good: each part of the daemon runs as its own.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace mailward {

// Gives up all groups, the group's and the user's ids and every capability, then tries to get them back: getting them
// back is an error, as is anything that the system refuses. Neither id may be 0. A process that is that user
// already keeps its supplementary groups (no one but root may give them up).
//
// The process can't get new rights by executing (no_new_privs), leaves no core file and can't be traced by others
// of the same user, as far as the system has that. Before other threads begin.
// Sources: setgroups(2), setresuid(2), capabilities(7), prctl(2).
Result<void> become(uid_t user, gid_t group);

// The last part of it alone, for a process that stays who it is.
Result<void> give_up_new_rights();

}  // namespace mailward
