#include "daemon/parts.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "lockdown/become.h"
#include "lockdown/lockdown.h"

namespace mailward {
namespace {

std::string folder_of(const std::string& file) { return std::filesystem::path(file).parent_path().string(); }

Result<std::string> as(uid_t user, gid_t group, const std::function<Result<std::string>()>& lock) {
  if (auto other = user != 0 && ::geteuid() == 0 ? become(user, group) : give_up_new_rights(); !other)
    return std::unexpected(other.error());
  return lock();
}

}  // namespace

Result<std::string> become_reader() {
  uid_t user = 0;
  gid_t group = 0;
  for (const char* name : {"mailward-reader", "nobody"}) {
    const passwd* const who = ::geteuid() == 0 ? ::getpwnam(name) : nullptr;
    if (!who) continue;
    user = who->pw_uid;
    group = who->pw_gid;
    break;
  }
  if (user == 0 && ::geteuid() == 0)
    return fail("there is neither a user mailward-reader nor nobody: the part that reads logs must not run as root");
  return as(user, group, lock_in_reader);
}

Result<std::string> become_keeper(const std::string& ledger) {
  struct stat folder{};
  if (::stat(folder_of(ledger).c_str(), &folder) != 0)
    return fail(fmt::format("{}: {}", folder_of(ledger), std::strerror(errno)));
  return as(folder.st_uid, folder.st_gid, [&] { return lock_in_keeper({folder_of(ledger), {}}); });
}

Result<std::string> become_helper(const HelperConfig& config, const std::vector<std::string>& readable) {
  HelperNeeds needs;
  needs.folders = readable;
  const std::string& backend = config.firewall.backend;
  needs.nftables = backend == "nftables";
  if (backend == "pf") needs.programs.push_back(config.firewall.pfctl);
  if (backend == "command") needs.programs = {config.firewall.ban_command[0], config.firewall.unban_command[0]};
  if (backend == "crowdsec") {
    needs.folders.push_back(folder_of(config.firewall.crowdsec_credentials));
    needs.ports.push_back(8080);
  }
  return as(0, 0, [&] { return lock_in_helper(needs); });
}

Result<void> give_ledger_to_its_keeper(const std::string& ledger) {
  struct stat folder{};
  if (::geteuid() != 0 || ::stat(folder_of(ledger).c_str(), &folder) != 0 || folder.st_uid == 0) return {};
  for (const char* end : {"", "-wal", "-shm"}) {
    const std::string file = ledger + end;
    struct stat there{};
    if (::lstat(file.c_str(), &there) != 0 || !S_ISREG(there.st_mode) || there.st_uid == folder.st_uid) continue;
    if (there.st_uid != 0 || there.st_nlink != 1 || ::lchown(file.c_str(), folder.st_uid, folder.st_gid) != 0)
      return fail(fmt::format("{}: doesn't belong to the owner of its folder", file));
  }
  return {};
}

}  // namespace mailward
