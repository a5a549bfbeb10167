#include "base/data_dir.h"

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

std::vector<fs::path> candidates(std::string_view name) {
  std::vector<fs::path> list;
  if (const char* folder = std::getenv("MAILWARD_DATA"); folder && *folder) list.push_back(fs::path(folder) / name);
  const fs::path source(MAILWARD_SOURCE_DATA);
  const fs::path program = program_path();
  // A program run from its build folder must not take the rules of an older one that is installed.
  if (program.native().starts_with(source.native() + '/')) list.push_back(source / name);
  if (!program.empty()) list.push_back(program.parent_path().parent_path() / "share" / "mailward" / name);
  list.push_back(fs::path(MAILWARD_INSTALLED_DATA) / name);
  list.push_back(source / name);
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
