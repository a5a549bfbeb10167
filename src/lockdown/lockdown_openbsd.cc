// OpenBSD: pledge(2) and unveil(2), where CMake builds for that system. Written from their manual pages; tried with
// a compiler only (tests/platforms_test.py), never run.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lockdown/lockdown.h"

namespace mailward {
namespace {

std::unexpected<Error> refused(const std::string& what) {
  return fail(fmt::format("locking in failed: {}: {}", what, std::strerror(errno)));
}

// What isn't there can't be unveiled, and is out of reach.
Result<void> show(const std::string& path, const char* access) {
  if (unveil(path.c_str(), access) != 0 && errno != ENOENT) return refused("unveil: " + path);
  return {};
}

Result<std::string> finish(const std::string& promises) {
  // With "unveil" promised it stays possible; what was shown is all the same the most that can be.
  if (promises.find("unveil") == std::string::npos && unveil(nullptr, nullptr) != 0) return refused("unveil");
  if (pledge(promises.c_str(), nullptr) != 0) return refused("pledge");
  return std::string("locked in: pledge and unveil");
}

}  // namespace

// "stdio" has reading and writing of open descriptors, memory, threads and the clock. It has no opening of
// files either; unveil says so a second time.
Result<std::string> lock_in() { return finish("stdio"); }

Result<std::string> lock_in_reader() { return finish("stdio recvfd"); }

Result<std::string> lock_in_keeper(const KeeperFolders& folders) {
  if (auto shown = show(folders.ledger, "rwc"); !shown) return std::unexpected(shown.error());
  for (const std::string& folder : folders.readable) {
    if (auto shown = show(folder, "r"); !shown) return std::unexpected(shown.error());
  }
  // "unix" is needed to accept connections; it has connecting too.
  return finish("stdio rpath wpath cpath flock unix");
}

// There is no nftables. A program that is run is neither pledged nor has it anything veiled.
Result<std::string> lock_in_helper(const HelperNeeds& needs) {
  for (const std::string& folder : needs.folders) {
    if (auto shown = show(folder, "r"); !shown) return std::unexpected(shown.error());
  }
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) {
    if (auto shown = show(file, "r"); !shown) return std::unexpected(shown.error());
  }
  for (const std::string& program : needs.programs) {
    if (auto shown = show(program, "x"); !shown) return std::unexpected(shown.error());
  }
  std::string promises = "stdio rpath sendfd route";
  if (!needs.ports.empty()) promises += " inet dns";
  if (!needs.programs.empty() || needs.starts_readers) promises += " proc";
  if (!needs.programs.empty()) promises += " exec";
  if (needs.starts_readers) promises += " id recvfd unveil";
  return finish(promises);
}

}  // namespace mailward
