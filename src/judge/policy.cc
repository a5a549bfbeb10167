#include "judge/policy.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "base/data_dir.h"
#include "base/nearest.h"
#include "base/read_up_to.h"
#include "base/text.h"

namespace mailward {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;  // of a policy file
constexpr size_t kLongestName = 64;

constexpr std::array<std::string_view, 6> kWhenNames{"any",       "foreign-domain", "local-domain",
                                                     "bare-name", "unknown-user",   "not-foreign-domain"};
static_assert(kWhenNames.size() == static_cast<size_t>(When::kNotForeignDomain) + 1);
constexpr std::array<std::string_view, 3> kPerNames{"address", "network", "user"};

constexpr KindSet kinds_of(Severity severity) {
  KindSet set = 0;
  for (size_t i = 0; i < kEventKinds; ++i)
    if (kEventKindInfo[i].severity == severity) set |= KindSet{1} << i;
  return set;
}
constexpr KindSet kHostile = kinds_of(Severity::kHostile);
constexpr KindSet kWeak = kinds_of(Severity::kWeak);

// Thrown and caught within this file.
struct Wrong {
  toml::source_position where;
  std::string what;
};

std::string in_ticks(std::string_view text) { return "`" + for_terminal(text, 60) + "`"; }

std::string list_of(std::span<const std::string_view> names) { return fmt::format("{}", fmt::join(names, ", ")); }

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

[[noreturn]] void wrong_type(const toml::node& node, std::string_view key, std::string_view expected) {
  throw Wrong{node.source().begin, fmt::format("`{}` is {}; expected {}", key, type_name(node), expected)};
}

const std::string& string_of(const toml::node& node, std::string_view key, std::string_view expected) {
  if (!node.is_string()) wrong_type(node, key, expected);
  return node.as_string()->get();
}

int64_t integer_of(const toml::node& node, std::string_view key, int64_t least, int64_t most) {
  const std::string expected = fmt::format("an integer from {} to {}", least, most);
  if (!node.is_integer()) wrong_type(node, key, expected);
  const int64_t value = node.as_integer()->get();
  if (value < least || value > most)
    throw Wrong{node.source().begin, fmt::format("`{}` is {}; expected {}", key, value, expected)};
  return value;
}

Duration duration_of(const toml::node& node, std::string_view key) {
  constexpr std::string_view kExpected = "a duration like \"90s\", \"15m\", \"24h\", \"7d\"";
  const std::string& text = string_of(node, key, kExpected);
  const auto duration = parse_duration(text);
  if (!duration || duration->count() <= 0)
    throw Wrong{node.source().begin, fmt::format("`{}` is {}; expected {}", key, in_ticks(text), kExpected)};
  return *duration;
}

// The place of a word in its table.
size_t choice_of(const toml::node& node, std::string_view key, std::span<const std::string_view> names) {
  const std::string& text = string_of(node, key, "one of " + list_of(names));
  const auto at = std::find(names.begin(), names.end(), text);
  if (at == names.end())
    throw Wrong{node.source().begin, fmt::format("`{}` is {}; expected one of {}{}", key, in_ticks(text),
                                                 list_of(names), tell_nearest(text, names, " (", ")"))};
  return static_cast<size_t>(at - names.begin());
}

std::string name_from(const toml::node& node) {
  const std::string& text = string_of(node, "name", "a string");
  const bool good = !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (!good)
    throw Wrong{node.source().begin, fmt::format("`name` is {}; expected 1 to {} letters, digits, `-`, `_`, `.`",
                                                 in_ticks(text), kLongestName)};
  return text;
}

KindSet kinds_from_word(const toml::node& node) {
  const std::string& word = string_of(node, "events", "a kind of event");
  if (word == "hostile") return kHostile;
  if (word == "weak") return kWeak;
  const auto kind = parse_event_kind(word);
  if (kind && *kind != EventKind::kNone && *kind != EventKind::kAmbiguous) return bit(*kind);
  std::vector<std::string_view> names{"hostile", "weak"};
  for (size_t i = 1; i + 1 < kEventKinds; ++i) names.push_back(kEventKindInfo[i].name);
  throw Wrong{node.source().begin, fmt::format("`events` has {}; expected `hostile`, `weak` or a kind of event{}",
                                               in_ticks(word), tell_nearest(word, names, " (", ")"))};
}

KindSet kinds_from(const toml::node& node) {
  constexpr std::string_view kExpected = "a list of kinds of event, or [\"hostile\"]";
  if (!node.is_array()) wrong_type(node, "events", kExpected);
  if (node.as_array()->empty())
    throw Wrong{node.source().begin, fmt::format("`events` is empty; expected {}", kExpected)};
  KindSet kinds = 0;
  for (const toml::node& word : *node.as_array()) kinds |= kinds_from_word(word);
  return kinds;
}

double repeat_from(const toml::node& node) {
  constexpr std::string_view kExpected = "a number from 1.0 to 100.0";
  const auto value = node.is_number() ? node.value<double>() : std::nullopt;
  if (!value) wrong_type(node, "repeat", kExpected);
  if (!(*value >= 1.0 && *value <= 100.0))
    throw Wrong{node.source().begin, fmt::format("`repeat` is {}; expected {}", *value, kExpected)};
  return *value;
}

bool flag_from(const toml::node& node, std::string_view key) {
  if (!node.is_boolean()) wrong_type(node, key, "true or false");
  return node.as_boolean()->get();
}

using ReadKey = void (*)(Policy& p, const toml::node& node);
struct Key {
  std::string_view name;
  ReadKey read;
};

constexpr std::array<Key, 19> kKeys{{
    {"name", [](Policy& p, const toml::node& n) { p.name = name_from(n); }},
    {"events", [](Policy& p, const toml::node& n) { p.events = kinds_from(n); }},
    {"when", [](Policy& p, const toml::node& n) { p.when = static_cast<When>(choice_of(n, "when", kWhenNames)); }},
    {"per", [](Policy& p, const toml::node& n) { p.per = static_cast<Per>(choice_of(n, "per", kPerNames)); }},
    {"limit",
     [](Policy& p, const toml::node& n) { p.limit = static_cast<uint32_t>(integer_of(n, "limit", 0, kMostLimit)); }},
    {"kinds", [](Policy& p, const toml::node& n) { p.kinds = static_cast<uint32_t>(integer_of(n, "kinds", 1, 20)); }},
    {"addresses",
     [](Policy& p, const toml::node& n) { p.addresses = static_cast<uint32_t>(integer_of(n, "addresses", 1, 1000)); }},
    {"window", [](Policy& p, const toml::node& n) { p.window = duration_of(n, "window"); }},
    {"ban", [](Policy& p, const toml::node& n) { p.ban = duration_of(n, "ban"); }},
    {"repeat", [](Policy& p, const toml::node& n) { p.repeat = repeat_from(n); }},
    {"forgive", [](Policy& p, const toml::node& n) { p.forgive = duration_of(n, "forgive"); }},
    {"spare_after_login", [](Policy& p, const toml::node& n) { p.spare = duration_of(n, "spare_after_login"); }},
    {"spare_clients", [](Policy& p, const toml::node& n) { p.spare_clients = duration_of(n, "spare_clients"); }},
    {"spare_senders", [](Policy& p, const toml::node& n) { p.spare_senders = flag_from(n, "spare_senders"); }},
    {"spare_mild", [](Policy& p, const toml::node& n) { p.spare_mild = flag_from(n, "spare_mild"); }},
    {"spare_people",
     [](Policy& p, const toml::node& n) {
       p.spare_people = static_cast<uint32_t>(integer_of(n, "spare_people", 1, kMostForAPerson));
     }},
    {"prefix4", [](Policy& p, const toml::node& n) { p.prefix4 = static_cast<int>(integer_of(n, "prefix4", 1, 32)); }},
    {"prefix6", [](Policy& p, const toml::node& n) { p.prefix6 = static_cast<int>(integer_of(n, "prefix6", 1, 128)); }},
    {"needs_domains", [](Policy& p, const toml::node& n) { p.needs_domains = flag_from(n, "needs_domains"); }},
}};

void read_key(Policy& p, const toml::key& key, const toml::node& node) {
  const auto at = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.name == key.str(); });
  if (at != kKeys.end()) return at->read(p, node);
  std::vector<std::string_view> names;
  for (const Key& k : kKeys) names.push_back(k.name);
  throw Wrong{key.source().begin, fmt::format("unknown key {}; expected one of {}{}", in_ticks(key.str()),
                                              list_of(names), tell_nearest(key.str(), names, " (", ")"))};
}

