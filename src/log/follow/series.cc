#include "log/follow/series.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <tuple>
#include <utility>

#include "log/log_set.h"

namespace mailward {
namespace {

constexpr int kTries = 20;

struct Entry {
  std::string name;
  RotatedName rotated;
};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Newest first. Of equal age the plain one, whose name is the shorter, comes first: it is whole as long as it is there.
bool before(const Entry& a, const Entry& b) {
  if (is_older(a.rotated, b.rotated) || is_older(b.rotated, a.rotated)) return is_older(b.rotated, a.rotated);
  return std::tuple(a.name.size(), std::string_view(a.name)) < std::tuple(b.name.size(), std::string_view(b.name));
}

Result<std::vector<Entry>> list(const std::string& folder, const std::string& live) {
  std::vector<Entry> entries;
  const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
  if (!open && errno == ENOENT) return entries;
  if (!open) return fail(fmt::format("{}: the folder can't be read: {}", folder, std::strerror(errno)));
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    RotatedName rotated = parse_rotated_name(name);
    // Its own name may look like a rotated one's ("mail.2").
    if (name == live) rotated = {live, false, 0};
    if (rotated.stem != live || (rotated.rank == 0 && name != live)) continue;
    entries.push_back({std::string(name), std::move(rotated)});
  }
  std::sort(entries.begin(), entries.end(), before);
  return entries;
}

bool is_same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Under a newer name: renamed between two of our steps, or a hard link.
bool has(const Series& series, const struct stat& file) {
  return std::any_of(series.members.begin(), series.members.end(), [&](const Member& m) {
    struct stat other{};
    return ::fstat(m.file.get(), &other) == 0 && is_same_file(file, other);
  });
}

// What vanished meanwhile is not there; anything else that can't be opened is told.
void open_member(int folder, const Entry& entry, Series& series) {
  const auto refuse = [&](std::string_view why) { series.trouble.push_back(fmt::format("{} {}", entry.name, why)); };
  struct stat s{};
  if (::fstatat(folder, entry.name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISLNK(s.st_mode)) return refuse("is a symbolic link, which is not followed; name the file that it means");
  if (!S_ISREG(s.st_mode)) return refuse("is no regular file; a log that is followed must be one");
  Descriptor file(::openat(folder, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno != ENOENT && errno != ELOOP) refuse(fmt::format("can't be opened: {}", std::strerror(errno)));
    return;
  }
  struct stat opened{};
  if (::fstat(file.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) return;
  if (has(series, opened)) return;
  series.members.push_back({std::move(file), entry.name, entry.rotated.dated, entry.rotated.rank});
}

// Does the folder hold exactly these files under these names? Inodes can't be new ones here: they are open.
bool is_settled(int folder, const Series& series, const std::vector<Entry>& now, size_t most) {
  size_t found = 0;
  for (size_t i = 0; i < now.size() && i < most; ++i) {
    struct stat s{}, opened{};
    if (::fstatat(folder, now[i].name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (!S_ISREG(s.st_mode)) continue;
    const bool refused = std::any_of(series.trouble.begin(), series.trouble.end(),
                                     [&](const std::string& t) { return t.starts_with(now[i].name + " "); });
    if (refused) continue;
    if (found == series.members.size() || series.members[found].name != now[i].name) {
      if (has(series, s)) continue;
      return false;
    }
    if (::fstat(series.members[found].file.get(), &opened) != 0 || !is_same_file(s, opened)) return false;
    ++found;
  }
  return found == series.members.size();
}

}  // namespace

Result<Series> open_series(const std::string& path, size_t most) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  const std::string live = slash == std::string::npos ? path : path.substr(slash + 1);
  Series series;
  for (int i = 0; i < kTries; ++i) {
    series = {};
    Result<std::vector<Entry>> entries = list(folder, live);
    if (!entries) return std::unexpected(entries.error());
    const Descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (at.get() < 0) return series;
    // Newest first: a file that is rotated meanwhile is met once more, none is passed over.
    for (size_t k = 0; k < entries->size() && k < most; ++k) open_member(at.get(), (*entries)[k], series);
    series.bounded = entries->size() > most;
    const Result<std::vector<Entry>> again = list(folder, live);
    series.settled = again && is_settled(at.get(), series, *again, most);
    if (series.settled) break;
  }
  return series;
}

}  // namespace mailward
