// What each part of the daemon needs still works when it is locked in, with what it is made of: the ledger, the event
// loop, the journal's library, the firewalls. What it must not be able to do is in src/lockdown/lockdown_test.cc.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <uv.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/descriptor.h"
#include "base/event.h"
#include "base/test_folder.h"
#include "firewall/firewall.h"
#include "firewall/host.h"
#include "firewall/process.h"
#include "ledger/ledger.h"
#include "lockdown/become.h"
#include "lockdown/lockdown.h"
#include "lockdown/test_child.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

// A line of `work` that fails is the child's exit status.
#define NEED(condition) \
  if (!(condition)) return __LINE__ % 199 + (std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition) < 0)

struct Pair {
  Descriptor ours, theirs;
  explicit Pair(int type) {
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return;
    ours = Descriptor(ends[0]);
    theirs = Descriptor(ends[1]);
  }
};

bool send_file(int socket, int file) {
  char kind = 'f';
  iovec text{&kind, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(head), &file, sizeof file);
  return ::sendmsg(socket, &message, 0) == 1;
}

int receive_file(int socket) {
  char kind = 0;
  iovec text{&kind, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  int file = -1;
  if (head != nullptr && head->cmsg_type == SCM_RIGHTS) std::memcpy(&file, CMSG_DATA(head), sizeof file);
  return file;
}

class Parts : public FolderTest {
 protected:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::app) << text;
    return path(name);
  }
};

using Reader = Parts;
using Keeper = Parts;
using Helper = Parts;

TEST_F(Reader, ReadsWhatItIsGiven) {
  SKIP_WITHOUT_MEANS();
  const std::string log = write("mail.log", "first line\n");
  const Pair pair(SOCK_STREAM);
  std::thread helper([&] {
    const Descriptor file(::open(log.c_str(), O_RDONLY));
    EXPECT_TRUE(send_file(pair.ours.get(), file.get()));
    char answer[16] = {};
    EXPECT_EQ(::recv(pair.ours.get(), answer, sizeof answer, 0), 4);
    EXPECT_STREQ(answer, "seen");
    std::ofstream(log, std::ios::app) << "second line\n";
    EXPECT_EQ(::send(pair.ours.get(), "grew", 4, 0), 4);
  });
  const int result = locked_in(lock_in_reader, [&] {
    const Descriptor file(receive_file(pair.theirs.get()));
    NEED(file.get() >= 0);
    char text[64] = {};
    struct stat facts{};
    NEED(::pread(file.get(), text, sizeof text, 0) == 11);
    NEED(::fstat(file.get(), &facts) == 0 && facts.st_size == 11);
    NEED(::lseek(file.get(), 6, SEEK_SET) == 6 && ::read(file.get(), text, 4) == 4);
    NEED(::send(pair.theirs.get(), "seen", 4, 0) == 4);
    const Descriptor poll(::epoll_create1(0));
    pollfd waiting{pair.theirs.get(), POLLIN, 0};
    NEED(::poll(&waiting, 1, 5000) == 1 && ::recv(pair.theirs.get(), text, sizeof text, 0) == 4);
    NEED(::pread(file.get(), text, sizeof text, 11) == 12);
    const std::string large(size_t{64} << 20, 'x');
    NEED(large.back() == 'x' && ::time(nullptr) != 0);
    return 0;
  });
  helper.join();
  EXPECT_EQ(result, 0);
}

