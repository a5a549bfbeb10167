// Landlock(7): which files a process may open, by folder; which TCP ports it may connect to (within this station).
//
// The rights of a rule hold in and below its folder, whatever is renamed or replaced there. Nothing else can be
// opened; what is open stays open. Nothing keeps a process from asking whether a file is there, and what it is like
// (stat(2)).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace mailward {

struct FileRule {
  enum class Access : uint8_t { kRead, kWrite };  // kWrite: also make, cut and remove regular files
  std::string folder;
  Access access = Access::kRead;
  bool must_exist = true;  // else it is left out, and named
};

struct FileRules {
  std::vector<FileRule> folders;
  std::vector<uint16_t> ports;
};

// For the sentence of lockdown.h: "and Landlock", or what is missing.
Result<std::string> restrict_files(const FileRules& rules);

}  // namespace mailward
