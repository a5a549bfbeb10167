#include "cli/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/data_dir.h"
#include "base/nearest.h"
#include "base/text.h"
#include "cli/config.h"
#include "cli/when.h"
#include "log/log_set.h"

namespace mailward {
namespace {

// A whole number in [least, most], nothing around it.
Outcome<uint64_t> parse_number(std::string_view option, std::string_view text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, trouble] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (trouble != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return wrong_usage(
        fmt::format("{} wants a whole number from {} to {}, not '{}'", option, least, most, for_terminal(text)));
  }
  return value;
}

Outcome<void> take_span(const LogOptions& options, Settings& settings) {
  for (const auto& [name, text, instant] :
       {std::tuple("--since", &options.since, &settings.since), {"--until", &options.until, &settings.until}}) {
    if (text->empty()) continue;
    const auto when = parse_when(*text, settings.now, settings.zone);
    if (!when) return wrong_usage(fmt::format("{}: {}", name, when.error().message));
    *instant = *when;
  }
  if (has_time(settings.since) && has_time(settings.until) && settings.since >= settings.until) {
    return wrong_usage(fmt::format("--since ({}) is not before --until ({})", format_instant(settings.since, false),
                                   format_instant(settings.until, false)));
  }
  return {};
}

Outcome<void> take_numbers(const LogOptions& options, Settings& settings) {
  if (!options.year.empty()) {
    const auto year = parse_number("--year", options.year, 1970, 2199);
    if (!year) return std::unexpected(year.error());
    settings.year = static_cast<int>(*year);
  }
  if (!options.threads.empty()) {
    const auto threads = parse_number("--threads", options.threads, 1, 1024);
    if (!threads) return std::unexpected(threads.error());
    settings.threads = static_cast<unsigned>(*threads);
  }
  return {};
}

Outcome<void> take_policies(const LogOptions& options, const Config& config, Settings& settings) {
  Overrides overrides;
  if (!options.limit.empty()) {
    const auto limit = parse_number("--limit", options.limit, 0, kMostLimit);
    if (!limit) return std::unexpected(limit.error());
    overrides.limit = static_cast<int64_t>(*limit);
  }
  if (!options.ban.empty()) {
    const auto ban = parse_duration(options.ban);
    if (!ban || *ban <= Duration{0}) {
      return wrong_usage(fmt::format("--ban wants a duration (15m, 24h, 7d), not '{}'", for_terminal(options.ban)));
    }
    overrides.ban = *ban;
  }
  const bool typed = !options.policy.empty();
  const std::string name = typed ? options.policy : config.policy.value.empty() ? "default" : config.policy.value;
  auto policies = load_policies(name);
  if (!policies) {
    const std::string& sentence = policies.error().message;
    if (typed && name.find('/') == std::string::npos) return wrong_usage("--policy: " + sentence);
    std::error_code ignored;
    const bool of_config = !typed && !config.policy.place.empty();
    const bool own_place = std::filesystem::exists(name, ignored);  // a file says itself where it is wrong
    return failed(of_config && !own_place ? config.policy.place + ": policy: " + sentence : sentence);
  }
  settings.policies = std::move(*policies);
  apply(overrides, settings.policies);
  return {};
}

// "Example.COM." is example.com. What is no domain is refused: a typing error here would make every
// login a foreign one.
Outcome<std::string> clean_domain(std::string_view text, std::string_view where) {
  std::string domain;
  for (char c : text) domain += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (domain.ends_with('.')) domain.pop_back();
  const bool bare = domain.empty() || domain.size() > 253 || domain.find_first_of("@/ \t,;*") != std::string::npos;
  if (bare || domain.front() == '.' || domain.find("..") != std::string::npos) {
    return wrong_usage(
        fmt::format("{}: '{}' is no domain; write example.com, one each time", where, for_terminal(text)));
  }
  return domain;
}

Outcome<void> take_domains(const LogOptions& options, const Config& config, Settings& settings) {
  const bool typed = !options.local_domains.empty();
  const auto add = [&](const std::string& text, const std::string& where) -> Outcome<void> {
    auto domain = clean_domain(text, where);
    if (!domain) return std::unexpected(domain.error());
    settings.local_domains.push_back(std::move(*domain));
    return {};
  };
  for (const std::string& text : options.local_domains)
    if (auto done = add(text, "--local-domain"); !done) return done;
  if (typed) return {};
  for (const Placed& text : config.local_domains)
    if (auto done = add(text.value, text.place + ": local_domains"); !done) return failed(done.error().message);
  return {};
}

// All three add up: who is never an offender by the site's word isn't one by the command line's either.
Outcome<void> take_ignored(const LogOptions& options, const Config& config, Settings& settings) {
  std::error_code ignored;
  // A file that is there says itself where it is wrong.
  const auto add = [&](const std::string& entry, const std::string& where) -> Result<void> {
    auto added = settings.ignore.add(entry);
    if (!parse_network(entry)) settings.ignore_files.push_back(entry);
    if (added || std::filesystem::exists(entry, ignored)) return added;
    return fail(where + added.error().message);
  };
  for (const Placed& entry : config.ignore)
    if (auto added = add(entry.value, entry.place + ": ignore: "); !added) return failed(added.error().message);
  for (const std::string& entry : options.ignore)
    if (auto added = add(entry, "--ignore: "); !added)
      return std::filesystem::exists(entry, ignored) ? Outcome<void>(failed(added.error().message))
                                                     : wrong_usage(added.error().message);
  const std::string folder = site_folder();
  const std::string own = folder + "/ignore.txt";
  if (folder.empty() || !std::filesystem::exists(own, ignored)) return {};
  if (auto added = settings.ignore.add(own); !added) return failed(added.error().message);
  settings.ignore_files.push_back(own);
  return {};
}

Outcome<void> take_files(const LogOptions& options, const Config& config, Settings& settings) {
  settings.files_typed = !options.files.empty();
  settings.files = settings.files_typed ? options.files : config.files;
  if (!settings.files.empty()) return {};
  auto found = find_system_log();
  if (!found) return failed(found.error().message);
  settings.files.push_back(std::move(*found));
  return {};
}

}  // namespace

