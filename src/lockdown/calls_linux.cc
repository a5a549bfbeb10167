#include "lockdown/calls_linux.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mailward {
namespace {

template <class T>
scmp_arg_cmp is(unsigned argument, T value) {
  return {argument, SCMP_CMP_EQ, static_cast<scmp_datum_t>(value), 0};
}
scmp_arg_cmp bits(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

constexpr uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                    CLONE_NEWPID | uint64_t{CLONE_NEWNET} | 0x80;  // CLONE_NEWTIME
constexpr uint64_t kSocketKind = 0xf;  // of socket(2)'s type; the rest are flags

}  // namespace

CallFilter::CallFilter(Others others)
    : context_(seccomp_init(others == Others::kAllowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM))) {
  good_ = context_ != nullptr && seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0;
}

void CallFilter::refuse_all(std::initializer_list<const char*> names) {
  for (const char* name : names) add(SCMP_ACT_ERRNO(EPERM), name);
}

void CallFilter::deny_existence(const char* name) { add(SCMP_ACT_ERRNO(ENOSYS), name); }

Result<std::string> CallFilter::load(bool required) {
  if (!good_) return fail("locking in failed: seccomp refused a rule");
  const int code = seccomp_load(context_.get());
  if (code == 0) return std::string("seccomp");
  const bool missing = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL;
  if (missing && !required) return std::string("no seccomp, which this kernel lacks,");
  return fail(fmt::format("locking in failed: seccomp: {}", missing ? "this kernel lacks it" : std::strerror(-code)));
}

// Calls that are harmless whatever their arguments: they work on what is open, on memory of this process, on the
// clock.
void allow_computing(CallFilter& filter) {
  filter.allow_all({"read", "readv", "pread64", "preadv", "lseek", "_llseek", "write", "writev", "close", "dup",
                    "fstat", "fstat64", "fstatfs", "fstatfs64", "fadvise64", "fadvise64_64", "arm_fadvise64_64"});
  filter.allow_all({"poll", "ppoll", "ppoll_time64", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait",
                    "epoll_pwait", "eventfd2", "pipe2", "timerfd_create", "timerfd_settime", "timerfd_settime64"});
  filter.allow_all({"munmap", "mremap", "madvise", "brk", "futex", "futex_time64", "futex_waitv", "set_robust_list",
                    "get_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "set_tid_address"});
  filter.allow_all({"clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64",
                    "nanosleep", "gettimeofday", "time", "times", "getrusage", "exit", "exit_group", "rt_sigprocmask",
                    "rt_sigaction", "rt_sigreturn", "rt_sigpending", "sigaltstack", "restart_syscall"});
  filter.allow_all({"getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getrandom", "sysinfo", "uname"});
  // No code comes into being: memory is never executable.
  for (const char* name : {"mmap", "mmap2", "mprotect"}) filter.allow(name, bits(2, PROT_EXEC, 0));
  // Signals to itself only (abort, raise).
  filter.allow("tgkill", is(0, getpid()));
  for (const auto request : {TIOCGWINSZ, TCGETS, FIONREAD, FIONBIO}) filter.allow("ioctl", is(1, request));
  for (const auto command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC}) {
    filter.allow("fcntl", is(1, command));
    filter.allow("fcntl64", is(1, command));
  }
  filter.allow("prctl", is(0, PR_SET_NAME));
  // Limits may be asked for, not set.
  filter.allow("prlimit64", is(2, 0));
  filter.allow("getrlimit");
  // libc asks for an open file's state by an empty path.
  filter.allow("newfstatat", bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
  filter.allow("statx", bits(2, AT_EMPTY_PATH, AT_EMPTY_PATH));
  filter.deny_existence("clone3");  // it hides its flags from a filter; libc falls back to clone
  filter.deny_existence("io_uring_setup");
}

void allow_threads(CallFilter& filter) { filter.allow("clone", bits(0, CLONE_THREAD, CLONE_THREAD)); }

void allow_messages(CallFilter& filter) {
  filter.allow_all({"recvmsg", "sendmsg", "recvfrom", "shutdown", "getsockopt", "getsockname", "getpeername"});
  filter.allow("sendto", is(4, 0));
}

void allow_looking(CallFilter& filter) {
  filter.allow_all({"stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "access", "faccessat",
                    "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "statfs", "statfs64"});
}

void allow_opening_to_read(CallFilter& filter) {
  constexpr uint64_t kChanges = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
  filter.allow("openat", bits(2, kChanges, O_RDONLY));
  filter.allow("open", bits(1, kChanges, O_RDONLY));
}

void allow_database(CallFilter& filter) {
  filter.allow_all({"open", "openat", "pwrite64", "ftruncate", "ftruncate64", "fallocate", "fsync", "fdatasync",
                    "unlink", "unlinkat", "rename", "renameat", "renameat2"});
  for (const auto command : {F_GETLK, F_SETLK, F_SETLKW}) filter.allow("fcntl", is(1, command));
  for (const auto command : {12, 13, 14}) filter.allow("fcntl64", is(1, command));  // the same, of 64 bits
}

void allow_netlink(CallFilter& filter, bool nftables) {
  filter.allow("socket", is(0, AF_NETLINK), is(2, NETLINK_ROUTE));
  if (nftables) filter.allow("socket", is(0, AF_NETLINK), is(2, NETLINK_NETFILTER));
  filter.allow_all({"bind", "sendto", "setsockopt"});
}

void allow_connections(CallFilter& filter) {
  for (const int family : {AF_INET, AF_INET6}) {
    for (const uint64_t kind : {SOCK_STREAM, SOCK_DGRAM})
      filter.allow("socket", is(0, family), bits(1, kSocketKind, kind));
  }
  filter.allow("socketpair", is(0, AF_UNIX));
  filter.allow_all({"connect", "sendto", "sendmmsg", "setsockopt"});
}

void allow_readers(CallFilter& filter) {
  filter.allow("clone", bits(0, kNewNamespaces, 0));
  filter.allow_all({"fork", "vfork", "wait4", "waitid", "kill", "tgkill", "dup2", "dup3", "close_range"});
  filter.allow("socketpair", is(0, AF_UNIX));
  filter.allow_all({"setgroups", "getgroups", "setresgid", "getresgid", "setresuid", "getresuid", "setuid", "capget",
                    "capset", "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"});
  for (const auto option : {PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_GET_SECCOMP, PR_SET_PDEATHSIG})
    filter.allow("prctl", is(0, option));
}

void refuse_what_no_command_needs(CallFilter& filter) {
  filter.refuse_all({"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "process_madvise", "kcmp"});
  filter.refuse_all({"mount",
                     "umount",
                     "umount2",
                     "pivot_root",
                     "chroot",
                     "move_mount",
                     "open_tree",
                     "fsopen",
                     "fsmount",
                     "fspick",
                     "fsconfig",
                     "mount_setattr",
                     "swapon",
                     "swapoff",
                     "quotactl",
                     "quotactl_fd",
                     "open_by_handle_at",
                     "name_to_handle_at",
                     "mknod",
                     "mknodat",
                     "acct"});
  filter.refuse_all({"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf",
                     "perf_event_open", "userfaultfd", "iopl", "ioperm", "reboot", "personality", "setns", "unshare"});
  filter.refuse_all({"settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex",
                     "stime", "sethostname", "setdomainname", "add_key", "request_key", "keyctl"});
  filter.deny_existence("io_uring_setup");
}

}  // namespace mailward
