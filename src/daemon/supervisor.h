// The supervisor: the process that was started. It starts the three parts, makes the control socket, tells the service
// manager and syslog, reads the configuration anew, and starts all parts anew when one has gone. It sees nothing of
// logs, and hears from the keeper when it is ready and done.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/keeper.h"
#include "daemon/reader.h"
#include "firewall/firewall.h"
#include "firewall/guard.h"
#include "grammar/grammar.h"
#include "log/zone.h"

namespace mailward {

struct DaemonConfig {
  std::shared_ptr<const Grammar> grammar;
  uint64_t rules_fingerprint = 0;
  Zone zone;
  KeeperConfig keeper;  // judge.ignore: the site's
  FirewallConfig firewall;
  std::vector<Protected> protects;            // the ignore list, for the guard
  std::vector<std::string> watched;           // the ignore list's files: a change is a reload
  std::vector<std::string> readable;          // folders that the helper has to see: of the logs
  std::string control;                        // path of the socket; empty: none
  std::string facility = "daemon";            // of syslog
  bool quiet_in_syslog = false;               // nothing goes there
  std::function<void(std::string_view)> say;  // for people: a sentence on standard error
  // What the reader's process does once it is locked in; a test puts in one that was taken over.
  std::function<int(const ReadingRules&, const std::vector<std::string>&, Channel, Channel)> read = run_reader;
};

// Until it is told to end (SIGTERM, SIGINT), or with `once` until all is done. `reload` makes a new configuration; its
// error leaves the old one in force. Returns the exit status. The ledger's lock is held by then.
int run_daemon(DaemonConfig config, const std::function<Result<DaemonConfig>()>& reload);

// Takes the lock that only one writer of a ledger may have: waits for another so long, then an error. Held as long as
// the descriptor, over fork too.
Result<Descriptor> lock_ledger(const std::string& ledger, std::chrono::milliseconds wait);

}  // namespace mailward
