// From options and configuration to what the daemon runs by, and the places where its files are.
#pragma once

#include <string>

#include "cli/config.h"
#include "cli/outcome.h"
#include "cli/settings.h"
#include "daemon/supervisor.h"

namespace mailward {

// /var/lib/mailward/ledger.sqlite for root, the XDG state folder for everybody else; --ledger and `[ledger] file`
// come first. Empty: no place is known.
std::string ledger_path(const GlobalOptions& globals, const Config& config);
// Of the daemon with this ledger: `[daemon] control`, else /run/mailward/control.sock (or the XDG runtime folder) for
// the ledger's usual place, else beside the ledger.
std::string control_path(const GlobalOptions& globals, const Config& config);

// The folder that a file of ours is to lie in. One that is there stays as it is.
Outcome<void> make_folder_of(const std::string& file, unsigned mode);

// All that is read and checked before anything is started. Makes the folders of ledger and socket.
Outcome<DaemonConfig> daemon_config(const GlobalOptions& globals, const LogOptions& options, bool once);

}  // namespace mailward
