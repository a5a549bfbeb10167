// Linux: seccomp says which calls are left, Landlock which files may be opened by them.
#include <fmt/format.h>

#include <filesystem>

#include "lockdown/calls_linux.h"
#include "lockdown/files_linux.h"
#include "lockdown/lockdown.h"

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

using Others = CallFilter::Others;
using Access = FileRule::Access;

Result<std::string> lock_in_with(CallFilter& filter, const FileRules* rules, bool required) {
  if (kSanitized) return std::string("not locked in: a sanitizer is built in, which needs more than it may have");
  std::string files;
  if (rules != nullptr) {
    auto restricted = restrict_files(*rules);
    if (!restricted) return restricted;
    files = " " + *restricted;
  }
  const auto calls = filter.load(required);
  if (!calls) return calls;
  return fmt::format("locked in: {}{}", *calls, files);
}

// Where a file really is, so that it may be replaced: on many systems resolv.conf is a link to another folder.
std::string folder_of(const std::string& file) {
  std::error_code missing;
  const auto real = std::filesystem::canonical(file, missing);
  return missing ? "/etc" : real.parent_path().string();
}

}  // namespace

Result<std::string> lock_in() {
  CallFilter filter(Others::kRefused);
  allow_computing(filter);
  allow_threads(filter);
  const FileRules nothing;
  return lock_in_with(filter, &nothing, false);
}

Result<std::string> lock_in_reader() {
  CallFilter filter(Others::kRefused);
  allow_computing(filter);
  allow_messages(filter);
  const FileRules nothing;
  return lock_in_with(filter, &nothing, true);
}

Result<std::string> lock_in_keeper(const KeeperFolders& folders) {
  CallFilter filter(Others::kRefused);
  allow_computing(filter);
  allow_threads(filter);
  allow_messages(filter);
  allow_looking(filter);
  allow_database(filter);
  filter.allow_all({"listen", "accept", "accept4"});  // libuv says listen(2) once more
  FileRules rules;
  rules.folders.push_back({folders.ledger, Access::kWrite});
  rules.folders.push_back({"/dev/urandom"});  // SQLite's
  for (const std::string& folder : folders.readable) rules.folders.push_back({folder, Access::kRead, false});
  return lock_in_with(filter, &rules, true);
}

Result<std::string> lock_in_helper(const HelperNeeds& needs) {
  if (!needs.programs.empty()) {
    CallFilter filter(Others::kAllowed);
    refuse_what_no_command_needs(filter);
    auto locked = lock_in_with(filter, nullptr, true);
    return locked ? *locked + " as far as the commands of the firewall allow" : locked;
  }
  CallFilter filter(Others::kRefused);
  allow_computing(filter);
  allow_threads(filter);
  allow_messages(filter);
  allow_looking(filter);
  allow_opening_to_read(filter);
  filter.allow_all({"inotify_init1", "inotify_add_watch", "inotify_rm_watch"});
  allow_netlink(filter, needs.nftables);
  if (!needs.ports.empty()) allow_connections(filter);
  if (needs.starts_readers) allow_readers(filter);
  FileRules rules;
  for (const std::string& folder : needs.folders) rules.folders.push_back({folder, Access::kRead, false});
  for (const std::string& folder : {std::string("/etc"), folder_of("/etc/resolv.conf"), std::string("/proc/self/net")})
    rules.folders.push_back({folder, Access::kRead, false});
  rules.ports = needs.ports;
  return lock_in_with(filter, &rules, true);
}

}  // namespace mailward
