// The keeper: the process that has the ledger, judges, and answers the control socket. It opens no log and changes
// no firewall. Everything that happens here is a function of the messages in their order (docs/reliability.md); the
// clock decides only whether a ban is still worth sending.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "daemon/channel.h"
#include "firewall/guard.h"
#include "judge/judge.h"

namespace mailward {

struct KeeperConfig {
  std::string ledger;
  std::vector<std::string> inputs;
  JudgeConfig judge;                   // `ignore` holds what is this host's own as well
  std::shared_ptr<const Guard> guard;  // who is never banned: the ignore list, and what is this host's own
  uint64_t brake = 1000;
  std::function<Instant()> now;
  bool once = false;
  bool must_exist = false;  // the ledger: it was there when the daemon began
  std::string backend;      // for status
  std::string sandbox;      // likewise: what locks it in
};

// Runs until it is told to end, or one of the others goes; returns the exit status. What was marked is stored then.
// `control`: a listening socket; none: no control.
int run_keeper(const KeeperConfig& config, Channel reader, Channel helper, Channel supervisor, Descriptor control);

}  // namespace mailward
