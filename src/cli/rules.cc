// mailward rules list, check, test: what is known about log lines, whether it is sound, whether its
// samples hold.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/nearest.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/reading.h"
#include "cli/rules_text.h"
#include "cli/settings.h"
#include "grammar/check.h"
#include "grammar/grammar.h"
#include "session/samples.h"

namespace mailward {
namespace {

struct RulesOptions {
  std::vector<std::string> rules;
  std::vector<std::string> which;  // daemons; for check and test also files and folders instead of what a scan uses
};

// Every *.toml of the folders, sorted by name within each.
std::vector<std::string> files_of(const std::vector<std::string>& folders) {
  std::vector<std::string> paths;
  for (const std::string& folder : folders) {
    const size_t before = paths.size();
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == ".toml") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin() + static_cast<long>(before), paths.end());
  }
  return paths;
}

// The folders and files named.
std::vector<std::string> named_files(const std::vector<std::string>& which) {
  std::vector<std::string> paths;
  for (const std::string& path : which) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
      const auto inside = files_of({path});
      paths.insert(paths.end(), inside.begin(), inside.end());
    } else {
      paths.push_back(path);
    }
  }
  return paths;
}

// A word that is no file here and looks like none is a daemon's name.
bool is_daemon_name(const std::string& word) {
  std::error_code ignored;
  return word.find('/') == std::string::npos && !word.ends_with(".toml") && !std::filesystem::exists(word, ignored);
}

struct ReadRules {
  std::vector<RuleFile> files;
  std::vector<std::string> trouble;
  size_t read = 0;  // files, before those of one daemon were joined
};

ReadRules read_rules(const std::vector<std::string>& paths) {
  ReadRules read;
  for (const std::string& path : paths) {
    auto file = read_rule_file(path);
    if (file) {
      read.files.push_back(std::move(*file));
    } else {
      read.trouble.push_back(file.error().message);
    }
  }
  read.read = read.files.size();
  return read;
}

// What a scan would use, joined as it would join them.
Outcome<ReadRules> used_rules(const std::vector<std::string>& more) {
  const auto folders = rule_folders(more);
  if (!folders) return std::unexpected(folders.error());
  ReadRules rules = read_rules(files_of(*folders));
  auto joined = Grammar::join(std::move(rules.files));
  if (!joined) return failed(joined.error().message);
  rules.files = std::move(*joined);
  return rules;
}

Refusal unknown_daemon(const std::string& name, const std::vector<RuleFile>& files) {
  std::vector<std::string_view> names;
  for (const RuleFile& file : files) names.push_back(file.daemon);
  return {kWrongUsage,
          fmt::format("no rules for '{}'{}; there are: {}", name, did_you_mean(name, names), fmt::join(names, ", "))};
}

bool has_daemon(const std::vector<RuleFile>& files, const std::string& name) {
  return std::any_of(files.begin(), files.end(), [&](const RuleFile& file) { return file.daemon == name; });
}

Outcome<int> list(const GlobalOptions& globals, const RulesOptions& options) {
  const Messages messages = globals.messages();
  const auto used = used_rules(options.rules);
  if (!used) return std::unexpected(used.error());
  const ReadRules& rules = *used;
  for (const std::string& sentence : rules.trouble) messages.error(sentence);
  for (const std::string& daemon : options.which)
    if (!has_daemon(rules.files, daemon)) return std::unexpected(unknown_daemon(daemon, rules.files));
  const Surroundings around = surroundings_of(STDOUT_FILENO);
  const Screen screen = screen_of(around, globals.color_choice());
  Output out(STDOUT_FILENO);
  if (options.which.empty()) write_daemons(rules.files, screen, around.is_terminal, out);
  for (const std::string& daemon : options.which)
    for (const RuleFile& file : rules.files)
      if (file.daemon == daemon) write_daemon(file, screen, out);
  return finish_output(out, messages, rules.trouble.empty() ? kDone : kFailed);
}

// Rules that are checked or tested, in sets that are used together, and the daemons of which; none: of all.
struct Chosen {
  std::vector<std::vector<RuleFile>> sets;
  std::vector<std::string> daemons;
  std::vector<std::string> trouble;
  size_t files = 0;
};

