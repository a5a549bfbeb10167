// The daemon with a reader that an attacker has taken over: `broken_reader ATTACK CONFIG LEDGER`. Once it is locked in
// it tries what it can, tells on standard error what succeeded ("DONE: …") and what failed ("failed: …"), and then
// goes on as ATTACK says:
//   system      nothing more: it waits to be stopped
//   accuse      convicts 127.0.0.1, 0.0.0.0, 198.51.100.7 (ignored) and 2,000 bystanders
//   nonsense    sends what is no message
//   impossible  sends messages that are not its to send, or not whole
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "cli/daemon_setup.h"
#include "daemon/protocol.h"

namespace mailward {
namespace {

std::string ledger_file;

void tell(const std::string& what, bool done) {
  const std::string line = fmt::format("{}: {}\n", done ? "DONE" : "failed", what);
  [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, line.data(), line.size());
}

void try_everything(const std::vector<std::string>& inputs) {
  for (const std::string& path : {std::string("/etc/passwd"), ledger_file, inputs[0], std::string("/proc/self/mem")})
    tell("open " + path, ::open(path.c_str(), O_RDONLY) >= 0);
  tell("write a file", ::open("/tmp/broken-reader-was-here", O_WRONLY | O_CREAT, 0600) >= 0);
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK})
    tell(fmt::format("a socket of family {}", family), ::socket(family, SOCK_STREAM, 0) >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(22);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int fd = 0; fd < 64; ++fd)
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) tell("connect", true);
  char shell[] = "/bin/sh";
  char* arguments[] = {shell, nullptr};
  char* none[] = {nullptr};
  tell("exec", ::execve(shell, arguments, none) == 0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  tell("fork", child > 0);
  tell("kill its parent", ::kill(::getppid(), SIGTERM) == 0);
  tell("trace its parent", ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr) == 0);
  tell("unlink the log", ::unlink(inputs[0].c_str()) == 0);
  tell("rename the ledger", ::rename(ledger_file.c_str(), "/tmp/stolen") == 0);
  tell("chmod", ::chmod(inputs[0].c_str(), 0777) == 0);
  tell("mount", ::mount("none", "/mnt", "tmpfs", 0, nullptr) == 0);
  tell("become root", ::setuid(0) == 0);
}

void convict(Encoder& out, const std::string& address, int times) {
  Event e;
  e.kind = EventKind::kAuthFailed;
  e.address = *parse_address(address);
  e.time = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  e.facts[static_cast<size_t>(Fact::kUser)] = "root@elsewhere.example";
  e.raw = "whatever";
  for (int i = 0; i < times; ++i) {
    e.line = static_cast<uint64_t>(i);
    write_event(e, out);
  }
}

void accuse(Channel& keeper) {
  Encoder out;
  for (const char* address : {"127.0.0.1", "0.0.0.0", "198.51.100.7", "::1", "fe80::1", "255.255.255.255"})
    convict(out, address, 50);
  for (int i = 0; i < 2000; ++i) convict(out, fmt::format("192.0.{}.{}", 3 + i / 250, 1 + i % 250), 1);
  keeper.put(static_cast<uint8_t>(Say::kEvents), out.take());
  keeper.flush_all();
}

int broken(const std::string& attack, const std::vector<std::string>& inputs, Channel keeper, Channel helper) {
  try_everything(inputs);
  if (attack == "accuse") accuse(keeper);
  if (attack == "nonsense") {
    const std::string bytes(100'000, '\xee');
    for (const int fd : {keeper.fd(), helper.fd()}) (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  if (attack == "impossible") {
    Encoder network;
    write_network({Address::v4(0), 0}, network);
    for (const Say kind :
         {Say::kDesire, Say::kRelease, Say::kReady, Say::kMark, Say::kEvents, Say::kFinished, Say::kReload})
      keeper.put(static_cast<uint8_t>(kind), "\x01\x02\x03");
    keeper.put(static_cast<uint8_t>(Say::kDesire), network.take());
    keeper.flush_all();
    Encoder input;
    input.number(1'000'000);
    input.number(1);
    helper.put(static_cast<uint8_t>(Say::kAsk), input.take());
    helper.put(static_cast<uint8_t>(Say::kDesire), "x");
    helper.flush_all();
  }
  tell("nothing more", false);
  while (keeper.receive() != Channel::Got::kEnd) {
    pollfd wait{keeper.fd(), POLLIN, 0};
    ::poll(&wait, 1, -1);
    Channel::Message message;
    while (keeper.next(message))
      if (static_cast<Say>(message.kind) == Say::kStop) return 0;
  }
  return 0;
}

}  // namespace
}  // namespace mailward

int main(int argc, char** argv) {
  using namespace mailward;
  if (argc != 4) return 2;
  GlobalOptions globals;
  globals.config = argv[2];
  globals.ledger = ledger_file = argv[3];
  auto config = daemon_config(globals, {}, false);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 1;
  }
  const std::string attack = argv[1];
  config->read = [attack](const ReadingRules&, const std::vector<std::string>& inputs, Channel keeper, Channel helper) {
    return broken(attack, inputs, std::move(keeper), std::move(helper));
  };
  return run_daemon(std::move(*config), [] { return Result<DaemonConfig>(fail("not here")); });
}