TEST_F(Reader, ReadsTheJournal) {
  SKIP_WITHOUT_MEANS();
  const std::string file = path("1.journal");
  ASSERT_EQ(std::system(fmt::format("zcat " MAILWARD_JOURNALS "/1.journal.gz > {}", file).c_str()), 0);
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const Pair pair(SOCK_STREAM);
  ASSERT_TRUE(send_file(pair.ours.get(), fd));
  const int result = locked_in(lock_in_reader, [&] {
    int given = receive_file(pair.theirs.get());
    sd_journal* journal = nullptr;
    NEED(sd_journal_open_files_fd(&journal, &given, 1, 0) == 0);
    NEED(sd_journal_seek_head(journal) == 0);
    int entries = 0;
    char* cursor = nullptr;
    while (sd_journal_next(journal) > 0) {
      ++entries;
      const void* data = nullptr;
      size_t size = 0;
      NEED(sd_journal_get_data(journal, "MESSAGE", &data, &size) == 0);
      std::free(cursor);
      NEED(sd_journal_get_cursor(journal, &cursor) == 0);
    }
    NEED(entries == 1 || entries > 2);
    NEED(sd_journal_seek_cursor(journal, cursor) == 0 && sd_journal_next(journal) > 0);
    NEED(sd_journal_test_cursor(journal, cursor) > 0);
    sd_journal_close(journal);
    std::free(cursor);
    return 0;
  });
  ::close(fd);
  EXPECT_EQ(result, 0);
}

Event refused_login(int i) {
  Event e;
  e.kind = EventKind::kAuthFailed;
  e.time = Instant{Duration{1'767'225'600'000'000 + i}};
  e.address = *parse_address("192.0.2.7");
  e.line = static_cast<uint64_t>(i) + 1;
  return e;
}

TEST_F(Keeper, KeepsTheLedgerInItsFolderAndNothingElsewhere) {
  SKIP_WITHOUT_MEANS();
  const std::string ledger = path("var");
  ASSERT_TRUE(fs::create_directory(ledger));
  const std::string policy = write("policy.toml", "x");
  const auto keep = [&] {
    auto opened = Ledger::open(ledger + "/ledger.sqlite");
    NEED(opened);
    for (int i = 0; i < 20'000; ++i) {
      opened->note(refused_login(i), "log");
      if (i % 5000 == 0) NEED(opened->commit());
    }
    opened->note_part("large", std::string(8 << 20, 'x'));  // more than SQLite's cache
    NEED(opened->commit());
    NEED(fs::exists(ledger + "/ledger.sqlite-wal") && fs::exists(ledger + "/ledger.sqlite-shm"));
    NEED(opened->part("large")->size() == 8U << 20);
    auto again = Ledger::open_to_read(ledger + "/ledger.sqlite");
    NEED(again && again->part("large"));
    return 0;
  };
  const auto lock = [&] { return lock_in_keeper({ledger, {}}); };
  EXPECT_EQ(locked_in(lock, keep), 0);
  EXPECT_TRUE(Ledger::open_to_read(ledger + "/ledger.sqlite"));
  EXPECT_EQ(locked_in(lock,
                      [&] {
                        NEED(::rename((ledger + "/ledger.sqlite").c_str(), (ledger + "/old").c_str()) == 0);
                        NEED(::unlink((ledger + "/old").c_str()) == 0);
                        // Only regular files, only there, and nothing that could be run.
                        NEED(::open((ledger + "/../new").c_str(), O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
                        NEED(::mkdir((ledger + "/folder").c_str(), 0700) != 0);
                        NEED(::symlink("/etc/passwd", (ledger + "/link").c_str()) != 0);
                        NEED(::chmod(ledger.c_str(), 0777) != 0);
                        NEED(::open("/dev/null", O_WRONLY) < 0);
                        return 0;
                      }),
            0);
  EXPECT_EQ(locked_in(lock, [&] { return ::open(policy.c_str(), O_RDONLY) < 0 ? 0 : 1; }), 0);
  EXPECT_EQ(locked_in([&] { return lock_in_keeper({ledger, {folder_}}); },
                      [&] {
                        NEED(::open(policy.c_str(), O_RDONLY) >= 0);
                        NEED(::open(policy.c_str(), O_WRONLY) < 0);
                        return 0;
                      }),
            0);
}

sockaddr_un local_address(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  return at;
}

int local_socket(int type, const std::string& path, bool connects) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  const sockaddr_un at = local_address(path);
  const auto* address = reinterpret_cast<const sockaddr*>(&at);
  const int code = connects ? ::connect(fd, address, sizeof at) : ::bind(fd, address, sizeof at);
  EXPECT_EQ(code, 0) << path << ": " << std::strerror(errno);
  return fd;
}

// The event loop: a control socket that listens already, another thread, a timer, a child's end of a socket pair, and
// one line to who waits for sd_notify's.
struct Loop {
  uv_loop_t loop{};
  uv_pipe_t control{}, client{};
  uv_async_t done{};
  uv_timer_t timer{};
  std::string heard;
  ucred peer{};
  int awaited = 3;
  void one_less() {
    if (--awaited == 0) uv_stop(&loop);
  }
};

int serve(int listening, int notify, pid_t client) {
  Loop l;
  NEED(uv_loop_init(&l.loop) == 0);
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&l.control), reinterpret_cast<uv_handle_t*>(&l.client),
                       reinterpret_cast<uv_handle_t*>(&l.done), reinterpret_cast<uv_handle_t*>(&l.timer)})
    handle->data = &l;
  uv_pipe_init(&l.loop, &l.control, 0);
  uv_pipe_init(&l.loop, &l.client, 0);
  NEED(uv_pipe_open(&l.control, listening) == 0);
  const auto accepted = [](uv_stream_t* server, int) {
    auto& own = *static_cast<Loop*>(server->data);
    if (uv_accept(server, reinterpret_cast<uv_stream_t*>(&own.client)) != 0) return;
    int fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(&own.client), &fd);
    socklen_t size = sizeof own.peer;
    ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &own.peer, &size);
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(&own.client),
        [](uv_handle_t*, size_t, uv_buf_t* room) {
          static char text[64];
          *room = uv_buf_init(text, sizeof text);
        },
        [](uv_stream_t* stream, ssize_t n, const uv_buf_t* text) {
          auto& o = *static_cast<Loop*>(stream->data);
          if (n > 0) o.heard.assign(text->base, static_cast<size_t>(n));
          char answer[] = "ok\n";
          uv_buf_t out = uv_buf_init(answer, 3);
          if (uv_try_write(stream, &out, 1) == 3) o.one_less();
          uv_read_stop(stream);
        });
  };
  NEED(uv_listen(reinterpret_cast<uv_stream_t*>(&l.control), 8, accepted) == 0);
  NEED(uv_async_init(&l.loop, &l.done, [](uv_async_t* a) { static_cast<Loop*>(a->data)->one_less(); }) == 0);
  std::thread writer([&] { uv_async_send(&l.done); });
  uv_timer_init(&l.loop, &l.timer);
  uv_timer_start(&l.timer, [](uv_timer_t* t) { static_cast<Loop*>(t->data)->one_less(); }, 5, 0);
  uv_run(&l.loop, UV_RUN_DEFAULT);
  writer.join();
  NEED(l.heard == "status\n" && l.peer.pid == client && l.peer.uid == ::getuid());
  NEED(::send(notify, "READY=1", 7, 0) == 7);
  return 0;
}

