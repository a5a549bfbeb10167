// What each part must not be able to do, call by call. What it must be able to do with the rest of the program is in
// tests/lockdown.
#include "lockdown/lockdown.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "lockdown/test_child.h"

namespace mailward {
namespace {

TEST(Lockdown, ScanCanDoItsWork) {
  SKIP_WITHOUT_MEANS();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  const int result = locked_in(lock_in, [&] {
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

sockaddr_in loopback(uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

// What a process finds around it, made before it locks itself in, in namespaces of its own where it may have them.
class Around {
 public:
  explicit Around(const TestFolder& folder)
      : file(folder.path("file")), local(folder.path("socket")), folder_(folder) {}

  void prepare() {
    parent = getppid();
    own_mounts = unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    std::ofstream(file) << "text";
    mkdir(ledger().c_str(), 0700);
    listening = listener(port);
    listener(other_port);
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    other_tcp = socket(AF_INET, SOCK_STREAM, 0);
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    local_client = socket(AF_UNIX, SOCK_STREAM, 0);
    const int local_server = socket(AF_UNIX, SOCK_STREAM, 0);
    const sockaddr_un at = local_address();
    if (bind(local_server, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) ::listen(local_server, 1);
  }
  std::string ledger() const { return folder_.path("ledger"); }
  std::string in_folder(const char* name) const { return folder_.path(name); }
  sockaddr_un local_address() const {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    local.copy(at.sun_path, sizeof at.sun_path - 1);
    return at;
  }

  const std::string file, local;
  uint16_t port = 0, other_port = 0;
  int listening = -1, tcp = -1, other_tcp = -1, udp = -1, local_client = -1;
  pid_t parent = 0;
  bool own_mounts = false;

 private:
  static int listener(uint16_t& at_port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    if (bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0 && ::listen(fd, 4) == 0) {
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
      at_port = ntohs(at.sin_port);
    }
    return fd;
  }
  const TestFolder& folder_;
};

struct Part {
  char letter;
  const char* name;
  std::function<Result<std::string>(const Around&)> lock;
};

const Part kParts[] = {
    {'s', "scan", [](const Around&) { return lock_in(); }},
    {'r', "reader", [](const Around&) { return lock_in_reader(); }},
    {'k', "keeper", [](const Around& a) { return lock_in_keeper({a.ledger(), {}}); }},
    {'n', "helper, nftables", [](const Around&) { return lock_in_helper({.nftables = true}); }},
    {'c', "helper, CrowdSec", [](const Around& a) { return lock_in_helper({.ports = {a.port}}); }},
    {'f', "helper that starts readers", [](const Around&) { return lock_in_helper({.starts_readers = true}); }},
    {'p', "helper, a command", [](const Around&) { return lock_in_helper({.programs = {"/bin/true"}}); }},
};

bool connects(int fd, uint16_t port) {
  const sockaddr_in at = loopback(port);
  return connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
}
bool makes_socket(int family, int type, int protocol = 0) { return socket(family, type, protocol) >= 0; }
bool opens(const std::string& path, int flags) { return open(path.c_str(), flags, 0600) >= 0; }
int seen_by_parent = 7;

struct Deed {
  const char* name;
  // The parts that may do it, by their letters. It is none of the business of most; a helper that runs commands does
  // what they do.
  const char* may;
  std::function<bool(const Around&)> works;
  const char* by_landlock = "";  // in these parts it is Landlock that forbids it,
  int version = 1;               // from this version on
};

const Deed kDeeds[] = {
    {"read_a_file", "p", [](const Around& a) { return opens(a.file, O_RDONLY); }, "kncf"},
    {"read_below_etc", "ncfp", [](const Around&) { return opens("/etc/passwd", O_RDONLY); }, "k"},
    {"list_a_folder", "p", [](const Around&) { return opens("/", O_RDONLY | O_DIRECTORY); }, "kncf"},
    {"write_a_file", "p", [](const Around& a) { return opens(a.file, O_WRONLY); }, "k"},
    {"read_and_write_a_file", "p", [](const Around& a) { return opens(a.file, O_RDWR); }, "k"},
    {"make_a_file", "p", [](const Around& a) { return opens(a.in_folder("new"), O_RDONLY | O_CREAT); }, "k"},
    {"make_a_nameless_file", "p", [](const Around& a) { return opens(a.in_folder(""), O_WRONLY | O_TMPFILE); }, "k"},
    {"write_to_a_device", "p", [](const Around&) { return opens("/dev/null", O_WRONLY); }, "k"},
    {"cut_a_file", "p", [](const Around& a) { return truncate(a.file.c_str(), 0) == 0; }},
    {"remove_a_file", "p", [](const Around& a) { return unlink(a.file.c_str()) == 0; }, "k"},
    {"rename_a_file", "p", [](const Around& a) { return rename(a.file.c_str(), a.in_folder("renamed").c_str()) == 0; },
     "k"},
    {"link_a_file", "p", [](const Around& a) { return link(a.file.c_str(), a.in_folder("link").c_str()) == 0; }},
    {"make_a_symbolic_link", "p", [](const Around& a) { return symlink("file", a.in_folder("sym").c_str()) == 0; }},
    {"make_a_folder", "p", [](const Around& a) { return mkdir(a.in_folder("folder").c_str(), 0700) == 0; }},
    {"make_a_device", "",
     [](const Around& a) { return mknod(a.in_folder("null").c_str(), S_IFCHR | 0600, 0x103) == 0; }},
    {"change_a_mode", "p", [](const Around& a) { return chmod(a.file.c_str(), 0644) == 0; }},
    {"change_an_owner", "p", [](const Around& a) { return chown(a.file.c_str(), getuid(), getgid()) == 0; }},
    {"change_the_folder", "p", [](const Around&) { return chdir("/") == 0; }},
    {"change_the_root", "", [](const Around&) { return chroot("/") == 0; }},
    {"mount", "",
     [](const Around& a) { return a.own_mounts && mount("x", a.ledger().c_str(), "tmpfs", 0, nullptr) == 0; }},
    {"unmount", "", [](const Around& a) { return a.own_mounts && umount2("/proc", MNT_DETACH) == 0; }},
    {"leave_its_namespaces", "", [](const Around&) { return unshare(CLONE_NEWNET) == 0; }},

    {"socket_IPv4", "cp", [](const Around&) { return makes_socket(AF_INET, SOCK_STREAM); }},
    {"socket_IPv6", "cp", [](const Around&) { return makes_socket(AF_INET6, SOCK_STREAM); }},
    {"socket_UDP", "cp", [](const Around&) { return makes_socket(AF_INET, SOCK_DGRAM); }},
    {"socket_raw", "p", [](const Around&) { return makes_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }},
    {"socket_packet", "p", [](const Around&) { return makes_socket(AF_PACKET, SOCK_RAW); }},
    {"socket_local", "p", [](const Around&) { return makes_socket(AF_UNIX, SOCK_STREAM); }},
    {"socket_netfilter", "np", [](const Around&) { return makes_socket(AF_NETLINK, SOCK_RAW, 12); }},
    {"socket_uevents", "p", [](const Around&) { return makes_socket(AF_NETLINK, SOCK_RAW, 15); }},
    {"connect", "cp", [](const Around& a) { return connects(a.tcp, a.port); }},
    {"connect_to_another_port", "p", [](const Around& a) { return connects(a.other_tcp, a.other_port); }, "c", 4},
    // With a socket that it could not have made.
    {"connect_a_local_socket", "cp",
     [](const Around& a) {
       const sockaddr_un at = a.local_address();
       return connect(a.local_client, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
     }},
    {"send_to_a_name", "ncfp",
     [](const Around& a) {
       const sockaddr_in at = loopback(a.port);
       return sendto(a.udp, "x", 1, 0, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 1;
     }},
    {"accept", "kp",
     [](const Around& a) {
       fcntl(a.listening, F_SETFL, O_NONBLOCK);
       return accept4(a.listening, nullptr, nullptr, 0) >= 0 || errno == EAGAIN;
     }},
    {"listen", "kp", [](const Around& a) { return ::listen(a.tcp, 1) == 0; }},

    {"execute", "p", [](const Around&) { return execl("/bin/true", "true", nullptr) == 0; }},
    {"fork", "fp",
     [](const Around&) {
       const pid_t p = fork();
       if (p == 0) _exit(0);
       return p > 0;
     }},
    {"begin_a_thread", "skncfp",
     [](const Around&) {
       try {
         std::thread([] {}).join();
         return true;
       } catch (const std::system_error&) {
         return false;
       }
     }},
    {"signal_another", "p", [](const Around& a) { return kill(a.parent, 0) == 0; }, "f", 6},
    {"signal_a_thread_of_another", "p", [](const Around& a) { return syscall(SYS_tgkill, a.parent, a.parent, 0) == 0; },
     "f", 6},
    {"signal_by_a_descriptor", "p", [](const Around& a) { return fcntl(a.udp, F_SETOWN, a.parent) == 0; }},
    {"trace_another", "", [](const Around& a) { return ptrace(PTRACE_SEIZE, a.parent, nullptr, nullptr) == 0; }},
    {"read_anothers_memory", "",
     [](const Around& a) {
       int copy = 0;
       const iovec ours{&copy, sizeof copy}, theirs{&seen_by_parent, sizeof seen_by_parent};
       return process_vm_readv(a.parent, &ours, 1, &theirs, 1, 0) == sizeof copy && copy == 7;
     }},
    {"read_anothers_memory_as_a_file", "p",
     [](const Around& a) { return opens("/proc/" + std::to_string(a.parent) + "/mem", O_RDONLY); }, "kncf"},
    {"executable_memory", "p",
     [](const Around&) {
       return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
     }},
    {"become_another_user", "fp", [](const Around&) { return setresuid(65534, 65534, 65534) == 0; }},
    {"set_limits", "p",
     [](const Around&) {
       const rlimit limit{64, 64};
       return setrlimit(RLIMIT_NOFILE, &limit) == 0;
     }},
    {"change_the_host_name", "", [](const Around&) { return unshare(CLONE_NEWUTS) == 0 && sethostname("x", 1) == 0; }},
    {"ring_of_calls", "",
     [](const Around&) {
       char parameters[128] = {};
       return syscall(425 /* io_uring_setup */, 1, parameters) >= 0;
     }},
    {"watch_a_folder", "ncfp", [](const Around&) { return syscall(SYS_inotify_init1, 0) >= 0; }},
};

// As on a kernel without it.
bool hide_landlock() {
  const auto filter = seccomp_init(SCMP_ACT_ALLOW);
  const bool hidden = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SYS_landlock_create_ruleset, 0) == 0 &&
                      seccomp_load(filter) == 0;
  seccomp_release(filter);
  return hidden;
}

class DeedTest : public testing::TestWithParam<Deed> {
 protected:
  // 0: done, 1: not, else something is wrong.
  static int done_by(const Part* part, bool with_landlock) {
    const TestFolder folder;
    Around around(folder);
    return in_child([&] {
      around.prepare();
      if (!with_landlock && !hide_landlock()) return 101;
      if (part != nullptr) {
        const auto locked = part->lock(around);
        if (!locked || !locked->starts_with("locked in")) return 100;
        if (!with_landlock && part->letter != 'p' && locked->find("without Landlock") == std::string::npos) return 102;
      }
      return GetParam().works(around) ? 0 : 1;
    });
  }
};

TEST_P(DeedTest, IsDoneByThoseWhoMay) {
  SKIP_WITHOUT_MEANS();
  const Deed& deed = GetParam();
  // First without: a call that fails anyway proves nothing.
  if (done_by(nullptr, true) != 0) {
    if (getuid() != 0) GTEST_SKIP() << "only root may do that at all";
    ASSERT_STREQ(deed.name, "ring_of_calls") << "does not work at all here";
    GTEST_SKIP() << "this kernel has no io_uring";
  }
  for (const Part& part : kParts) {
    const bool may = std::strchr(deed.may, part.letter) != nullptr;
    const bool landlocked = std::strchr(deed.by_landlock, part.letter) != nullptr;
    if (!landlocked || landlock_version() >= deed.version) {
      EXPECT_EQ(done_by(&part, true), may ? 0 : 1) << deed.name << ": " << part.name;
    }
    EXPECT_EQ(done_by(&part, false), may || landlocked ? 0 : 1)
        << deed.name << ": " << part.name << " without Landlock";
  }
}

INSTANTIATE_TEST_SUITE_P(Lockdown, DeedTest, testing::ValuesIn(kDeeds), [](const auto& p) { return p.param.name; });

TEST(Lockdown, WhatCantBeHadIsAnErrorOrTold) {
  SKIP_WITHOUT_MEANS();
  if (landlock_version() < 1) GTEST_SKIP() << "this kernel has no Landlock";
  const TestFolder folder;
  EXPECT_EQ(in_child([&] { return lock_in_keeper({folder.path("missing"), {}}) ? 1 : 0; }), 0);
  EXPECT_EQ(in_child([&] {
              const auto locked = lock_in_helper({.folders = {folder.name(), folder.path("missing")}});
              return locked && locked->ends_with("not there: " + folder.path("missing")) ? 0 : 1;
            }),
            0);
}

// A filter that lets nothing more be filtered: the way in is barred, and that is no reason to go on.
TEST(Lockdown, ARefusalIsAnError) {
  SKIP_WITHOUT_MEANS();
  for (const Part& part : kParts) {
    const TestFolder folder;
    Around around(folder);
    EXPECT_EQ(in_child([&] {
                around.prepare();
                if (!lock_in_keeper({around.ledger(), {"/"}})) return 2;
                return part.lock(around) ? 1 : 0;
              }),
              0)
        << part.name;
  }
}

}  // namespace
}  // namespace mailward
