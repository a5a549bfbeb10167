#include "cli/daemon_setup.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/read_up_to.h"
#include "base/text.h"
#include "cli/reading.h"
#include "log/follow/journal_files.h"
#include "log/follow/text_hash.h"

namespace mailward {
namespace {

constexpr size_t kLargestRuleFile = size_t{8} << 20;

// An XDG folder of a user (XDG Base Directory Specification 0.8). Empty: not known.
std::string user_folder(const char* variable, const char* below_home) {
  if (const char* folder = std::getenv(variable); folder && *folder == '/') return std::string(folder) + "/mailward";
  if (!below_home) return "";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return std::string(home) + below_home;
  return "";
}

std::string usual_ledger() {
  if (::geteuid() == 0) return "/var/lib/mailward/ledger.sqlite";
  const std::string folder = user_folder("XDG_STATE_HOME", "/.local/state/mailward");
  return folder.empty() ? "" : folder + "/ledger.sqlite";
}

// Of all rule files: what open sessions are told apart by.
uint64_t fingerprint_of(const std::vector<std::string>& folders) {
  uint64_t hash = text_hash(1, MAILWARD_VERSION);
  for (const std::string& folder : folders) {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& path : files) {
      std::ifstream file(path, std::ios::binary);
      hash = text_hash(hash, read_up_to(file, kLargestRuleFile));
    }
  }
  return hash;
}

std::function<Instant()> clock_of(const GlobalOptions& globals, const Settings& settings) {
  const auto real = [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
  if (globals.now.empty()) return real;
  return [real, ahead = settings.now - real()] { return real() + ahead; };
}

Outcome<std::vector<std::string>> whole_paths(const std::vector<std::string>& files) {
  std::vector<std::string> whole;
  for (const std::string& file : files) {
    if (file == "-") return wrong_usage("standard input can't be followed; name the log's file");
    const bool journal = file.starts_with("journal:");
    std::error_code error;
    whole.push_back(journal ? file : std::filesystem::absolute(file, error).lexically_normal().string());
    if (std::count(whole.begin(), whole.end(), whole.back()) > 1)
      return failed(fmt::format("{}: is named twice", file));
  }
  return whole;
}

}  // namespace

Outcome<void> make_folder_of(const std::string& file, unsigned mode) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return {};
  std::filesystem::create_directories(folder, error);
  if (error) return failed(fmt::format("{}: the folder can't be made: {}", folder.string(), error.message()));
  (void)::chmod(folder.c_str(), mode);
  return {};
}

std::string ledger_path(const GlobalOptions& globals, const Config& config) {
  const std::string given = globals.ledger.empty() ? config.ledger : globals.ledger;
  if (given.empty()) return usual_ledger();
  std::error_code error;
  return std::filesystem::absolute(given, error).lexically_normal().string();
}

std::string control_path(const GlobalOptions& globals, const Config& config) {
  if (!config.control.empty()) return config.control;
  const std::string ledger = ledger_path(globals, config);
  if (ledger != usual_ledger()) return ledger + ".sock";
  if (::geteuid() == 0) return "/run/mailward/control.sock";
  const std::string folder = user_folder("XDG_RUNTIME_DIR", nullptr);
  return folder.empty() ? ledger + ".sock" : folder + "/control.sock";
}

Outcome<DaemonConfig> daemon_config(const GlobalOptions& globals, const LogOptions& options, bool once) {
  auto settings = settle(globals, options);
  if (!settings) return std::unexpected(settings.error());
  DaemonConfig daemon;
  auto grammar = grammar_of(*settings);
  if (!grammar) return std::unexpected(grammar.error());
  daemon.grammar = std::make_shared<const Grammar>(std::move(*grammar));
  daemon.rules_fingerprint = fingerprint_of(settings->rule_folders);
  auto inputs = whole_paths(settings->files);
  if (!inputs) return std::unexpected(inputs.error());

  KeeperConfig& keeper = daemon.keeper;
  keeper.ledger = ledger_path(globals, settings->config);
  if (keeper.ledger.empty()) return failed("there is no place for the ledger: HOME isn't set; name a file by --ledger");
  keeper.inputs = std::move(*inputs);
  keeper.judge.policies = settings->policies;
  keeper.judge.local_domains = settings->local_domains;
  keeper.judge.ignore = settings->ignore;
  keeper.brake = settings->config.brake;
  keeper.now = clock_of(globals, *settings);
  keeper.once = once;
  keeper.backend = settings->config.firewall.backend;

  daemon.zone = settings->zone;
  daemon.firewall = settings->config.firewall;
  if (auto checked = make_firewall(daemon.firewall); !checked)
    return failed(fmt::format("{}{}{}", settings->config.firewall_place,
                              settings->config.firewall_place.empty() ? "" : ": ", checked.error().message));
  for (const Network& n : settings->ignore.networks()) daemon.protects.push_back({n, "on the ignore list"});
  daemon.watched = settings->ignore_files;
  for (const std::string& input : keeper.inputs) {
    if (!is_journal_input(input)) {
      daemon.readable.push_back(std::filesystem::path(input).parent_path().string());
      continue;
    }
    for (const JournalFolder& folder : journal_folders(journal_of_input(input))) daemon.readable.push_back(folder.path);
    for (const char* folder : {"/var/log/journal", "/run/log/journal"}) daemon.readable.emplace_back(folder);
  }
  daemon.control = control_path(globals, settings->config);
  if (!settings->config.facility.empty()) daemon.facility = settings->config.facility;
  daemon.say = [messages = globals.messages()](std::string_view sentence) { messages.note(sentence); };
  if (auto made = make_folder_of(keeper.ledger, 0700); !made) return std::unexpected(made.error());
  if (once) daemon.control.clear();
  if (!daemon.control.empty())
    if (auto made = make_folder_of(daemon.control, 0755); !made) return std::unexpected(made.error());
  return daemon;
}

}  // namespace mailward