TEST_F(Keeper, ServesTheControlSocket) {
  SKIP_WITHOUT_MEANS();
  const Descriptor listening(local_socket(SOCK_STREAM, path("control.sock"), false));
  ASSERT_EQ(::listen(listening.get(), 8), 0);
  const Descriptor manager(local_socket(SOCK_DGRAM, path("notify"), false));
  const Descriptor notify(local_socket(SOCK_DGRAM, path("notify"), true));
  const Descriptor client(local_socket(SOCK_STREAM, path("control.sock"), true));
  ASSERT_EQ(::send(client.get(), "status\n", 7, 0), 7);
  const int result = locked_in([&] { return lock_in_keeper({folder_, {}}); },
                               [&, us = ::getpid()] { return serve(listening.get(), notify.get(), us); });
  EXPECT_EQ(result, 0);
  char text[16] = {};
  EXPECT_EQ(::recv(client.get(), text, sizeof text, MSG_DONTWAIT), 3);
  EXPECT_EQ(::recv(manager.get(), text, sizeof text, MSG_DONTWAIT), 7);
}

TEST_F(Helper, OpensLogsWhateverTheirNamesBecome) {
  SKIP_WITHOUT_MEANS();
  const std::string log = write("mail.log", "a\n");
  const Pair pair(SOCK_STREAM);
  int given = -1;
  std::thread rotation([&] {
    char asked = 0;
    EXPECT_EQ(::recv(pair.ours.get(), &asked, 1, 0), 1);
    fs::rename(log, log + ".1");
    write("mail.log", "after\n");
    given = receive_file(pair.ours.get());
  });
  const int result = locked_in([&] { return lock_in_helper({.folders = {folder_}}); },
                               [&] {
                                 uv_loop_t loop;
                                 uv_fs_event_t events;
                                 NEED(uv_loop_init(&loop) == 0 && uv_fs_event_init(&loop, &events) == 0);
                                 const auto seen = [](uv_fs_event_t* e, const char*, int, int) { uv_stop(e->loop); };
                                 NEED(uv_fs_event_start(&events, seen, folder_.c_str(), 0) == 0);
                                 NEED(::send(pair.theirs.get(), "?", 1, 0) == 1);
                                 uv_run(&loop, UV_RUN_DEFAULT);  // until the log is rotated
                                 while (!fs::exists(log) || !fs::exists(log + ".1")) ::usleep(1000);
                                 const auto names = fs::directory_iterator(folder_);
                                 NEED(std::distance(begin(names), end(names)) == 2);
                                 const Descriptor file(::open(log.c_str(), O_RDONLY | O_NOFOLLOW));
                                 NEED(file.get() >= 0 && send_file(pair.theirs.get(), file.get()));
                                 return 0;
                               });
  EXPECT_EQ(result, 0);
  ::shutdown(pair.theirs.get(), SHUT_RDWR);  // whatever came of it, the thread ends
  rotation.join();
  const Descriptor file(given);
  char text[16] = {};
  EXPECT_EQ(::read(file.get(), text, sizeof text), 6);
}

