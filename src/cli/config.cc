#include "cli/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <tuple>

#include "base/instant.h"
#include "base/nearest.h"
#include "base/read_up_to.h"

namespace mailward {
namespace {

constexpr uintmax_t kLargest = 1 << 20;  // bytes of a configuration file

enum class ValueType { kString, kStrings, kInteger, kDuration, kPorts, kTable };

struct Key {
  std::string_view section;  // "" is the file itself
  std::string_view name;
  ValueType type;
  std::string_view choices = "";        // of strings: by `|`; empty: any
  int64_t least = 0, most = INT64_MAX;  // of integers
};

constexpr std::array<Key, 34> kKeys{{
    {"", "input", ValueType::kTable},
    {"", "judge", ValueType::kTable},
    {"", "firewall", ValueType::kTable},
    {"", "report", ValueType::kTable},
    {"", "ledger", ValueType::kTable},
    {"", "daemon", ValueType::kTable},
    {"ledger", "file", ValueType::kString},
    {"daemon", "control", ValueType::kString},
    {"daemon", "facility", ValueType::kString,
     "daemon|mail|local0|local1|local2|local3|local4|local5|local6|local7|user"},
    {"input", "files", ValueType::kStrings},
    {"input", "timezone", ValueType::kString},
    {"judge", "policy", ValueType::kString},
    {"judge", "local_domains", ValueType::kStrings},
    {"judge", "ignore", ValueType::kStrings},
    {"judge", "brake", ValueType::kInteger, "", 1, 1'000'000'000},
    {"firewall", "backend", ValueType::kString, "nftables|pf|crowdsec|command|none"},
    {"firewall", "table", ValueType::kString},
    {"firewall", "ports", ValueType::kPorts},
    {"firewall", "anchor", ValueType::kString},
    {"firewall", "credentials", ValueType::kString},
    {"firewall", "command", ValueType::kTable},
    {"firewall.command", "ban", ValueType::kStrings},
    {"firewall.command", "unban", ValueType::kStrings},
    {"report", "from", ValueType::kString},
    {"report", "cc", ValueType::kString},
    {"report", "preset", ValueType::kString, "classic|default"},
    {"report", "template", ValueType::kString},
    {"report", "resolver", ValueType::kString},
    {"report", "zone", ValueType::kString},
    {"report", "rdap_bootstrap", ValueType::kString},
    {"report", "pause", ValueType::kDuration},
    {"report", "max_age", ValueType::kDuration},
    {"report", "daily_max", ValueType::kInteger, "", 0, 1'000'000'000},
    {"report", "mask", ValueType::kStrings, "users"},
}};

std::vector<std::string_view> names_in(std::string_view section) {
  std::vector<std::string_view> names;
  for (const Key& key : kKeys) {
    if (key.section == section) names.push_back(key.name);
  }
  return names;
}

const Key* find_key(std::string_view section, std::string_view name) {
  const auto* at = std::find_if(kKeys.begin(), kKeys.end(),
                                [&](const Key& key) { return key.section == section && key.name == name; });
  return at == kKeys.end() ? nullptr : at;
}

std::string_view expectation(const Key& key) {
  switch (key.type) {
    case ValueType::kString:
      return "a string";
    case ValueType::kStrings:
      return "a list of strings, [\"…\", \"…\"]";
    case ValueType::kInteger:
      return "a whole number";
    case ValueType::kDuration:
      return "a duration, \"90s\", \"15m\", \"24h\" or \"7d\"";
    case ValueType::kPorts:
      return "\"mail\", \"all\" or a list of port numbers";
    case ValueType::kTable:
      break;
  }
  return "a table, [name]";
}

class Reader {
 public:
  Reader(Config& config, const std::string& path) : config_(config), path_(path) {}

  Result<void> read(const toml::table& table, const std::string& section) {
    for (const auto& [name, node] : table) {
      const Key* key = find_key(section, name.str());
      if (!key) return unknown(name, section);
      if (auto read = take(*key, node); !read) return read;
      if (section.empty() && key->name == "report") config_.unused.push_back(fmt::format("[{}]", key->name));
      if (section.empty() && key->name == "firewall") config_.firewall_place = place(node.source());
    }
    return {};
  }

 private:
  std::string place(const toml::source_region& where) const {
    return fmt::format("{}:{}:{}", path_, where.begin.line, where.begin.column);
  }

  std::unexpected<Error> refuse(const toml::source_region& where, std::string_view what) const {
    return fail(fmt::format("{}: {}", place(where), what));
  }

  std::unexpected<Error> unknown(const toml::key& name, std::string_view section) const {
    const std::vector<std::string_view> known = names_in(section);
    const std::string in = section.empty() ? "" : fmt::format(" in [{}]", section);
    return refuse(name.source(), fmt::format("unknown key \"{}\"{}{}; known here: {}", name.str(), in,
                                             did_you_mean(name.str(), known), fmt::join(known, ", ")));
  }

  std::unexpected<Error> wrong(const Key& key, const toml::node& node) const {
    return refuse(node.source(), fmt::format("{} must be {}", key.name, expectation(key)));
  }

  Result<void> take(const Key& key, const toml::node& node) {
    switch (key.type) {
      case ValueType::kTable:
        if (!node.is_table()) return wrong(key, node);
        return read(*node.as_table(),
                    key.section.empty() ? std::string(key.name) : fmt::format("{}.{}", key.section, key.name));
      case ValueType::kString:
        return take_string(key, node);
      case ValueType::kStrings:
        return take_strings(key, node);
      case ValueType::kInteger:
        return take_integer(key, node);
      case ValueType::kDuration:
        if (!node.is_string() || !parse_duration(node.as_string()->get())) return wrong(key, node);
        return {};
      case ValueType::kPorts:
        return take_ports(key, node);
    }
    return {};
  }

  Result<void> take_string(const Key& key, const toml::node& node) {
    if (!node.is_string()) return wrong(key, node);
    const std::string& value = node.as_string()->get();
    if (auto allowed = check_choice(key, node, value); !allowed) return allowed;
    if (value.empty()) return refuse(node.source(), fmt::format("{} is empty; leave the key out instead", key.name));
    if (key.section == "input" && key.name == "timezone") config_.timezone = {value, place(node.source())};
    if (key.section == "judge" && key.name == "policy") config_.policy = {value, place(node.source())};
    for (const auto& [section, name, to] :
         std::initializer_list<std::tuple<std::string_view, std::string_view, std::string*>>{
             {"ledger", "file", &config_.ledger},
             {"daemon", "control", &config_.control},
             {"daemon", "facility", &config_.facility},
             {"firewall", "backend", &config_.firewall.backend},
             {"firewall", "table", &config_.firewall.table},
             {"firewall", "anchor", &config_.firewall.anchor},
             {"firewall", "credentials", &config_.firewall.crowdsec_credentials}})
      if (key.section == section && key.name == name) *to = value;
    return {};
  }

  Result<void> take_strings(const Key& key, const toml::node& node) {
    if (!node.is_array()) return wrong(key, node);
    if (node.as_array()->empty() && key.section == "firewall.command")
      return refuse(node.source(), fmt::format("{} is empty; expected a program and its arguments, "
                                               "[\"/usr/local/sbin/block\", \"{{address}}\"]",
                                               key.name));
    std::vector<Placed> values;
    for (const toml::node& element : *node.as_array()) {
      if (!element.is_string()) return wrong(key, element);
      const std::string& value = element.as_string()->get();
      if (auto allowed = check_choice(key, element, value); !allowed) return allowed;
      if (value.empty()) return refuse(element.source(), fmt::format("{} holds an empty string", key.name));
      values.push_back({value, place(element.source())});
    }
    if (key.section == "input" && key.name == "files") config_.files = plain(values);
    if (key.section == "judge" && key.name == "local_domains") config_.local_domains = values;
    if (key.section == "judge" && key.name == "ignore") config_.ignore = values;
    if (key.section == "firewall.command" && key.name == "ban") config_.firewall.ban_command = plain(values);
    if (key.section == "firewall.command" && key.name == "unban") config_.firewall.unban_command = plain(values);
    return {};
  }

  static std::vector<std::string> plain(const std::vector<Placed>& values) {
    std::vector<std::string> texts;
    for (const Placed& value : values) texts.push_back(value.value);
    return texts;
  }

  Result<void> take_integer(const Key& key, const toml::node& node) {
    if (!node.is_integer()) return wrong(key, node);
    const int64_t value = node.as_integer()->get();
    if (value < key.least || value > key.most) {
      return refuse(node.source(), fmt::format("{} must be from {} to {}", key.name, key.least, key.most));
    }
    if (key.name == "brake") config_.brake = static_cast<uint64_t>(value);
    return {};
  }

  Result<void> take_ports(const Key& key, const toml::node& node) {
    Ports& ports = config_.firewall.ports;
    if (node.is_string() && node.as_string()->get() == "mail") return {};
    if (node.is_string() && node.as_string()->get() == "all") {
      ports.all = true;
      return {};
    }
    if (!node.is_array() || node.as_array()->empty()) return wrong(key, node);
    ports.some.clear();
    for (const toml::node& element : *node.as_array()) {
      const auto port = element.value_exact<int64_t>();
      if (!port || *port < 1 || *port > 65535) return refuse(element.source(), "a port is a number from 1 to 65535");
      ports.some.push_back(static_cast<uint16_t>(*port));
    }
    return {};
  }

  Result<void> check_choice(const Key& key, const toml::node& node, std::string_view value) const {
    if (key.choices.empty()) return {};
    std::vector<std::string_view> choices;
    for (std::string_view rest = key.choices; !rest.empty();) {
      const size_t end = std::min(rest.find('|'), rest.size());
      choices.push_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
    return refuse(node.source(), fmt::format("{} can't be \"{}\"{}; one of: {}", key.name, value,
                                             did_you_mean(value, choices), fmt::join(choices, ", ")));
  }

  Config& config_;
  const std::string& path_;
};

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& path) {
  Config config;
  config.path = path;
  try {
    const toml::table table = toml::parse(text, path);
    if (auto read = Reader(config, path).read(table, ""); !read) return std::unexpected(read.error());
  } catch (const toml::parse_error& error) {
    const auto& where = error.source().begin;
    return fail(fmt::format("{}:{}:{}: {}", path, where.line, where.column, error.description()));
  }
  return config;
}

Result<Config> read_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    return fail(fmt::format("{}: can't be read; check the name and its permissions", path));
  }
  const std::string text = read_up_to(file, kLargest + 1);
  if (text.size() > kLargest) return fail(fmt::format("{}: is larger than 1 MB: not a configuration file", path));
  return parse_config(text, path);
}

std::string site_folder() {
  if (::geteuid() == 0) return "/etc/mailward";
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder && *folder == '/')
    return std::string(folder) + "/mailward";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return std::string(home) + "/.config/mailward";
  return "";
}

Result<Config> find_config(const std::string& given) {
  if (!given.empty()) return read_config(given);
  const std::string folder = site_folder();
  const std::string path = folder + "/mailward.toml";
  std::error_code ignored;
  if (folder.empty() || !std::filesystem::exists(path, ignored)) return Config();
  return read_config(path);
}

}  // namespace mailward
