// For tests: a real systemd-journald with a journal and sockets of its own, in a mount namespace.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/test_folder.h"

namespace mailward {

class Journald {
 public:
  static constexpr const char* kProgram = "/lib/systemd/systemd-journald";

  // Why there can be none here; empty: there can.
  static std::string missing() {
    if (::getuid() != 0) return "only root can have a journald of its own";
    if (::access(kProgram, X_OK) != 0) return "systemd-journald is not installed";
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::unshare(CLONE_NEWNS) == 0 ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : "no mount namespace to be had here";
  }

  // With more files than that, journald deletes the oldest.
  explicit Journald(int most_files = 100000) {
    namespace fs = std::filesystem;
    fs::create_directories(root_.path("log/journal"));
    fs::create_directories(root_.path("etc"));
    std::ofstream(root_.path("etc/journald.conf"))
        << "[Journal]\nStorage=persistent\nSplitMode=uid\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\nSeal=no\n"
           "SyncIntervalSec=1s\nSystemMaxFileSize=1M\nSystemMaxFiles="
        << most_files << "\n";
    set_machine("0123456789abcdef0123456789abcdef");
    start();
  }
  ~Journald() { stop(SIGKILL); }

  void start() {
    pid_ = ::fork();
    if (pid_ == 0) {
      run();
      ::_exit(127);
    }
    for (int tries = 0; tries < 500 && ::access(at("/run/systemd/journal/socket").c_str(), F_OK) != 0; ++tries) pause();
    socket_ = connect();
  }
  void stop(int signal) {
    if (pid_ <= 0) return;
    ::close(socket_);
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void rotate() {
    const auto live = [&] {
      struct stat s{};
      return ::stat((machine_folder() + "/system.journal").c_str(), &s) == 0 ? s.st_ino : 0;
    };
    const ino_t before = live();
    ::kill(pid_, SIGUSR2);
    for (int tries = 0; tries < 1000 && (live() == before || live() == 0); ++tries) pause();
  }
  // All archived files.
  void vacuum() const {
    for (const auto& file : std::filesystem::directory_iterator(machine_folder()))
      if (file.path().filename().string().find('@') != std::string::npos) std::filesystem::remove(file.path());
  }

  // By a process of that user. A journald that has died is started again, as systemd does.
  void write(const std::string& message, uid_t user = 0) {
    const std::string entry = fmt::format("MESSAGE={}\nSYSLOG_IDENTIFIER=test\nPRIORITY=6\n", message);
    if (user == 0) {
      bool sent = ::send(socket_, entry.data(), entry.size(), 0) > 0;
      if (!sent && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        ::close(socket_);
        start();
        sent = ::send(socket_, entry.data(), entry.size(), 0) > 0;
      }
      EXPECT_TRUE(sent) << std::strerror(errno);
      return;
    }
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::setuid(user) == 0 && ::send(socket_, entry.data(), entry.size(), 0) > 0 ? 0 : 1);
    ::waitpid(child, nullptr, 0);
  }

  std::string folder() const { return root_.path("log/journal"); }
  std::string machine_folder() const { return folder() + "/" + machine_; }
  // From its next start on.
  void set_machine(const std::string& id) {
    machine_ = id;
    std::ofstream(root_.path("machine-id")) << id << "\n";
  }

  // The messages as journalctl tells them, in its order; of root's processes only, or of all.
  std::vector<std::string> told(bool all = false) const {
    const std::string command =
        fmt::format("journalctl -q -a -D {} -o export {} 2> /dev/null", folder(), all ? "" : "_UID=0");
    const std::unique_ptr<FILE, int (*)(FILE*)> out(::popen(command.c_str(), "r"), ::pclose);
    std::vector<std::string> messages;
    char* line = nullptr;
    size_t room = 0;
    for (ssize_t n = 0; (n = ::getline(&line, &room, out.get())) > 0;) {
      const std::string_view text(line, static_cast<size_t>(n) - 1);
      if (text.starts_with("MESSAGE=")) messages.emplace_back(text.substr(8));
    }
    std::free(line);
    return messages;
  }
  // Waits until journald wrote it.
  void wait_for(const std::string& message) const {
    for (int tries = 0; tries < 500; ++tries) {
      const auto messages = told(true);
      if (std::find(messages.rbegin(), messages.rend(), message) != messages.rend()) return;
      pause();
    }
    ADD_FAILURE() << message << " never came";
  }
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

 private:
  std::string at(const std::string& path) const { return fmt::format("/proc/{}/root{}", pid_, path); }
  int connect() const {
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    at("/run/systemd/journal/socket").copy(address.sun_path, sizeof address.sun_path - 1);
    for (int tries = 0; tries < 500; ++tries) {
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
      pause();
    }
    ADD_FAILURE() << "journald doesn't listen";
    return fd;
  }
  void run() const {
    const auto bind = [](const std::string& from, const char* to) {
      return ::mount(from.c_str(), to, nullptr, MS_BIND, nullptr) == 0;
    };
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it doesn't outlive its test
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
    if (::mount("run", "/run", "tmpfs", 0, nullptr) != 0 || !bind(root_.path("log"), "/var/log")) return;
    if (!bind(root_.path("etc"), "/etc/systemd") || !bind(root_.path("machine-id"), "/etc/machine-id")) return;
    for (const char* folder : {"/run/systemd", "/run/systemd/journal"}) ::mkdir(folder, 0755);
    ::close(::open("/run/systemd/journal/flushed", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    const int nothing = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(nothing, fd);
    ::execl(kProgram, kProgram, nullptr);
  }

  TestFolder root_;
  std::string machine_;
  pid_t pid_ = 0;
  int socket_ = -1;
};

}  // namespace mailward
