#include <array>

#include "cli/command.h"

namespace mailward {

std::span<const Command> commands() {
  static constexpr std::array<Command, 4> kCommands{{
      {"scan", "read logs and print who attacks", declare_scan},
      {"events", "print each event, one JSON object a line", declare_events},
      {"explain", "why an address is, or is not, an offender", declare_explain},
      {"rules", "what is known of log lines, and if it is sound", declare_rules_command},
  }};
  return kCommands;
}

}  // namespace mailward
