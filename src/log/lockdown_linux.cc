// Linux: seccomp by libseccomp says which calls are left, Landlock which files may be opened by them.
// What isn't allowed fails with EPERM rather than killing the process: another libc may make a call that
// we have not met, and can do without.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/descriptor.h"
#include "log/lockdown.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAILWARD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MAILWARD_SANITIZED 1
#endif
#endif

namespace mailward {
namespace {

#ifdef MAILWARD_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// landlock_create_ruleset(2); the newest fields are not in every header.
struct LandlockRules {
  uint64_t files = 0;
  uint64_t network = 0;  // from version 4 on: binding and connecting of TCP
  uint64_t scoped = 0;   // from version 6 on: abstract sockets and signals
};
constexpr uint64_t kNetwork = 3;
constexpr uint64_t kScoped = 3;

// All access to files that this version of Landlock knows.
uint64_t all_file_access(long version) {
  constexpr unsigned kBits[] = {13, 14, 15, 15, 16};  // by version, from 1 on
  const unsigned bits = kBits[version > 5 ? 4 : version - 1];
  return (uint64_t{1} << bits) - 1;
}

// What came of it, for -v.
Result<std::string> restrict_files() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return std::string("without Landlock, which this kernel lacks or has switched off");
  LandlockRules rules;
  rules.files = all_file_access(version);
  rules.network = version >= 4 ? kNetwork : 0;
  rules.scoped = version >= 6 ? kScoped : 0;
  const size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const Descriptor ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, size, 0)));
  if (ruleset.get() < 0) return fail(fmt::format("locking in failed: Landlock: {}", std::strerror(errno)));
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail(fmt::format("locking in failed: Landlock: {}", std::strerror(errno)));
  }
  return std::string("and Landlock");
}

struct ReleaseFilter {
  void operator()(void* context) const { seccomp_release(context); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// Calls that are harmless whatever their arguments: they work on what is open, on memory and threads of
// this process, on the clock.
constexpr const char* kAllowed[] = {"read",
                                    "readv",
                                    "pread64",
                                    "preadv",
                                    "lseek",
                                    "_llseek",
                                    "write",
                                    "writev",
                                    "close",
                                    "dup",
                                    "fstat",
                                    "fstat64",
                                    "fadvise64",
                                    "fadvise64_64",
                                    "arm_fadvise64_64",
                                    "poll",
                                    "ppoll",
                                    "ppoll_time64",
                                    "select",
                                    "pselect6",
                                    "epoll_create1",
                                    "epoll_ctl",
                                    "epoll_wait",
                                    "epoll_pwait",
                                    "eventfd2",
                                    "pipe2",
                                    "munmap",
                                    "mremap",
                                    "madvise",
                                    "brk",
                                    "futex",
                                    "futex_time64",
                                    "futex_waitv",
                                    "set_robust_list",
                                    "get_robust_list",
                                    "rseq",
                                    "membarrier",
                                    "sched_yield",
                                    "sched_getaffinity",
                                    "set_tid_address",
                                    "clock_gettime",
                                    "clock_gettime64",
                                    "clock_getres",
                                    "clock_nanosleep",
                                    "clock_nanosleep_time64",
                                    "nanosleep",
                                    "gettimeofday",
                                    "time",
                                    "times",
                                    "getrusage",
                                    "exit",
                                    "exit_group",
                                    "rt_sigprocmask",
                                    "rt_sigaction",
                                    "rt_sigreturn",
                                    "rt_sigpending",
                                    "sigaltstack",
                                    "restart_syscall",
                                    "getpid",
                                    "gettid",
                                    "getuid",
                                    "geteuid",
                                    "getgid",
                                    "getegid",
                                    "getrandom",
                                    "sysinfo",
                                    "uname"};

class FilterBuilder {
 public:
  explicit FilterBuilder(scmp_filter_ctx context) : context_(context) {}

  template <class... Conditions>
  void allow(const char* name, Conditions... conditions) {
    add(SCMP_ACT_ALLOW, name, conditions...);
  }
  void answer(int error, const char* name) { add(SCMP_ACT_ERRNO(static_cast<uint16_t>(error)), name); }
  bool good() const { return good_; }

 private:
  template <class... Conditions>
  void add(uint32_t action, const char* name, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;  // another architecture's
    const int code = seccomp_rule_add(context_, action, number, sizeof...(conditions), conditions...);
    if (code != 0 && code != -EDOM && code != -EFAULT) good_ = false;
  }

  scmp_filter_ctx context_;
  bool good_ = true;
};

void fill(FilterBuilder& filter) {
  for (const char* name : kAllowed) filter.allow(name);
  // No code comes into being: memory is never executable.
  filter.allow("mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  filter.allow("mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  filter.allow("mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  // Threads, no processes. clone3 hides its flags from a filter; libc falls back to clone.
  filter.allow("clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  filter.answer(ENOSYS, "clone3");
  // Signals to itself only (abort, raise).
  const auto self = static_cast<scmp_datum_t>(getpid());
  filter.allow("tgkill", SCMP_A0(SCMP_CMP_EQ, self));
  filter.allow("ioctl", SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ));
  filter.allow("ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS));
  filter.allow("ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD));
  for (const auto command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC}) {
    filter.allow("fcntl", SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command)));
    filter.allow("fcntl64", SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command)));
  }
  filter.allow("prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
  // Limits may be asked for, not set.
  filter.allow("prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));
  filter.allow("getrlimit");
  // libc asks for an open file's state by an empty path.
  filter.allow("newfstatat", SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
  filter.allow("statx", SCMP_A2(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
}

Result<std::string> restrict_calls() {
  const Filter context(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!context) return fail("locking in failed: seccomp: no memory");
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  FilterBuilder filter(context.get());
  fill(filter);
  if (!filter.good()) return fail("locking in failed: seccomp refused a rule");
  const int code = seccomp_load(context.get());
  if (code == 0) return std::string("seccomp");
  const bool missing = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL;
  if (missing) return std::string("no seccomp, which this kernel lacks,");
  return fail(fmt::format("locking in failed: seccomp: {}", std::strerror(-code)));
}

}  // namespace

Result<std::string> lock_in() {
  if (kSanitized) return std::string("not locked in: a sanitizer is built in, which needs more than it may have");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(fmt::format("locking in failed: no_new_privs: {}", std::strerror(errno)));
  }
  const Result<std::string> files = restrict_files();
  if (!files) return files;
  const Result<std::string> calls = restrict_calls();
  if (!calls) return calls;
  return fmt::format("locked in: {} {}", *calls, *files);
}

}  // namespace mailward
