#include "cli/run.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <clocale>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/outcome.h"

namespace mailward {
namespace {

constexpr const char* kAbout = "mailward reads mail logs, follows each session, and says who attacks.";
constexpr const char* kExamples =
    "For example:\n"
    "  mailward scan                          this machine's mail log\n"
    "  mailward scan /var/log/mail.log*       a whole set of rotated logs\n"
    "  mailward explain 192.0.2.7             why that address, with its log lines\n"
    "  mailward scan mail.log | xargs pfctl -t spammers -T add\n"
    "\n"
    "`mailward COMMAND --help` tells its options; mailward(1) tells everything.";

constexpr const char* kMeantVersion = " (did you mean --version?)";

// "mailward rules check"
std::string full_name(const CLI::App& app) {
  return app.get_parent() ? full_name(*app.get_parent()) + ' ' + app.get_name() : "mailward";
}

// CLI11's help in this program's words.
class HelpText : public CLI::Formatter {
 public:
  HelpText() {
    column_width(30);
    label("Positionals", "Arguments");
  }
  std::string make_usage(const CLI::App* app, std::string) const override {
    std::string words = "usage: " + full_name(*app);
    if (!app->get_subcommands({}).empty()) return words + " COMMAND [OPTION...] [ARGUMENT...]\n";
    words += " [OPTION...]";
    for (const CLI::Option* argument : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
      const bool many = argument->get_expected_max() > 1;
      const std::string name = argument->get_name(true) + (many ? "..." : "");
      // A list may be empty; one alone is what the command is about.
      words += many ? " [" + name + ']' : ' ' + name;
    }
    return words + '\n';
  }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string text = Formatter::make_help(app, name, mode);
    for (size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 1);
    while (text.ends_with("\n\n")) text.pop_back();
    return text;
  }
};

// CLI11's own words for a missing value speak of types and counts.
std::string in_words(const CLI::ParseError& error) {
  std::string text = error.what();
  // What a check of ours says names the option itself.
  if (error.get_name() == "ValidationError") return text.substr(std::min(text.find(": ") + 2, text.size()));
  if (error.get_name() != "ArgumentMismatch") return text;
  return fmt::format("{} wants a value", text.substr(0, text.find(':')));
}

class CommandLine {
 public:
  CommandLine() : app_(kAbout, "mailward") {
    app_.formatter(std::make_shared<HelpText>());
    app_.require_subcommand(0, 1);
    app_.allow_extras();
    app_.footer(kExamples);
    for (const Command& command : commands()) {
      CLI::App* sub = app_.add_subcommand(std::string(command.name), std::string(command.summary));
      sub->group("Commands");
      sub->footer("");
      sub->allow_extras();
      bodies_[sub] = command.declare(*sub, globals_);
      declare_globals(*sub, globals_);
    }
    declare_globals(app_, globals_);
  }

  int run(std::vector<std::string> words) {
    // "mailward help scan" is "mailward scan --help".
    if (!words.empty() && words.front() == "help") {
      words.erase(words.begin());
      words.emplace_back("--help");
    }
    if (const std::string* stray = stray_command(words)) return refuse(unknown(*stray, app_));
    try {
      std::vector<std::string> backwards(words.rbegin(), words.rend());
      app_.parse(backwards);
    } catch (const CLI::CallForHelp&) {
      return say(app_.help());
    } catch (const CLI::CallForVersion&) {
      return say(std::string("mailward ") + MAILWARD_VERSION + "\n");
    } catch (const CLI::ParseError& error) {
      return refuse(in_words(error));
    }
    CLI::App& chosen = selected();
    std::vector<std::string> left = app_.remaining(true);
    if (const auto end_of_options = std::find(left.begin(), left.end(), "--"); end_of_options != left.end())
      left.erase(end_of_options);  // it was heeded, and is no argument
    if (!left.empty()) return refuse(unknown(left.front(), chosen));
    const bool complete = chosen.get_subcommands({}).empty();  // a command without commands of its own
    if (complete) return bodies_.at(app_.get_subcommands().front())();
    std::fputs(chosen.help().c_str(), stderr);
    return kWrongUsage;
  }

 private:
  CLI::App& selected() {
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return *app;
  }

  // "mailward export events": a first word that is no command, before one that is. Null: none.
  const std::string* stray_command(const std::vector<std::string>& words) const {
    const auto is_command = [](const std::string& word) {
      const auto all = commands();
      return std::any_of(all.begin(), all.end(), [&](const Command& command) { return command.name == word; });
    };
    const auto takes_value = [&](const std::string& word) {
      const CLI::Option* option = app_.get_option_no_throw(word);
      return option && option->get_items_expected_max() > 0;
    };
    for (auto word = words.begin(); word != words.end(); ++word) {
      if (*word == "--" || is_command(*word)) return nullptr;
      if (!word->starts_with('-')) return std::any_of(word + 1, words.end(), is_command) ? &*word : nullptr;
      if (takes_value(*word) && ++word == words.end()) return nullptr;
    }
    return nullptr;
  }

  static int say(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? kDone : kFailed;
  }

  int refuse(const std::string& what) {
    return end_with({kWrongUsage, fmt::format("{}; see `{} --help`", what, full_name(selected()))},
                    globals_.messages());
  }

  static std::string unknown(const std::string& word, const CLI::App& app) {
    const std::string shown = for_terminal(word);
    if (word.size() > 1 && word.front() == '-') {
      std::vector<std::string> names;
      for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
      const std::vector<std::string_view> known(names.begin(), names.end());
      const bool version = word == "-V" || word == "-version";
      return fmt::format("unknown option {}{}", shown,
                         version ? kMeantVersion : did_you_mean(word.substr(0, word.find('=')), known));
    }
    std::vector<std::string_view> known;
    for (const CLI::App* sub : app.get_subcommands({})) known.push_back(sub->get_name());
    if (known.empty()) return fmt::format("{} takes no argument '{}'", full_name(app), shown);
    std::error_code ignored;
    const bool is_log = !app.get_parent() && std::filesystem::exists(word, ignored);
    if (word == "version" && !is_log) return fmt::format("there is no command '{}'{}", shown, kMeantVersion);
    return fmt::format("there is no command '{}'{}", shown,
                       is_log ? " (to read that file: mailward scan " + shown + ")" : did_you_mean(word, known));
  }

  GlobalOptions globals_;
  CLI::App app_;
  std::map<const CLI::App*, Body> bodies_;
};

}  // namespace

int run(int argc, char** argv) {
  // Which characters the terminal can show. Nothing else of the locale is used: figures and times
  // look the same everywhere.
  std::setlocale(LC_CTYPE, "");
  return CommandLine().run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}

}  // namespace mailward
