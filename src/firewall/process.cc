#include "firewall/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/text.h"

namespace mailward {
namespace {

using Clock = std::chrono::steady_clock;

// Ours and the child's end. A socket, not a pipe: writing to a child that has ended is then an error instead of a
// SIGPIPE.
struct Channel {
  Descriptor ours, theirs;
};

Result<Channel> channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(fmt::format("no channel to another program: {}", std::strerror(errno)));
  return Channel{Descriptor(ends[0]), Descriptor(ends[1])};
}

struct Child {
  pid_t pid;
  Descriptor in, out, err;
};

struct Actions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

Result<Child> start(std::span<const std::string> arguments) {
  auto in = channel(), out = channel(), err = channel();
  for (auto* c : {&in, &out, &err})
    if (!*c) return std::unexpected(c->error());

  Actions actions;
  posix_spawn_file_actions_adddup2(&actions.files, in->theirs.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions.files, out->theirs.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions.files, err->theirs.get(), STDERR_FILENO);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&actions.attributes, &none);
  posix_spawnattr_setsigdefault(&actions.attributes, &all);
  posix_spawnattr_setpgroup(&actions.attributes, 0);
  posix_spawnattr_setflags(&actions.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<std::string> copies(arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& a : copies) argv.push_back(a.data());
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
  char* environment[] = {path, locale, nullptr};
  pid_t pid = 0;
  if (const int error = posix_spawn(&pid, argv[0], &actions.files, &actions.attributes, argv.data(), environment))
    return fail(fmt::format("{} can't be run: {}", for_terminal(arguments[0]), std::strerror(error)));
  return Child{pid, std::move(in->ours), std::move(out->ours), std::move(err->ours)};
}

// Takes what is there; closes at the end.
void take(Descriptor& from, std::string& to, size_t most) {
  char block[16384];
  const ssize_t n = ::read(from.get(), block, sizeof block);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0) {
    from = Descriptor();
    return;
  }
  to.append(block, std::min(static_cast<size_t>(n), most - to.size()));
}

void give(Descriptor& to, std::string_view& input) {
  if (!input.empty()) {
    const ssize_t n = ::send(to.get(), input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    input.remove_prefix(n > 0 ? static_cast<size_t>(n) : input.size());  // it doesn't want to read: no error yet
  }
  if (input.empty()) to = Descriptor();
}

int milliseconds_to(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

// Until it has closed its output; false: not in time.
bool talk(Child& child, std::string_view input, Ran& ran, Clock::time_point end) {
  while (child.in.get() >= 0 || child.out.get() >= 0 || child.err.get() >= 0) {
    std::array<pollfd, 3> polled{pollfd{child.in.get(), POLLOUT, 0}, pollfd{child.out.get(), POLLIN, 0},
                                 pollfd{child.err.get(), POLLIN, 0}};
    const int wait = milliseconds_to(end);
    if (wait == 0) return false;
    if (::poll(polled.data(), polled.size(), wait) <= 0) continue;
    if (polled[0].revents != 0) give(child.in, input);
    if (polled[1].revents != 0) take(child.out, ran.output, kMostOutput);
    if (polled[2].revents != 0) take(child.err, ran.errors, kMostErrors);
  }
  return true;
}

// Its status, if it ends in time. It has closed its output by now, so it hardly ever has to be waited for.
bool reap(pid_t pid, int& status, Clock::time_point end) {
  for (auto pause = std::chrono::microseconds(50);; pause = std::min(pause * 2, std::chrono::microseconds(20'000))) {
    const pid_t got = ::waitpid(pid, &status, WNOHANG);
    if (got == pid) return true;
    if (got < 0 && errno != EINTR) {  // reaped by another, its status is lost: no success
      status = 255 << 8;
      return true;
    }
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

Result<Ran> run_process(std::span<const std::string> arguments, std::string_view input,
                        std::chrono::milliseconds timeout) {
  const auto end = Clock::now() + timeout;
  auto child = start(arguments);
  if (!child) return std::unexpected(child.error());
  Ran ran;
  int status = 0;
  if (!talk(*child, input, ran, end) || !reap(child->pid, status, end)) {
    ::kill(-child->pid, SIGKILL);
    while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) continue;
    return fail(fmt::format("{} took longer than {} ms and was killed", for_terminal(arguments[0]), timeout.count()));
  }
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

Result<Ran> run_well(std::span<const std::string> arguments, std::string_view input,
                     std::chrono::milliseconds timeout) {
  auto ran = run_process(arguments, input, timeout);
  if (!ran || ran->status == 0) return ran;
  const std::string_view errors = ran->errors;
  return fail(fmt::format("{} ended with {}: {}", for_terminal(arguments[0]), ran->status,
                          errors.empty() ? "it said nothing" : for_terminal(errors.substr(0, errors.find('\n')))));
}

}  // namespace mailward