Outcome<Zone> choose_zone(const std::string& typed, const Config& config) {
  if (!typed.empty()) {
    auto zone = Zone::load(typed);
    if (!zone) return wrong_usage("--timezone: " + zone.error().message);
    return std::move(*zone);
  }
  const auto& [name, place] = config.timezone;
  auto zone = name.empty() ? Zone::system() : Zone::load(name);
  if (!zone) return failed(name.empty() ? zone.error().message : place + ": timezone: " + zone.error().message);
  return std::move(*zone);
}

Outcome<Instant> choose_now(const std::string& typed, const Zone& zone) {
  if (typed.empty()) return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  const auto now = parse_moment(typed, zone);
  if (!now) return wrong_usage("--now: " + now.error().message);
  return *now;
}

Outcome<std::vector<std::string>> rule_folders(const std::vector<std::string>& more) {
  std::vector<std::string> folders;
  auto own = find_data_dir("rules");
  if (!own)
    return failed(fmt::format("the rules are missing; looked in {}. Install mailward again, or set MAILWARD_DATA",
                              data_dirs_tried("rules")));
  folders.push_back(*own);
  std::error_code ignored;
  const std::string site = site_folder();
  if (const std::string local = site + "/rules.d"; !site.empty() && std::filesystem::is_directory(local, ignored))
    folders.push_back(local);
  for (const std::string& folder : more) {
    if (!std::filesystem::is_directory(folder, ignored))
      return failed(fmt::format("--rules: {}: is no folder that can be read", for_terminal(folder)));
    folders.push_back(folder);
  }
  return folders;
}

Outcome<std::string> choose_format(const std::string& text, std::string_view otherwise,
                                   std::span<const std::string_view> known) {
  if (text.empty()) return std::string(otherwise);
  for (std::string_view format : known) {
    if (text == format) return text;
  }
  return wrong_usage(fmt::format("--format can't be '{}'{}; one of: {}", for_terminal(text), did_you_mean(text, known),
                                 fmt::join(known, ", ")));
}

LocalTime local_time(const Zone& zone) {
  LocalTime local;
  local.zone = zone.name();
  local.offset = [shared = std::make_shared<const Zone>(zone)](Instant t) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
    return std::chrono::seconds(shared->span_at(seconds).offset);
  };
  return local;
}

Outcome<Settings> settle(const GlobalOptions& globals, const LogOptions& options) {
  const auto config = find_config(globals.config);
  if (!config) return failed(config.error().message);
  if (!config->unused.empty())
    globals.messages().note(
        fmt::format("{}: not used by this version: {}", config->path, fmt::join(config->unused, ", ")));
  Settings settings;
  auto zone = choose_zone(options.timezone, *config);
  if (!zone) return std::unexpected(zone.error());
  settings.zone = std::move(*zone);
  const auto now = choose_now(globals.now, settings.zone);
  if (!now) return std::unexpected(now.error());
  settings.now = *now;
  auto folders = rule_folders(options.rules);
  if (!folders) return std::unexpected(folders.error());
  settings.rule_folders = std::move(*folders);
  if (auto done = take_span(options, settings); !done) return std::unexpected(done.error());
  if (auto done = take_numbers(options, settings); !done) return std::unexpected(done.error());
  if (auto done = take_policies(options, *config, settings); !done) return std::unexpected(done.error());
  if (auto done = take_domains(options, *config, settings); !done) return std::unexpected(done.error());
  if (auto done = take_ignored(options, *config, settings); !done) return std::unexpected(done.error());
  if (auto done = take_files(options, *config, settings); !done) return std::unexpected(done.error());
  settings.config = *config;
  return settings;
}

}  // namespace mailward
