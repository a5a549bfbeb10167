// The reader: the process that sees attackers' bytes. It is given open files and gives events; between two events it
// holds nothing that is not in its next mark.
#pragma once

#include "daemon/channel.h"
#include "daemon/followed.h"

namespace mailward {

// Runs until it is stopped or one of the others goes; returns the exit status. The process is locked in by then.
int run_reader(const ReadingRules& rules, const std::vector<std::string>& inputs, Channel keeper, Channel helper);

}  // namespace mailward
