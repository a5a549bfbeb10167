// Who is at the other end of a unix socket: getpeereid(3) of the BSDs.
#include <sys/types.h>
#include <unistd.h>

#include "daemon/control.h"

namespace mailward {

bool peer_user(int descriptor, unsigned& user) {
  uid_t who = 0;
  gid_t group = 0;
  if (::getpeereid(descriptor, &who, &group) != 0) return false;
  user = who;
  return true;
}

}  // namespace mailward
