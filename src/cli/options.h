// The options as typed, and how they are declared. What they mean is settings.h's business.
#pragma once

#include <string>
#include <vector>

#include "cli/messages.h"
#include "cli/terminal.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace mailward {

// Common to all commands; may stand before or behind the command's name.
struct GlobalOptions {
  std::string config, ledger, now, color = "auto";
  int verbose = 0, quiet = 0;

  ColorChoice color_choice() const;
  Messages messages() const;
};

// Common to scan, events and explain.
struct LogOptions {
  std::vector<std::string> files, rules, local_domains, ignore;
  std::string since, until, timezone, year, limit, ban, policy, format, threads;
};

void declare_globals(CLI::App& app, GlobalOptions& options);
// `formats` by comma, the default first as help shows it ("table, plain, …").
// A command that doesn't judge takes the options about judging all the same, so that the words for scan serve
// it, but doesn't offer them.
enum class Judged { kYes, kNo };
void declare_log_options(CLI::App& app, LogOptions& options, const std::string& formats, Judged judged = Judged::kYes);
// Of `run`: what there is to say about input and judging, for who has no configuration file.
void declare_daemon_options(CLI::App& app, LogOptions& options);
// Of `import logs`: what there is to say about input.
void declare_import_options(CLI::App& app, LogOptions& options);
void declare_files(CLI::App& app, LogOptions& options);
CLI::Option* declare_rules(CLI::App& app, std::vector<std::string>& rules);

// The words that name the same input, judged the same way, on another command line: for hints. Empty
// where they are too many or can't be typed.
std::string same_words(const GlobalOptions& globals, const LogOptions& options, Charset charset);

}  // namespace mailward
