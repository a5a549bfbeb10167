// What a process may do beyond its user's and group's rights: a file for each platform (within this station).
#pragma once

namespace mailward {

// Linux: nothing as if it were root from now on, and no way to take such a right on. False: it still may, or that
// can't be found out.
bool give_up_capabilities();

}  // namespace mailward
