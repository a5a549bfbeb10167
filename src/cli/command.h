// The table of commands: a name, a sentence, and the function that declares its options. One file a
// command; a new one is a file and a row (docs/architecture.md).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/options.h"

namespace CLI {
class App;
}

namespace mailward {

// What a command does once its options are read; returns the exit status.
using Body = std::function<int()>;

struct Command {
  std::string_view name;
  std::string_view summary;
  // Declares options on `app`. The body, and all that the options are read into, live as long as it.
  Body (*declare)(CLI::App& app, GlobalOptions& globals);
};

std::span<const Command> commands();

Body declare_scan(CLI::App& app, GlobalOptions& globals);
Body declare_events(CLI::App& app, GlobalOptions& globals);
Body declare_explain(CLI::App& app, GlobalOptions& globals);
Body declare_run(CLI::App& app, GlobalOptions& globals);
Body declare_status(CLI::App& app, GlobalOptions& globals);
Body declare_bans(CLI::App& app, GlobalOptions& globals);
Body declare_ban(CLI::App& app, GlobalOptions& globals);
Body declare_unban(CLI::App& app, GlobalOptions& globals);
Body declare_reload(CLI::App& app, GlobalOptions& globals);
Body declare_import(CLI::App& app, GlobalOptions& globals);
Body declare_rules_command(CLI::App& app, GlobalOptions& globals);

}  // namespace mailward
