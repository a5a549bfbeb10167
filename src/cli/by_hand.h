// Bans and unbans where no daemon runs: by the ledger, and by the firewall at once.
#pragma once

#include <string>

#include "cli/daemon_setup.h"
#include "cli/outcome.h"
#include "daemon/requests.h"

namespace mailward {

// Where the files are, and what time it is, for commands that read no log.
struct Site {
  Config config;
  std::string ledger, control;
  Zone zone;
  Instant now;
};
// `kTold`: a configuration that can't be read is told, and left out.
enum class Broken { kRefused, kTold };
Outcome<Site> site_of(const GlobalOptions& globals, const std::string& timezone, Broken broken = Broken::kRefused);

// kBan or kUnban. What was done, in one sentence.
Outcome<std::string> change_by_hand(const GlobalOptions& globals, const Site& site, const Request& request);

}  // namespace mailward
