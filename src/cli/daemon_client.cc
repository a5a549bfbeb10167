#include "cli/daemon_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"

namespace mailward {
namespace {

constexpr size_t kLongestAnswer = size_t{16} << 20;

}  // namespace

Result<std::optional<std::string>> ask_daemon(const std::string& path, const Request& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::optional<std::string>();
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{request.verb == Request::Verb::kReload ? 60 : 15, 0};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) return std::optional<std::string>();
    return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  const std::string line = format_request(request) + '\n';
  if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    return fail(fmt::format("{}: the daemon doesn't listen: {}", path, std::strerror(errno)));
  std::string answer;
  char block[65536];
  while (answer.size() < kLongestAnswer && !answer.ends_with('\n')) {
    const ssize_t n = ::recv(socket.get(), block, sizeof block, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(fmt::format("{}: the daemon doesn't answer: {}", path, std::strerror(errno)));
    if (n == 0) return fail(fmt::format("{}: the daemon ended before it answered; see `mailward status`", path));
    answer.append(block, static_cast<size_t>(n));
  }
  if (answer.ends_with('\n')) answer.pop_back();
  return std::optional<std::string>(std::move(answer));
}

}  // namespace mailward
