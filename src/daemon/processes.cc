#include "daemon/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace mailward {
namespace {

// What is open, as the system lists it; where it doesn't, all numbers that there may be.
std::vector<int> open_descriptors() {
  std::vector<int> open;
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Close> folder(::opendir("/dev/fd"));
  if (folder) {
    const int own = ::dirfd(folder.get());
    while (const dirent* entry = ::readdir(folder.get())) {
      const int fd = std::atoi(entry->d_name);
      if (fd != own && entry->d_name[0] != '.') open.push_back(fd);
    }
  } else {
    const long most = std::min<long>(::sysconf(_SC_OPEN_MAX), 65536);
    for (int fd = 0; fd < most; ++fd) open.push_back(fd);
  }
  return open;
}

}  // namespace

Result<pid_t> start_process(const std::vector<int>& keep, const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid < 0) return fail(fmt::format("no process can be started: {}", std::strerror(errno)));
  if (pid > 0) return pid;
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(number, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int fd : open_descriptors())
    if (fd > STDERR_FILENO && std::find(keep.begin(), keep.end(), fd) == keep.end()) ::close(fd);
  // Standard input and output are nobody's.
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing >= 0) {
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::close(nothing);
  }
  int status = 1;
  try {
    status = body();
  } catch (const std::exception& error) {
    const std::string sentence = fmt::format("mailward: {}\n", error.what());
    [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, sentence.data(), sentence.size());
  }
  ::_exit(status);
}

}  // namespace mailward
