#include "daemon/requests.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "base/text.h"

namespace mailward {
namespace {

constexpr std::array<std::pair<std::string_view, Request::Verb>, 5> kVerbs{{
    {"status", Request::Verb::kStatus},
    {"sync", Request::Verb::kSync},
    {"reload", Request::Verb::kReload},
    {"ban", Request::Verb::kBan},
    {"unban", Request::Verb::kUnban},
}};

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    if (end > 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

}  // namespace

Result<Request> parse_request(std::string_view line) {
  const auto words = words_of(line);
  if (words.empty()) return fail("an empty line; send status, sync, reload, ban or unban");
  for (const auto& [name, verb] : kVerbs) {
    if (words[0] != name) continue;
    Request request;
    request.verb = verb;
    const size_t least = verb == Request::Verb::kBan ? 3 : verb == Request::Verb::kUnban ? 2 : 1;
    const size_t most = verb == Request::Verb::kBan ? 4 : least;
    if (words.size() < least || words.size() > most)
      return fail(fmt::format("{} takes {}", name,
                              least == 3   ? "a network, a duration, and maybe the word force"
                              : least == 2 ? "a network"
                                           : "nothing"));
    if (least == 1) return request;
    const auto network = parse_network(words[1]);
    if (!network) return fail(fmt::format("'{}' is no address and no network", for_terminal(words[1])));
    request.network = *network;
    if (least == 2) return request;
    if (network->prefix < (network->address.is_v4() ? kWidestByHand4 : kWidestByHand6))
      return fail(fmt::format("{} is too wide to be banned; /{} is the widest", words[1],
                              network->address.is_v4() ? kWidestByHand4 : kWidestByHand6));
    const auto length = parse_duration(words[2]);
    if (!length || *length <= Duration(0)) return fail(fmt::format("'{}' is no duration", for_terminal(words[2])));
    request.length = *length;
    request.force = words.size() == 4;
    if (request.force && words[3] != "force")
      return fail(fmt::format("'{}' is not the word force", for_terminal(words[3])));
    return request;
  }
  return fail(fmt::format("'{}' is not known; send status, sync, reload, ban or unban", for_terminal(words[0])));
}

std::string format_request(const Request& request) {
  std::string line;
  for (const auto& [name, verb] : kVerbs)
    if (verb == request.verb) line = name;
  if (request.verb == Request::Verb::kBan || request.verb == Request::Verb::kUnban)
    line += ' ' + format_network(request.network);
  if (request.verb == Request::Verb::kBan) line += ' ' + format_duration(request.length);
  if (request.force) line += " force";
  return line;
}

std::string reply_of(bool done, std::string_view sentence) {
  std::string json = done ? R"({"ok":true,"message":)" : R"({"ok":false,"message":)";
  append_json(json, sentence);
  return json + '}';
}

}  // namespace mailward
