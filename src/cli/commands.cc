#include <array>

#include "cli/command.h"

namespace mailward {

std::span<const Command> commands() {
  static constexpr std::array<Command, 11> kCommands{{
      {"scan", "read logs and print who attacks", declare_scan},
      {"events", "print each event, one JSON object a line", declare_events},
      {"explain", "why an address is, or is not, an offender", declare_explain},
      {"run", "follow the logs and keep attackers out", declare_run},
      {"status", "how the daemon stands", declare_status},
      {"bans", "who is kept out, since when and until when", declare_bans},
      {"ban", "keep an address or a network out, by hand", declare_ban},
      {"unban", "let an address or a network in again", declare_unban},
      {"reload", "the daemon reads its configuration anew", declare_reload},
      {"import", "fill the ledger from old logs", declare_import},
      {"rules", "what is known of log lines, and if it is sound", declare_rules_command},
  }};
  return kCommands;
}

}  // namespace mailward
