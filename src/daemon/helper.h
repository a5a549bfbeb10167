// The helper: the process that keeps the rights of who started the daemon. It opens logs by their number, is told
// of their changes, and changes the firewall. Of logs it sees the names of files only; of the others it hears a few
// numbers, and checks each ban by itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/channel.h"
#include "firewall/firewall.h"
#include "firewall/guard.h"

namespace mailward {

struct HelperConfig {
  std::vector<std::string> inputs;
  FirewallConfig firewall;
  std::vector<Protected> protects;  // the ignore list, for the guard
  size_t brake = 10'000;            // new bans a minute, by the clock
  std::function<Instant()> now;
  bool once = false;  // nothing is watched
};

// Runs until the keeper goes; returns the exit status. `firewall` was made from the configuration.
int run_helper(const HelperConfig& config, std::unique_ptr<Firewall> firewall, Channel reader, Channel keeper);

}  // namespace mailward
