// Systems of which it isn't known that an event of a folder tells of writes to the files in it: kqueue's don't.
#include "log/follow/watch.h"

namespace mailward {

bool folder_has_events(const std::string& folder) {
  (void)folder;
  return false;
}

}  // namespace mailward
