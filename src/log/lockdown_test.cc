#include "log/lockdown.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace mailward {
namespace {

// What `work` returns in a child that has locked itself in; 100: it could not, 101: this build never does.
int in_lockdown(const LockdownNeeds& needs, const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    const auto locked = lock_in(needs);
    if (!locked) _exit(100);
    if (locked->starts_with("not locked in")) _exit(101);
    _exit(work());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

#define SKIP_WITHOUT_LOCKDOWN(result) \
  if ((result) == 101) GTEST_SKIP() << "this build does not lock itself in"

TEST(Lockdown, WhatIsNeededStillWorks) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  const int result = in_lockdown({}, [&] {
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
  SKIP_WITHOUT_LOCKDOWN(result);
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
  // First without: a call that fails anyway proves nothing.
  const pid_t child = fork();
  if (child == 0) _exit(GetParam().works() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : 200, 0) << "does not work at all here";
  const int result = in_lockdown({}, [&] { return GetParam().works() ? 1 : 0; });
  SKIP_WITHOUT_LOCKDOWN(result);
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
  const int result = in_lockdown({}, [] {
    execl("/bin/true", "true", nullptr);
    return errno == EPERM ? 7 : 8;
  });
  SKIP_WITHOUT_LOCKDOWN(result);
  EXPECT_EQ(result, 7);
}

TEST(Lockdown, NamedFoldersStayReadable) {
  const LockdownNeeds needs{{"/usr/share/zoneinfo", "/nowhere/at/all"}};
  const int result = in_lockdown(needs, [] {
    if (open("/usr/share/zoneinfo/UTC", O_RDONLY) < 0) return 1;
    if (open("/usr/share/zoneinfo/UTC", O_RDWR) >= 0) return 2;
    if (open("/tmp/mailward-lockdown-test", O_RDONLY | O_CREAT, 0600) >= 0) return 3;
    return 0;
  });
  SKIP_WITHOUT_LOCKDOWN(result);
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace mailward
