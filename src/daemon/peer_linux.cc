// Who is at the other end of a unix socket: unix(7), SO_PEERCRED.
#include <sys/socket.h>

#include "daemon/control.h"

namespace mailward {

bool peer_user(int descriptor, unsigned& user) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
  user = who.uid;
  return true;
}

}  // namespace mailward
