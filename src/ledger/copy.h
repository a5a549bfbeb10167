// A ledger's state of this moment in a file of its own, also while a daemon writes.
#pragma once

#include <string>

#include "base/result.h"

namespace mailward {

// `to` must not be there yet; it is made with mode 0600.
Result<void> copy_ledger(const std::string& from, const std::string& to);

}  // namespace mailward