// What no single key can tell: keys that are missing, and those that say nothing together.
void check_policy(const Policy& p, const toml::table& table) {
  const auto here = table.source().begin;
  for (const std::string_view key : {"name", "events", "limit", "ban"})
    if (!table.contains(key))
      throw Wrong{here, fmt::format("a policy without `{}`; expected at least name, events, limit and ban", key)};
  const auto refuse = [&](std::string_view key, std::string_view why) {
    throw Wrong{table.get(key)->source().begin, fmt::format("`{}` {}", key, why)};
  };
  if (table.contains("prefix4") && p.per != Per::kNetwork) refuse("prefix4", "needs `per = \"network\"`");
  if (table.contains("prefix6") && p.per == Per::kUser) refuse("prefix6", "says nothing with `per = \"user\"`");
  if (table.contains("addresses") && p.per != Per::kUser) refuse("addresses", "needs `per = \"user\"`");
  if (table.contains("forgive") && p.repeat == 1.0) refuse("forgive", "says nothing without `repeat`");
  if (p.spare_mild && p.per != Per::kAddress) refuse("spare_mild", "needs `per = \"address\"`");
  if (p.spare_people > 0 && p.per == Per::kNetwork) refuse("spare_people", "says nothing with `per = \"network\"`");
  if (p.kinds > static_cast<uint32_t>(std::popcount(p.events)))
    refuse("kinds", fmt::format("is {}; `events` has only {}", p.kinds, std::popcount(p.events)));
  if ((p.when != When::kAny || p.per == Per::kUser) && !(p.events & kLoginKinds))
    refuse("events", "has no login, and only logins have a user; expected `auth_failed` with this `when` or `per`");
  if (p.spare.count() > 0 && !(p.events & bit(EventKind::kAuthFailed)))
    refuse("spare_after_login", "is about failed logins; expected `auth_failed` in `events`");
}

