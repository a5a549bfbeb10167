// Runs without sanitizers, which need calls that are forbidden here: a program of its own (tests/CMakeLists.txt).
#include "log/lockdown.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace mailward {
namespace {

// Does the system let a process restrict itself at all? In words why not, else empty. Some containers don't,
// and some kernels can't; that is no fault of lock_in().
std::string why_not() {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    sock_filter allow_all{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    const sock_fprog program{1, &allow_all};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(errno);
    _exit(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno);
  }
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return "a process that restricts itself by seccomp is killed here";
  if (WEXITSTATUS(status) == 0) return {};
  return std::string("no process may restrict itself by seccomp here: ") + std::strerror(WEXITSTATUS(status));
}

// What `work` returns in a child that has locked itself in; 100: it could not, and says why.
int in_lockdown(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    const auto locked = lock_in();
    const std::string said = locked ? *locked : locked.error().message;
    if (!locked || !said.starts_with("locked in")) {
      std::fprintf(stderr, "%s\n", said.c_str());
      _exit(100);
    }
    _exit(work());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

#define SKIP_WITHOUT_MEANS() \
  if (const std::string why = why_not(); !why.empty()) GTEST_SKIP() << why

TEST(Lockdown, WhatIsNeededStillWorks) {
  SKIP_WITHOUT_MEANS();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  const int result = in_lockdown([&] {
    char byte = 0;
    if (read(file, &byte, 1) != 1) return 1;
    if (pread(file, &byte, 1, 0) != 1) return 2;
    if (write(pipe_ends[1], "x", 1) != 1) return 3;
    int sum = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&sum, i] { __atomic_fetch_add(&sum, i, __ATOMIC_RELAXED); });
    for (std::thread& t : threads) t.join();
    if (sum != 6) return 4;
    const std::string large(64 << 20, 'x');
    if (large.back() != 'x') return 5;
    if (time(nullptr) == 0 || std::chrono::steady_clock::now().time_since_epoch().count() == 0) return 6;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 0;
  });
  EXPECT_EQ(result, 0);
  close(file);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

struct Forbidden {
  const char* name;
  std::function<bool()> works;
};

class ForbiddenTest : public testing::TestWithParam<Forbidden> {};

TEST_P(ForbiddenTest, Fails) {
  SKIP_WITHOUT_MEANS();
  // First without: a call that fails anyway proves nothing.
  const pid_t child = fork();
  if (child == 0) _exit(GetParam().works() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : 200, 0) << "does not work at all here";
  const int result = in_lockdown([&] { return GetParam().works() ? 1 : 0; });
  EXPECT_EQ(result, 0);
}

INSTANTIATE_TEST_SUITE_P(Calls, ForbiddenTest,
                         testing::Values(Forbidden{"open to read", [] { return open("/etc/passwd", O_RDONLY) >= 0; }},
                                         Forbidden{"open to write", [] { return open("/dev/null", O_WRONLY) >= 0; }},
                                         Forbidden{"socket", [] { return socket(AF_INET, SOCK_STREAM, 0) >= 0; }},
                                         Forbidden{"local socket", [] { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }},
                                         Forbidden{"fork",
                                                   [] {
                                                     const pid_t p = fork();
                                                     if (p == 0) _exit(0);
                                                     return p > 0;
                                                   }},
                                         Forbidden{"signal another", [] { return kill(getppid(), 0) == 0; }},
                                         Forbidden{"executable memory",
                                                   [] {
                                                     return mmap(nullptr, 4096, PROT_READ | PROT_EXEC,
                                                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
                                                   }},
                                         Forbidden{"chdir", [] { return chdir("/") == 0; }}),
                         [](const auto& forbidden) {
                           std::string name = forbidden.param.name;
                           for (char& c : name) c = c == ' ' ? '_' : c;
                           return name;
                         });

TEST(Lockdown, ExecFails) {
  SKIP_WITHOUT_MEANS();
  const int result = in_lockdown([] {
    execl("/bin/true", "true", nullptr);
    return errno == EPERM ? 7 : 8;
  });
  EXPECT_EQ(result, 7);
}

}  // namespace
}  // namespace mailward
