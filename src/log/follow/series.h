// The files of one log: the one that is written to and its rotated siblings, opened. This is the part of
// following that needs rights; what is opened here is read elsewhere (follower.h).
//
// Regular files only, never through a symbolic link in the last part of the name; FIFOs and devices are not even
// opened. Which names belong together is said in log_set.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace mailward {

struct Member {
  Descriptor file;   // a description of its own: nobody else moves its offset
  std::string name;  // without the folder
  bool dated = false;
  uint64_t rank = 0;  // RotatedName: 0 and not dated is the file that is written to
  bool live() const { return rank == 0 && !dated; }
};

struct Series {
  std::vector<Member> members;       // newest first; of equal age, plain ones before compressed ones
  std::vector<std::string> trouble;  // one sentence for each name that is there and can't be opened
  bool settled = true;               // the folder stood still meanwhile: these were all of them at one moment
  bool bounded = false;              // there are older ones that were left out
  uint64_t answers = 0;              // Follower::asked(): every listing began after that was asked
};

inline constexpr size_t kMostMembers = 128;

// `path`: of the file that is written to, as configured. Each descriptor is closed on exec. A folder that can't be
// read is an error; one that isn't there, or a log of which there is no file, is a series without members.
Result<Series> open_series(const std::string& path, size_t most = kMostMembers);

}  // namespace mailward