Policy read_policy(const toml::node& node) {
  if (!node.is_table()) wrong_type(node, "policy", "tables: [[policy]]");
  Policy p;
  for (const auto& [key, value] : *node.as_table()) read_key(p, key, value);
  check_policy(p, *node.as_table());
  return p;
}

}  // namespace

size_t sparing_spans(const std::vector<Policy>& policies) {
  std::set<std::tuple<int, bool, int64_t>> spans;
  for (const Policy& p : policies) {
    const int prefix6 = p.per == Per::kAddress ? p.prefix6 : 64;
    if (p.spare.count() > 0) spans.emplace(prefix6, true, p.spare.count());
    if (p.spare_clients.count() > 0) spans.emplace(prefix6, false, p.spare_clients.count());
  }
  return spans.size();
}

namespace {

std::vector<Policy> read_document(const toml::table& document) {
  for (const auto& [key, value] : document)
    if (key.str() != "policy")
      throw Wrong{key.source().begin, fmt::format("unknown key {}; expected [[policy]]", in_ticks(key.str()))};
  const toml::node* list = document.get("policy");
  if (list == nullptr) throw Wrong{{1, 1}, "no [[policy]] in the file"};
  if (!list->is_array() || list->as_array()->empty()) wrong_type(*list, "policy", "tables: [[policy]]");
  std::vector<Policy> policies;
  for (const toml::node& node : *list->as_array()) {
    if (policies.size() == kMostPolicies)
      throw Wrong{node.source().begin, fmt::format("more than {} policies", kMostPolicies)};
    Policy p = read_policy(node);
    const auto same = [&](const Policy& other) { return other.name == p.name; };
    if (std::any_of(policies.begin(), policies.end(), same))
      throw Wrong{node.source().begin, fmt::format("a second policy with the name `{}`", p.name)};
    policies.push_back(std::move(p));
    if (sparing_spans(policies) > kMostSpans)
      throw Wrong{node.source().begin, fmt::format("more than {} different spans of sparing in one file", kMostSpans)};
  }
  return policies;
}

std::string at(const std::string& path, toml::source_position where, std::string_view what) {
  return fmt::format("{}:{}:{}: {}", path, where.line, where.column, what);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text = read_up_to(in, kMostBytes + 1);
  if (!in && !in.eof()) return fail(fmt::format("{}: the policy file can't be read", path));
  if (text.size() > kMostBytes) return fail(fmt::format("{}: longer than {} bytes", path, kMostBytes));
  return text;
}

Result<PolicySet> load_file(const std::string& path, const std::string& name) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_policies(*text, path, name);
}

