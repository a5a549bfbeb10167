// What the options and the configuration file mean together: checked, converted, defaults filled in.
// The command line wins over the file. Nothing of a log is opened here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "cli/config.h"
#include "cli/options.h"
#include "cli/outcome.h"
#include "judge/ignore_list.h"
#include "judge/policy.h"
#include "log/zone.h"
#include "view/screen.h"

namespace mailward {

struct Settings {
  Zone zone;
  Instant now;
  Instant since = kNoInstant, until = kNoInstant;
  int year = 0;          // 0: to be found out
  unsigned threads = 0;  // 0: all cores
  std::vector<std::string> files;
  bool files_typed = false;  // on the command line; else the configuration's, or this machine's log
  std::vector<std::string> rule_folders;
  std::vector<std::string> local_domains;
  IgnoreList ignore;
  PolicySet policies;
  std::vector<std::string> ignore_files;  // those of `ignore` that are files
  Config config;
};

Outcome<Settings> settle(const GlobalOptions& globals, const LogOptions& options);

// The program's own rules, the site's (rules.d), and `more`.
Outcome<std::vector<std::string>> rule_folders(const std::vector<std::string>& more);

// `text` if it is among `known`, else a refusal that names them.
Outcome<std::string> choose_format(const std::string& text, std::string_view otherwise,
                                   std::span<const std::string_view> known);

// --timezone, else the configuration's, else the system's.
Outcome<Zone> choose_zone(const std::string& typed, const Config& config);
// --now, else the clock's.
Outcome<Instant> choose_now(const std::string& typed, const Zone& zone);

// How the zone shows an instant, for views.
LocalTime local_time(const Zone& zone);

}  // namespace mailward
