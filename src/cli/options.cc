#include "cli/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <utility>

#include "base/nearest.h"
#include "base/text.h"

namespace mailward {
namespace {

constexpr const char* kInput = "Input";
constexpr const char* kJudging = "Judging";
constexpr const char* kOutput = "Output";
constexpr const char* kCommon = "Common to all commands";

CLI::Option* one(CLI::App& app, const char* name, std::string& value, const char* type, const std::string& help,
                 const char* group) {
  return app.add_option(name, value, help)
      ->option_text(type)
      ->group(group)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

// May be repeated; takes one value each time, so that a FILE behind it stays a FILE.
CLI::Option* many(CLI::App& app, const char* name, std::vector<std::string>& values, const char* type,
                  const std::string& help, const char* group) {
  return app.add_option(name, values, help)
      ->option_text(type)
      ->group(group)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

// Empty: fine.
std::string check_color(const std::string& text) {
  static constexpr std::array<std::string_view, 3> kColors{"auto", "always", "never"};
  if (std::find(kColors.begin(), kColors.end(), text) != kColors.end()) return "";
  return fmt::format("--color can't be '{}'{}; one of: {}", for_terminal(text), did_you_mean(text, kColors),
                     fmt::join(kColors, ", "));
}

}  // namespace

ColorChoice GlobalOptions::color_choice() const {
  return color == "always" ? ColorChoice::kAlways : color == "never" ? ColorChoice::kNever : ColorChoice::kAuto;
}

Messages GlobalOptions::messages() const { return Messages(STDERR_FILENO, quiet > 0, verbose > 0); }

void declare_globals(CLI::App& app, GlobalOptions& options) {
  app.set_help_flag("-h,--help", "this text")->group(kCommon);
  app.set_version_flag("--version", "mailward " MAILWARD_VERSION, "the version")->group(kCommon);
  one(app, "--config", options.config, "FILE", "configuration instead of mailward.toml", kCommon);
  one(app, "--ledger", options.ledger, "FILE", "the daemon's memory instead of ledger.sqlite", kCommon);
  one(app, "--now", options.now, "TIME", "take this instant for the present", kCommon);
  one(app, "--color", options.color, "WHEN", "auto, always or never", kCommon)->check(check_color, "");
  app.add_flag("-v,--verbose", options.verbose, "say more on standard error")->group(kCommon);
  app.add_flag("-q,--quiet", options.quiet, "results and errors only")->group(kCommon);
}

void declare_files(CLI::App& app, LogOptions& options) {
  app.add_option("FILE", options.files,
                 "logs, plain or compressed; - is standard input,\njournal: the journal; none: this machine's log")
      ->option_text(" ");
}

CLI::Option* declare_rules(CLI::App& app, std::vector<std::string>& rules) {
  return many(app, "--rules", rules, "DIR", "more rule files", kInput);
}

void declare_log_options(CLI::App& app, LogOptions& options, const std::string& formats, Judged judged) {
  const char* judging = judged == Judged::kYes ? kJudging : "";
  one(app, "--since", options.since, "WHEN", "from then on: 24h, 7d, 2026-03-09T08:00", kInput);
  one(app, "--until", options.until, "WHEN", "before then", kInput);
  one(app, "--timezone", options.timezone, "ZONE", "of stamps without one (Europe/Berlin)", kInput);
  one(app, "--year", options.year, "YYYY", "of the last line, where stamps have none", kInput);
  declare_rules(app, options.rules);
  one(app, "--threads", options.threads, "N", "default: all cores", kInput);
  one(app, "--policy", options.policy, "NAME|FILE", "default, strikes, tries, any, or a file", judging);
  one(app, "--limit", options.limit, "N", "instead of the policy's limits", judging);
  one(app, "--ban", options.ban, "DURATION", "instead of the policy's bans", judging);
  many(app, "--local-domain", options.local_domains, "DOMAIN", "a domain served here", judging);
  many(app, "--ignore", options.ignore, "ADDRESS|NETWORK|FILE", "never an offender", judging);
  one(app, "--format", options.format, "F", formats, kOutput);
}

void declare_daemon_options(CLI::App& app, LogOptions& options) {
  app.add_option("FILE", options.files, "logs to follow, instead of the configuration's")->option_text(" ");
  one(app, "--timezone", options.timezone, "ZONE", "of stamps without one (Europe/Berlin)", kInput);
  declare_rules(app, options.rules);
  one(app, "--policy", options.policy, "NAME|FILE", "default, strikes, tries, any, or a file", kJudging);
  one(app, "--limit", options.limit, "N", "instead of the policy's limits", kJudging);
  one(app, "--ban", options.ban, "DURATION", "instead of the policy's bans", kJudging);
  many(app, "--local-domain", options.local_domains, "DOMAIN", "a domain served here", kJudging);
  many(app, "--ignore", options.ignore, "ADDRESS|NETWORK|FILE", "never an offender", kJudging);
}

void declare_import_options(CLI::App& app, LogOptions& options) {
  one(app, "--since", options.since, "WHEN", "from then on: 24h, 7d, 2026-03-09T08:00", kInput);
  one(app, "--until", options.until, "WHEN", "before then", kInput);
  one(app, "--timezone", options.timezone, "ZONE", "of stamps without one (Europe/Berlin)", kInput);
  one(app, "--year", options.year, "YYYY", "of the last line, where stamps have none", kInput);
  declare_rules(app, options.rules);
  one(app, "--threads", options.threads, "N", "default: all cores", kInput);
}

std::string same_words(const GlobalOptions& globals, const LogOptions& options, Charset charset) {
  std::vector<std::pair<std::string_view, std::string_view>> typed;
  for (const auto& [name, value] : {std::pair("--config", &globals.config),
                                    {"--now", &globals.now},
                                    {"--timezone", &options.timezone},
                                    {"--year", &options.year},
                                    {"--since", &options.since},
                                    {"--until", &options.until},
                                    {"--policy", &options.policy},
                                    {"--limit", &options.limit}}) {
    if (!value->empty()) typed.emplace_back(name, *value);
  }
  for (const std::string& value : options.rules) typed.emplace_back("--rules", value);
  for (const std::string& value : options.local_domains) typed.emplace_back("--local-domain", value);
  for (const std::string& value : options.ignore) typed.emplace_back("--ignore", value);
  for (const std::string& value : options.files) typed.emplace_back("", value);
  std::string words;
  constexpr size_t kLongest = 300;
  for (const auto& [name, value] : typed) {
    const std::string word = shell_word(value, charset);
    if (word.empty() || words.size() + name.size() + word.size() > kLongest) return "…";
    words += fmt::format("{}{}{}{}", words.empty() ? "" : " ", name, name.empty() ? "" : " ", word);
  }
  return words;
}

}  // namespace mailward