// The presets that there are, for a message.
std::vector<std::string> presets_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".toml") names.push_back(at->path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string_view name_of(When when) { return kWhenNames[static_cast<size_t>(when)]; }
std::string_view name_of(Per per) { return kPerNames[static_cast<size_t>(per)]; }

std::string describe_kinds(KindSet kinds) {
  std::vector<std::string_view> words;
  for (const auto& [set, word] : {std::pair(kHostile, "hostile"), std::pair(kWeak, "weak")}) {
    if ((kinds & set) != set) continue;
    words.emplace_back(word);
    kinds &= ~set;
  }
  for (size_t i = 0; i < kEventKinds; ++i)
    if (kinds >> i & 1) words.push_back(kEventKindInfo[i].name);
  return fmt::format("{}", fmt::join(words, ", "));
}

Result<PolicySet> parse_policies(std::string_view text, const std::string& path, const std::string& name) {
  try {
    return PolicySet{name, read_document(toml::parse(text, path))};
  } catch (const Wrong& wrong) {
    return fail(at(path, wrong.where, wrong.what));
  } catch (const toml::parse_error& error) {
    return fail(at(path, error.source().begin, "no TOML: " + for_terminal(error.description())));
  }
}

Result<PolicySet> load_policies(const std::string& name_or_path) {
  const std::filesystem::path path(name_or_path);
  if (name_or_path.find('/') != std::string::npos || path.extension() == ".toml")
    return load_file(name_or_path, path.stem().string());
  const auto folder = find_data_dir("policy");
  if (!folder)
    return fail("the folder of the presets was not found; looked in " + data_dirs_tried("policy") +
                "; set MAILWARD_DATA");
  const auto names = presets_in(*folder);
  if (std::find(names.begin(), names.end(), name_or_path) != names.end())
    return load_file(*folder + "/" + name_or_path + ".toml", name_or_path);
  if (names.empty()) return fail("no presets in " + *folder);
  const std::vector<std::string_view> views(names.begin(), names.end());
  return fail(fmt::format("no preset {}; expected one of {}{}, or the path of a file", in_ticks(name_or_path),
                          fmt::join(names, ", "), tell_nearest(name_or_path, views, " (", ")")));
}

void apply(const Overrides& overrides, PolicySet& set) {
  for (Policy& p : set.policies) {
    if (overrides.limit >= 0) p.limit = static_cast<uint32_t>(std::min<int64_t>(overrides.limit, kMostLimit));
    if (overrides.ban.count() > 0) p.ban = overrides.ban;
  }
}

}  // namespace mailward
