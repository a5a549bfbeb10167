#include "base/data_dir.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

namespace mailward {
namespace {

namespace fs = std::filesystem;

// The running program; empty where the system doesn't tell by this path.
fs::path program_path() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

bool lies_in(const fs::path& path, const fs::path& tree) { return path.native().starts_with(tree.native() + '/'); }

// Is it run where it was built? Only then is the source tree its own: a copy elsewhere must not take rules from a
// folder that may be anybody's by now. Where the system doesn't tell, nobody is trusted with root's rules.
bool runs_where_built(const fs::path& program) {
  if (program.empty()) return ::geteuid() != 0;
  return lies_in(program, MAILWARD_SOURCE_DATA) || lies_in(program, MAILWARD_BUILD_TREE);
}

std::vector<fs::path> candidates(std::string_view name) {
  if (const char* folder = std::getenv("MAILWARD_DATA"); folder && *folder) return {fs::path(folder) / name};
  std::vector<fs::path> list;
  const fs::path source = fs::path(MAILWARD_SOURCE_DATA) / name;
  const fs::path program = program_path();
  const bool at_home = runs_where_built(program);
  // A program run from its build folder must not take the rules of an older one that is installed.
  if (at_home && !program.empty()) list.push_back(source);
  if (!program.empty()) list.push_back(program.parent_path().parent_path() / "share" / "mailward" / name);
  list.push_back(fs::path(MAILWARD_INSTALLED_DATA) / name);
  if (at_home && program.empty()) list.push_back(source);
  return list;
}

}  // namespace

std::optional<std::string> find_data_dir(std::string_view name) {
  for (const fs::path& folder : candidates(name)) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored)) return folder.string();
  }
  return std::nullopt;
}

std::string data_dirs_tried(std::string_view name) {
  std::string tried;
  for (const fs::path& folder : candidates(name)) {
    if (!tried.empty()) tried += ", ";
    tried += folder.string();
  }
  return tried;
}

}  // namespace mailward
