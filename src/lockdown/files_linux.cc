#include "lockdown/files_linux.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"

namespace mailward {
namespace {

// landlock_create_ruleset(2); the newest fields are not in every header.
struct LandlockRules {
  uint64_t files = 0;
  uint64_t network = 0;  // from version 4 on: binding and connecting of TCP
  uint64_t scoped = 0;   // from version 6 on: abstract sockets and signals
};
constexpr uint64_t kNetwork = 3, kConnect = 2, kScoped = 3;
struct LandlockPort {
  uint64_t access, port;
};
constexpr int kPortRule = 2;
constexpr uint64_t kTruncate = 1U << 14;  // from version 3 on

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrite =
    kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate;
constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

// All access to files that this version of Landlock knows.
uint64_t all_file_access(long version) {
  constexpr unsigned kBits[] = {13, 14, 15, 15, 16};  // by version, from 1 on
  const unsigned bits = kBits[version > 5 ? 4 : version - 1];
  return (uint64_t{1} << bits) - 1;
}

std::unexpected<Error> refused(const std::string& what) {
  return fail(fmt::format("locking in failed: Landlock: {}{}", what, std::strerror(errno)));
}

// How the folder stays known. Of one in /proc the kernel may forget that it has it, and make another for whoever
// asks next: it is kept open.
Result<void> add_folder(int ruleset, const FileRule& rule, uint64_t known, std::string& left_out) {
  int fd = ::open(rule.folder.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0 && !rule.must_exist) {
    left_out += (left_out.empty() ? "" : ", ") + rule.folder;
    return {};
  }
  if (fd < 0) return refused(rule.folder + ": ");
  Descriptor folder(fd);
  const bool listable = ::faccessat(fd, ".", F_OK, 0) == 0;  // a folder, not a file
  const uint64_t access = (rule.access == FileRule::Access::kRead ? kRead : kWrite) & (listable ? ~0ULL : kOfFiles);
  landlock_path_beneath_attr attr{access & known, fd};
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) != 0)
    return refused(rule.folder + ": ");
  if (rule.folder.starts_with("/proc/")) folder.release();
  return {};
}

}  // namespace

Result<std::string> restrict_files(const FileRules& rules) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return std::string("without Landlock, which this kernel lacks or has switched off");
  const LandlockRules handled{all_file_access(version), version >= 4 ? kNetwork : 0, version >= 6 ? kScoped : 0};
  const size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const Descriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size, 0)));
  if (ruleset.get() < 0) return refused("");
  std::string left_out;
  for (const FileRule& rule : rules.folders) {
    if (auto added = add_folder(ruleset.get(), rule, handled.files, left_out); !added)
      return std::unexpected(added.error());
  }
  for (const uint16_t port : rules.ports) {
    const LandlockPort attr{kConnect, port};
    if (version >= 4 && ::syscall(SYS_landlock_add_rule, ruleset.get(), kPortRule, &attr, 0) != 0) return refused("");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("no_new_privs: ");
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return refused("");
  return left_out.empty() ? "and Landlock" : fmt::format("and Landlock; out of reach, for not there: {}", left_out);
}

}  // namespace mailward
