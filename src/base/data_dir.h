// Where the program's data lies (rules/, policy/): beside an installed program or in the tree that it
// was built from. Looks at the environment and the file system; no state, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailward {

// The folder `name` ("policy", "rules") of the program's data. With $MAILWARD_DATA that folder's and no other; else
// the first that exists of: the source tree, where the program lies in it or in its build folder;
// ../share/mailward/name beside the program; the folder that it was configured to be installed to. Where the system
// doesn't say where the program lies, the source tree comes last, and never for root.
std::optional<std::string> find_data_dir(std::string_view name);

// Where find_data_dir looked, for messages: "a, b".
std::string data_dirs_tried(std::string_view name);

}  // namespace mailward
