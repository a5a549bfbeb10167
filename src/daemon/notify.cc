#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace mailward {

Notify::Notify() {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  const std::string_view name(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (path[0] == '/' ? 1 : 0));
  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0 || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return;
  socket_ = std::move(socket);
  const char* const every = std::getenv("WATCHDOG_USEC");
  const char* const whose = std::getenv("WATCHDOG_PID");
  if (!every) return;
  long long pid = 0, microseconds = 0;
  if (whose) std::from_chars(whose, whose + std::strlen(whose), pid);
  if (whose && pid != ::getpid()) return;
  std::from_chars(every, every + std::strlen(every), microseconds);
  watchdog_ = std::chrono::microseconds(microseconds);
}

void Notify::say(std::string_view text) const {
  if (socket_.get() >= 0) (void)::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace mailward
