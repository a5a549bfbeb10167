#include "daemon/standing.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "daemon/keeper.h"

namespace mailward {
namespace {

constexpr uint64_t kTroubleShown = 5000;  // ms: a ledger that is locked for a moment is no news
constexpr uint64_t kRateOver = 10'000;    // ms

nlohmann::json time_of(Instant t) { return has_time(t) ? nlohmann::json(format_instant(t, false)) : nlohmann::json(); }

}  // namespace

void Standing::take(size_t number, MarkOfInput& m) {
  Input& input = this->input(number);
  input.line = m.line;
  input.lines = m.lines;
  input.not_understood = m.not_understood;
  input.lost = m.lost;
  input.reached = m.reached;
  input.trouble = std::move(m.trouble);
  for (std::string& line : m.examples) input.examples.push_back(std::move(line));
  while (input.examples.size() > kExamples) input.examples.pop_front();
}

Standing::Input& Standing::input(size_t number) {
  if (inputs.size() <= number) inputs.resize(number + 1);
  return inputs[number];
}

void Standing::warn(std::string sentence) {
  const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  warnings.push_back({now, std::move(sentence)});
  while (warnings.size() > kWarnings) warnings.pop_front();
}

void Standing::stored(std::string trouble, uint64_t ms) {
  if (trouble.empty()) {
    trouble_since_ = 0;
    ledger_trouble.clear();
    return;
  }
  if (trouble_since_ == 0) trouble_since_ = ms + 1;
  if (ms + 1 - trouble_since_ >= kTroubleShown && ledger_trouble.empty()) warn(trouble);
  if (ms + 1 - trouble_since_ >= kTroubleShown) ledger_trouble = std::move(trouble);
}

void Standing::rate(uint64_t lines, uint64_t ms) {
  if (ms - rated_at_ < kRateOver / 10) return;
  const double share = static_cast<double>(lines - rated_lines_) * 1000 / static_cast<double>(ms - rated_at_);
  lines_a_second = rated_at_ == 0 ? share : lines_a_second * 0.8 + share * 0.2;
  rated_at_ = ms;
  rated_lines_ = lines;
}

std::string Standing::to_json(const KeeperConfig& config, size_t bans_in_force, size_t held_back, Instant now) const {
  using nlohmann::json;
  json logs = json::array();
  for (size_t i = 0; i < config.inputs.size(); ++i) {
    const Input input = i < inputs.size() ? inputs[i] : Input();
    json examples = json::array();
    for (const std::string& line : input.examples) examples.push_back(valid_utf8(line));
    const std::string& trouble = input.closed.empty() ? input.trouble : input.closed;
    logs.push_back(
        {{"file", valid_utf8(config.inputs[i])},
         {"line", input.line},
         {"lines", input.lines},
         {"reached", time_of(input.reached)},
         {"lag", has_time(input.reached) ? json(std::chrono::duration<double>(now - input.reached).count()) : json()},
         {"not_understood", input.not_understood},
         {"lost", input.lost},
         {"losses", input.losses},
         {"examples", examples},
         {"trouble", valid_utf8(trouble)}});
  }
  json warned = json::array();
  for (const Warning& w : warnings) warned.push_back({{"time", time_of(w.when)}, {"text", valid_utf8(w.sentence)}});
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const json all = {
      {"ok", true},
      {"started", time_of(started)},
      {"policy", config.judge.policies.name},
      {"ledger", {{"file", valid_utf8(config.ledger)}, {"trouble", valid_utf8(ledger_trouble)}}},
      {"inputs", logs},
      {"lines_a_second", lines_a_second},
      {"events", events},
      {"bans",
       {{"in_force", bans_in_force}, {"since_start", bans}, {"withdrawn", withdrawn}, {"held_back", held_back}}},
      {"firewall",
       {{"backend", config.backend},
        {"held", firewall.held},
        {"waiting", firewall.waiting},
        {"trouble", valid_utf8(firewall.trouble)}}},
      {"sandbox", config.sandbox},
      {"memory", used.ru_maxrss * 1024L},
      {"warnings", warned}};
  return all.dump();
}

std::string Standing::summary(size_t held_back) const {
  uint64_t lines = 0, not_understood = 0;
  for (const Input& input : inputs) {
    lines += input.lines;
    not_understood += input.not_understood;
  }
  std::string sentence = fmt::format("{} lines read, {} not understood; {} banned", lines, not_understood, bans);
  if (withdrawn > 0) sentence += fmt::format(", {} let in again", withdrawn);
  if (held_back > 0) sentence += fmt::format("; {} more wait for the brake", held_back);
  if (!firewall.trouble.empty()) sentence += "; the firewall: " + firewall.trouble;
  if (!ledger_trouble.empty()) sentence += "; not stored: " + ledger_trouble;
  return sentence;
}

}  // namespace mailward
