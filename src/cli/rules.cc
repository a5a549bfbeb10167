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

#include "base/text.h"
#include "cli/command.h"
#include "cli/nearest.h"
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
  std::vector<std::string> which;  // daemons (list), or folders and files instead of the installed ones (check, test)
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

// The folders and files named, else all that a scan would use.
Outcome<std::vector<std::string>> chosen_files(const RulesOptions& options, bool by_path) {
  if (by_path && !options.which.empty()) {
    std::vector<std::string> paths;
    for (const std::string& path : options.which) {
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
  const auto folders = rule_folders(options.rules);
  if (!folders) return std::unexpected(folders.error());
  return files_of(*folders);
}

struct ReadRules {
  std::vector<RuleFile> files;
  std::vector<std::string> trouble;
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
  return read;
}

Outcome<int> list(const GlobalOptions& globals, const RulesOptions& options) {
  const Messages messages = globals.messages();
  const auto paths = chosen_files(options, false);
  if (!paths) return std::unexpected(paths.error());
  const ReadRules rules = read_rules(*paths);
  for (const std::string& sentence : rules.trouble) messages.error(sentence);
  const Screen screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  Output out(STDOUT_FILENO);
  if (options.which.empty()) write_daemons(rules.files, screen, out);
  for (const std::string& daemon : options.which) {
    bool known = false;
    for (const RuleFile& file : rules.files) {
      if (file.daemon != daemon) continue;
      write_daemon(file, screen, out);
      known = true;
    }
    std::vector<std::string_view> names;
    for (const RuleFile& file : rules.files) names.push_back(file.daemon);
    if (!known)
      return wrong_usage(fmt::format("no rules for '{}'{}; there are: {}", daemon, did_you_mean(daemon, names),
                                     fmt::join(names, ", ")));
  }
  return finish_output(out, messages, rules.trouble.empty() ? kDone : kFailed);
}

// Rule files that are used together: all that a scan would use, or each named one by itself.
std::vector<std::vector<RuleFile>> sets_of(std::vector<RuleFile> files, bool each_alone) {
  std::vector<std::vector<RuleFile>> sets;
  for (RuleFile& file : files) {
    if (sets.empty() || each_alone) sets.emplace_back();
    sets.back().push_back(std::move(file));
  }
  return sets;
}

// How much was found wrong.
size_t check_set(std::vector<RuleFile> files, const Messages& messages, const Screen& screen, Output& out) {
  const auto grammar = Grammar::compile(std::move(files));
  if (!grammar) {
    messages.error(grammar.error().message);
    return 1;
  }
  const CheckReport report = check_rules(*grammar);
  write_check(report, *grammar, screen, out);
  size_t wrong = report.complaints.size();
  for (const ProgramCheck& program : report.programs) wrong += program.findings.size();
  return wrong;
}

Outcome<int> check(const GlobalOptions& globals, const RulesOptions& options) {
  const Messages messages = globals.messages();
  const auto paths = chosen_files(options, true);
  if (!paths) return std::unexpected(paths.error());
  ReadRules rules = read_rules(*paths);
  for (const std::string& sentence : rules.trouble) messages.error(sentence);
  const Screen screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  Output out(STDOUT_FILENO);
  size_t wrong = rules.trouble.size();
  const size_t files = rules.files.size();
  for (auto& set : sets_of(std::move(rules.files), !options.which.empty()))
    wrong += check_set(std::move(set), messages, screen, out);
  if (wrong == 0 && !messages.quiet()) {
    out.text() += fmt::format("{}: sound. No line can be read as two addresses, two sessions or two events.\n",
                              counted(files, "file"));
  }
  return finish_output(out, messages, wrong == 0 ? kDone : kFailed);
}

Outcome<int> test(const GlobalOptions& globals, const RulesOptions& options) {
  const Messages messages = globals.messages();
  const auto paths = chosen_files(options, true);
  if (!paths) return std::unexpected(paths.error());
  ReadRules rules = read_rules(*paths);
  for (const std::string& sentence : rules.trouble) messages.error(sentence);
  const auto grammar = Grammar::compile(std::move(rules.files));
  if (!grammar) return failed(grammar.error().message);
  const SampleReport report = test_samples(*grammar);
  const Screen screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  Output out(STDOUT_FILENO);
  write_samples(report, screen, messages.quiet(), out);
  return finish_output(out, messages, report.failures.empty() && rules.trouble.empty() ? kDone : kFailed);
}

using Action = Outcome<int> (*)(const GlobalOptions&, const RulesOptions&);

struct Row {
  const char *name, *summary, *argument, *argument_help;
  Action action;
};

constexpr std::array<Row, 3> kActions{{
    {"list", "the daemons that are known, or every line of one", "DAEMON", "all lines of this one", list},
    {"check", "prove that no line can be read as two addresses", "FILE", "rule files or folders; none: all installed",
     check},
    {"test", "run every rule's own sample lines", "FILE", "rule files or folders; none: all installed", test},
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
