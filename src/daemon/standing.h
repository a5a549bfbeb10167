// How the daemon stands: what `mailward status` shows. Kept by the keeper, filled from what the others tell.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/protocol.h"

namespace mailward {

struct KeeperConfig;

struct Standing {
  static constexpr size_t kExamples = 5, kWarnings = 20;

  struct Input {
    uint64_t line = 0, lines = 0, not_understood = 0, lost = 0;
    Instant reached = kNoInstant;
    std::string trouble;  // of reading
    std::string closed;   // of opening
    std::deque<std::string> examples;
    uint64_t losses = 0;
  };
  struct Warning {
    Instant when;
    std::string sentence;
  };

  Instant started = kNoInstant;
  std::vector<Input> inputs;
  uint64_t events = 0, bans = 0, withdrawn = 0;
  FirewallHealth firewall;
  std::string ledger_trouble;
  std::deque<Warning> warnings;
  double lines_a_second = 0;

  void take(size_t input, MarkOfInput& mark);
  Input& input(size_t number);
  void warn(std::string sentence);
  void stored(std::string trouble, uint64_t ms);
  void rate(uint64_t lines, uint64_t ms);

  // {"ok": true, …}, one line; docs/control-socket.md has the fields.
  std::string to_json(const KeeperConfig& config, size_t bans_in_force, size_t held_back, Instant now) const;
  // What this run did, in one sentence.
  std::string summary(size_t held_back) const;

 private:
  uint64_t trouble_since_ = 0, rated_at_ = 0, rated_lines_ = 0;
  std::string pending_trouble_;
};

}  // namespace mailward