TEST_F(Helper, KnowsItsHost) {
  SKIP_WITHOUT_MEANS();
  EXPECT_EQ(locked_in([] { return lock_in_helper({}); },
                      [] {
                        const auto host = protected_of_host();
                        if (!host) std::fprintf(stderr, "%s\n", host.error().message.c_str());
                        NEED(host && !host->empty());
                        return 0;
                      }),
            0);
}

int ban_and_unban(const FirewallConfig& config) {
  auto firewall = make_firewall(config);
  NEED(firewall);
  const Instant now{Duration{1'767'225'600'000'000}};
  const auto prepared = (*firewall)->prepare();
  if (!prepared) std::fprintf(stderr, "%s\n", prepared.error().message.c_str());
  NEED(prepared);
  const Network network = *parse_network("203.0.113.9");
  const Ban ban{network, now + Duration{3'600'000'000}, "default/test"};
  NEED((*firewall)->ban({&ban, 1}, now));
  const auto held = (*firewall)->held(now);
  NEED(held && held->size() == 1 && held->front().network == network);
  NEED((*firewall)->unban({&network, 1}));
  NEED((*firewall)->held(now)->empty());
  return 0;
}

TEST_F(Helper, BansByNftables) {
  SKIP_WITHOUT_MEANS();
  if (in_child([] { return ::unshare(CLONE_NEWNET) == 0 ? 0 : 1; }) != 0)
    GTEST_SKIP() << "no network namespace of its own to be had here (not root?)";
  const auto lock = [](bool nftables) {
    return [nftables] {
      if (::unshare(CLONE_NEWNET) != 0) return Result<std::string>(fail("no namespace"));
      return lock_in_helper({.nftables = nftables});
    };
  };
  EXPECT_EQ(locked_in(lock(true), [] { return ban_and_unban({}); }), 0);
  EXPECT_NE(locked_in(lock(false), [] { return ban_and_unban({}); }), 0);
}

TEST_F(Helper, RunsTheCommandsOfTheFirewall) {
  SKIP_WITHOUT_MEANS();
  const std::string script = write("block", "#!/bin/sh\necho \"$@\" >> " + path("calls") + "\n");
  ::chmod(script.c_str(), 0700);
  FirewallConfig config;
  config.backend = "command";
  config.ban_command = {script, "ban", "{network}"};
  config.unban_command = {script, "unban", "{network}"};
  const auto lock = [&] { return lock_in_helper({.programs = {script}}); };
  EXPECT_EQ(locked_in(lock, [&] { return ban_and_unban(config); }), 0);
  std::ifstream calls(path("calls"));
  std::string first;
  std::getline(calls, first);
  EXPECT_EQ(first, "ban 203.0.113.9/32");
  // One that takes too long is killed.
  EXPECT_EQ(locked_in(lock,
                      [] {
                        const std::string arguments[] = {"/bin/sh", "-c", "sleep 60"};
                        const auto ran = run_process(arguments, "", std::chrono::milliseconds(50));
                        NEED(!ran && ran.error().message.find("took longer") != std::string::npos);
                        return 0;
                      }),
            0);
}

// What every request of CrowdSec's backend begins with: a name becomes an address, one connects.
class HttpServer {
 public:
  HttpServer() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(listening_.get(), 8), 0);
    ::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    // Refuses every login, and says so.
    thread_ = std::thread([this] {
      for (int fd = -1; (fd = ::accept(listening_.get(), nullptr, nullptr)) >= 0;) {
        const Descriptor client(fd);
        char request[4096];
        if (::recv(fd, request, sizeof request, 0) <= 0) continue;
        ++asked;
        const std::string_view answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~HttpServer() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  uint16_t port = 0;
  std::atomic<int> asked = 0;

 private:
  Descriptor listening_;
  std::thread thread_;
};

TEST_F(Helper, AsksCrowdSecAndNobodyElse) {
  SKIP_WITHOUT_MEANS();
  HttpServer server, other;
  const auto credentials = [&](uint16_t port) {
    return fmt::format("url: http://localhost:{}\nlogin: x\npassword: y\n", port);
  };
  const auto lock = [&] { return lock_in_helper({.folders = {folder_}, .ports = {server.port}}); };
  FirewallConfig config;
  config.backend = "crowdsec";
  for (HttpServer* asked : {&server, &other}) {
    if (asked == &other && landlock_version() < 4) continue;  // such a kernel lets it
    config.crowdsec_credentials = path(std::to_string(asked->port));
    std::ofstream(config.crowdsec_credentials) << credentials(asked->port);
    EXPECT_EQ(locked_in(lock, [&] { return make_firewall(config).value()->prepare() ? 1 : 0; }), 0);
  }
  EXPECT_EQ(server.asked, 1);
  EXPECT_EQ(other.asked, 0);
}

TEST_F(Helper, StartsAReaderThatIsNobody) {
  SKIP_WITHOUT_MEANS();
  if (::getuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const std::string log = write("mail.log", "a line\n");
  const int result =
      locked_in([&] { return lock_in_helper({.folders = {folder_}, .nftables = true, .starts_readers = true}); },
                [&] {
                  int ends[2];
                  NEED(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
                  const pid_t reader = ::fork();
                  if (reader == 0) {
                    const auto became = become(65534, 65534);
                    if (!became) std::fprintf(stderr, "%s\n", became.error().message.c_str());
                    if (!became || !lock_in_reader()) ::_exit(1);
                    char text[16];
                    const int file = receive_file(ends[1]);
                    if (file < 0 || ::read(file, text, sizeof text) != 7) ::_exit(2);
                    ::_exit(::fork() < 0 && ::open("/etc/passwd", O_RDONLY) < 0 && ::kill(::getppid(), 0) != 0 ? 0 : 3);
                  }
                  NEED(reader > 0);
                  const Descriptor file(::open(log.c_str(), O_RDONLY));
                  NEED(send_file(ends[0], file.get()));
                  int status = 0;
                  NEED(::waitpid(reader, &status, 0) == reader);
                  NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                  // One that hangs is killed.
                  const pid_t hanging = ::fork();
                  if (hanging == 0) {
                    for (;;) ::pause();
                  }
                  NEED(hanging > 0 && ::kill(hanging, SIGKILL) == 0 && ::waitpid(hanging, &status, 0) == hanging);
                  NEED(WIFSIGNALED(status));
                  return 0;
                });
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace mailward
