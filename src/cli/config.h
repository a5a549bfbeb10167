// The configuration file, mailward.toml (docs/configuration.md). All of it is optional. Every known key
// stands in one table with its type and what it may be; what the table doesn't know, a wrong type or
// an impossible value is refused with file, line, column, what was expected and the nearest known
// key. A file that has sections for other commands serves those that don't use them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "firewall/firewall.h"

namespace mailward {

// A value, and where it stands: "mailward.toml:3:10". What only a command can check (a preset, a zone, a file) is
// refused with that place.
struct Placed {
  std::string value, place;
};

struct Config {
  std::string path;  // empty: none was read
  // [input]
  std::vector<std::string> files;
  Placed timezone;
  // [judge]
  Placed policy;
  std::vector<Placed> local_domains;
  std::vector<Placed> ignore;  // addresses, networks, files
  uint64_t brake = 1000;
  // [ledger]
  std::string ledger;
  // [firewall]
  FirewallConfig firewall;
  std::string firewall_place;  // of the section, for what only the whole of it shows
  // [daemon]
  std::string control, facility;
  std::vector<std::string> unused;  // what is known and allowed, and no command of this version looks at
};

// `path` is for messages.
Result<Config> parse_config(std::string_view text, const std::string& path);
Result<Config> read_config(const std::string& path);

// Where a site keeps its own files: /etc/mailward for root, the XDG folder for everybody else
// (XDG Base Directory Specification 0.8: $XDG_CONFIG_HOME, ~/.config). Empty: neither is known.
std::string site_folder();

// `given` (from --config), else the site's mailward.toml where there is one, else an empty Config.
Result<Config> find_config(const std::string& given);

}  // namespace mailward
