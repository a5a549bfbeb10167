// What each part of the daemon becomes when it has been started: its user, and what locks it in
// (lockdown/lockdown.h). Called in its process, before it hears anything. An error is fatal.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/helper.h"

namespace mailward {

// Each returns in a sentence what holds from now on.

// Started by root: the user `mailward-reader` where there is one, else `nobody`.
Result<std::string> become_reader();
// Started by root: the owner of the ledger's folder, which may be root.
Result<std::string> become_keeper(const std::string& ledger);
// Stays who it is. `readable`: folders of logs.
Result<std::string> become_helper(const HelperConfig& config, const std::vector<std::string>& readable);

// By root, before the parts are started: what lies there of the ledger becomes its folder's owner's.
Result<void> give_ledger_to_its_keeper(const std::string& ledger);

}  // namespace mailward
