#include "judge/ignore_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace mailward {
namespace {

constexpr size_t kMostEntries = 1'000'000;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // of UTF-8: some editors write it

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

void IgnoreList::add(const Network& network) {
  const bool v4 = network.address.is_v4();
  const auto same = [&](const Length& l) { return l.v4 == v4 && l.prefix == network.prefix; };
  auto at = std::find_if(lengths_.begin(), lengths_.end(), same);
  if (at == lengths_.end()) {
    at = std::find_if(lengths_.begin(), lengths_.end(), [&](const Length& l) { return l.prefix > network.prefix; });
    at = lengths_.insert(at, Length{v4, network.prefix, {}});
  }
  at->networks.insert(network.address);
}

Result<void> IgnoreList::add(std::string_view text) {
  if (const auto network = parse_network(text)) {
    add(*network);
    return {};
  }
  const std::string path(text);
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return add_file(path);
  return fail(
      fmt::format("{} is neither an address, nor a network like 192.0.2.0/24 or 2001:db8::/32 (without bits right "
                  "of its prefix), nor a file",
                  for_terminal(text)));
}

Result<void> IgnoreList::add_file(const std::string& path) {
  std::ifstream in(path);
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    if (++number == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    const std::string_view entry = trimmed(line);
    if (entry.empty()) continue;
    const auto network = parse_network(entry);
    if (!network)
      return fail(fmt::format(
          "{}:{}: {} is neither an address nor a network like 192.0.2.0/24 (without bits right of its prefix)", path,
          number, for_terminal(entry, 60)));
    if (number > kMostEntries) return fail(fmt::format("{}: more than {} lines", path, kMostEntries));
    add(*network);
  }
  if (number == 0 && !in.eof()) return fail(fmt::format("{}: the file can't be read", path));
  return {};
}

std::vector<Network> IgnoreList::networks() const {
  std::vector<Network> all;
  for (const Length& l : lengths_)
    for (const Address& a : l.networks) all.push_back({a, l.prefix});
  return all;
}

std::optional<Network> IgnoreList::find(Address a) const {
  const bool v4 = a.is_v4();
  for (const Length& l : lengths_) {
    if (l.v4 != v4) continue;
    const Network n = network_of(a, l.prefix, l.prefix);
    if (l.networks.contains(n.address)) return n;
  }
  return std::nullopt;
}

}  // namespace mailward