Outcome<Chosen> choose(const RulesOptions& options, bool each_alone) {
  Chosen chosen;
  const bool by_name =
      !options.which.empty() && std::all_of(options.which.begin(), options.which.end(), is_daemon_name);
  if (!options.which.empty() && !by_name) {
    ReadRules rules = read_rules(named_files(options.which));
    chosen.trouble = std::move(rules.trouble);
    chosen.files = rules.read;
    for (RuleFile& file : rules.files) {
      if (chosen.sets.empty() || each_alone) chosen.sets.emplace_back();
      chosen.sets.back().push_back(std::move(file));
    }
    return chosen;
  }
  auto used = used_rules(options.rules);
  if (!used) return std::unexpected(used.error());
  for (const std::string& name : options.which)
    if (!has_daemon(used->files, name)) return std::unexpected(unknown_daemon(name, used->files));
  chosen.daemons = options.which;
  chosen.trouble = std::move(used->trouble);
  chosen.files = used->read;
  chosen.sets.push_back(std::move(used->files));
  return chosen;
}

Result<Grammar> compile_set(std::vector<RuleFile> files) {
  auto joined = Grammar::join(std::move(files));
  if (!joined) return std::unexpected(joined.error());
  return Grammar::compile(std::move(*joined));
}

// How much was found wrong.
size_t check_set(std::vector<RuleFile> files, const std::vector<std::string>& daemons, const Messages& messages,
                 const Screen& screen, Output& out) {
  const auto grammar = compile_set(std::move(files));
  if (!grammar) {
    messages.error(grammar.error().message);
    return 1;
  }
  const CheckReport report = check_rules(*grammar, daemons);
  write_check(report, *grammar, screen, out);
  size_t wrong = report.complaints.size();
  for (const ProgramCheck& program : report.programs) wrong += program.findings.size();
  return wrong;
}

Outcome<int> check(const GlobalOptions& globals, const RulesOptions& options) {
  const Messages messages = globals.messages();
  auto chosen = choose(options, true);
  if (!chosen) return std::unexpected(chosen.error());
  for (const std::string& sentence : chosen->trouble) messages.error(sentence);
  const Screen screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  Output out(STDOUT_FILENO);
  size_t wrong = chosen->trouble.size();
  for (auto& set : chosen->sets) wrong += check_set(std::move(set), chosen->daemons, messages, screen, out);
  if (wrong == 0 && !messages.quiet()) {
    const std::string what =
        chosen->daemons.empty() ? counted(chosen->files, "file") : fmt::format("{}", fmt::join(chosen->daemons, ", "));
    out.text() += fmt::format("{}: sound. No line can be read as two addresses, two sessions or two events.\n", what);
  }
  return finish_output(out, messages, wrong == 0 ? kDone : kFailed);
}

Outcome<int> test(const GlobalOptions& globals, const RulesOptions& options) {
  const Messages messages = globals.messages();
  auto chosen = choose(options, false);
  if (!chosen) return std::unexpected(chosen.error());
  for (const std::string& sentence : chosen->trouble) messages.error(sentence);
  const auto grammar = compile_set(chosen->sets.empty() ? std::vector<RuleFile>() : std::move(chosen->sets.front()));
  if (!grammar) return failed(grammar.error().message);
  if (auto ready = grammar->prepare_all(); !ready) return failed(ready.error().message);
  const SampleReport report = test_samples(*grammar, chosen->daemons);
  const Screen screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  Output out(STDOUT_FILENO);
  write_samples(report, screen, messages.quiet(), out);
  return finish_output(out, messages, report.failures.empty() && chosen->trouble.empty() ? kDone : kFailed);
}

using Action = Outcome<int> (*)(const GlobalOptions&, const RulesOptions&);

struct Row {
  const char *name, *summary, *argument, *argument_help;
  Action action;
};

constexpr std::array<Row, 3> kActions{{
    {"list", "the daemons that are known, or every line of one", "DAEMON", "all lines of this one", list},
    {"check", "prove that no line can be read as two addresses", "FILE",
     "rule files, folders, daemons; none: all installed", check},
    {"test", "run every rule's own sample lines", "FILE", "rule files, folders, daemons; none: all installed", test},
}};

}  // namespace

Body declare_rules_command(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<RulesOptions>();
  auto chosen = std::make_shared<Action>(nullptr);
  app.require_subcommand(0, 1);
  for (const Row& row : kActions) {
    CLI::App* sub = app.add_subcommand(row.name, row.summary);
    sub->group("Commands");
    sub->allow_extras();
    sub->add_option(row.argument, options->which, row.argument_help)->option_text(" ");
    declare_rules(*sub, options->rules);
    declare_globals(*sub, globals);
    sub->callback([chosen, action = row.action] { *chosen = action; });
  }
  return [&globals, options, chosen] {
    if (*chosen) return status_or_end((*chosen)(globals, *options), globals.messages());
    return kWrongUsage;
  };
}

}  // namespace mailward
