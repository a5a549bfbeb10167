#include "log/follow/journal_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace mailward {
namespace {

constexpr std::string_view kPrefix = "journal:";
constexpr int kTries = 5;

struct CloseFolder {
  void operator()(DIR* d) const { ::closedir(d); }
};

struct Listed {
  std::string path;
  uint64_t inode = 0;
  int64_t modified_ns = 0;
  friend bool operator==(const Listed& a, const Listed& b) {
    return std::tie(a.path, a.inode) == std::tie(b.path, b.inode);
  }
};

bool is_folder(const std::string& path) {
  struct stat s{};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

std::string machine_id(const JournalPlaces& places) {
  std::ifstream in(places.machine_id);
  char id[33] = {};
  in.read(id, 32);
  return is_machine_id(id) ? id : "";
}

// The names in a folder; one that isn't there has none.
Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
  if (!open && (errno == ENOENT || errno == ENOTDIR)) return names;
  if (!open) return fail(fmt::format("{} can't be listed: {}", for_terminal(folder), std::strerror(errno)));
  while (const dirent* entry = ::readdir(open.get())) names.emplace_back(entry->d_name);
  return names;
}

// All journal files, sorted by name: with what tells whether they are the same a moment later.
Result<std::vector<Listed>> list(const std::string& where, const JournalPlaces& places) {
  std::vector<Listed> all;
  for (const JournalFolder& folder : journal_folders(where, places)) {
    const auto names = names_in(folder.path);
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
      if (folder.file.empty() ? !is_journal_file_name(name) : name != folder.file) continue;
      const std::string path = folder.path + "/" + name;
      struct stat s{};
      if (::lstat(path.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) continue;
      all.push_back({path, s.st_ino, s.st_mtim.tv_sec * 1'000'000'000 + s.st_mtim.tv_nsec});
    }
  }
  std::sort(all.begin(), all.end(), [](const Listed& a, const Listed& b) { return a.path < b.path; });
  return all;
}

// False: the name is another file's by now, or nobody's.
bool open_one(const Listed& listed, JournalFiles& to) {
  Descriptor file(::open(listed.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0 && (errno == ENOENT || errno == ELOOP)) return false;
  struct stat s{};
  if (file.get() < 0 || ::fstat(file.get(), &s) != 0) {
    to.trouble.push_back(fmt::format("{} can't be opened: {}", for_terminal(listed.path), std::strerror(errno)));
    return true;
  }
  if (!S_ISREG(s.st_mode) || s.st_ino != listed.inode) return false;
  to.files.push_back({std::move(file), listed.path, s.st_dev, s.st_ino});
  return true;
}

}  // namespace

bool is_journal_input(std::string_view input) { return input.starts_with(kPrefix); }

std::string journal_of_input(std::string_view input) { return std::string(input.substr(kPrefix.size())); }

bool is_machine_id(std::string_view name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_journal_file_name(std::string_view name) { return name.ends_with(".journal") || name.ends_with(".journal~"); }

std::vector<JournalFolder> journal_folders(const std::string& where, const JournalPlaces& places) {
  std::vector<JournalFolder> folders;
  if (where.empty()) {
    // A machine without an id has no journal, and gets one at its next start.
    const std::string id = machine_id(places);
    if (!id.empty()) folders = {{places.persistent + "/" + id, ""}, {places.runtime + "/" + id, ""}};
    return folders;
  }
  const size_t slash = where.rfind('/');
  if (is_journal_file_name(where) && !is_folder(where))
    return {{slash == std::string::npos ? "." : where.substr(0, std::max<size_t>(slash, 1)), where.substr(slash + 1)}};
  folders.push_back({where, ""});
  const auto names = names_in(where);
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    std::string path = fmt::format("{}/{}", where, name);
    if (is_machine_id(name) && is_folder(path)) folders.push_back({std::move(path), ""});
  }
  return folders;
}

Result<JournalFiles> open_journal_files(const std::string& where, size_t most, const JournalPlaces& places) {
  JournalFiles opened;
  for (int tries = 0; tries < kTries; ++tries) {
    auto before = list(where, places);
    if (!before) return std::unexpected(before.error());
    opened = {};
    auto chosen = *before;
    if (chosen.size() > most) {
      std::nth_element(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(most), chosen.end(),
                       [](const Listed& a, const Listed& b) { return a.modified_ns > b.modified_ns; });
      chosen.resize(most);
    }
    const bool same = std::all_of(chosen.begin(), chosen.end(), [&](const Listed& l) { return open_one(l, opened); });
    const auto after = list(where, places);
    if (!after) return std::unexpected(after.error());
    opened.complete = before->size() <= most && opened.trouble.empty();
    opened.settled = same && *before == *after;
    if (opened.settled) break;
  }
  return opened;
}

}  // namespace mailward
