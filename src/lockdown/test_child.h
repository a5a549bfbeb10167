// For tests: a child process that locks itself in and then does something. Built without sanitizers, which need calls
// that are forbidden there.
#pragma once

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "base/result.h"

namespace mailward {

using LockIn = std::function<Result<std::string>()>;

// What `work` returns in a child; 200: it was killed.
inline int in_child(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

// The same after it locked itself in; 100: it could not, and says why.
inline int locked_in(const LockIn& lock, const std::function<int()>& work) {
  return in_child([&] {
    const auto locked = lock();
    const std::string said = locked ? *locked : locked.error().message;
    if (locked && said.starts_with("locked in")) return work();
    std::fprintf(stderr, "%s\n", said.c_str());
    return 100;
  });
}

// Does the system let a process restrict itself at all? In words why not, else empty. Some containers don't,
// and some kernels can't; that is no fault of ours.
inline std::string why_not() {
  const int code = in_child([] {
    sock_filter allow_all{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    const sock_fprog program{1, &allow_all};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
  });
  if (code == 200) return "a process that restricts itself by seccomp is killed here";
  return code == 0 ? "" : std::string("no process may restrict itself by seccomp here: ") + std::strerror(code);
}

// 0: none.
inline int landlock_version() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

#define SKIP_WITHOUT_MEANS() \
  if (const std::string why = why_not(); !why.empty()) GTEST_SKIP() << why

}  // namespace mailward
