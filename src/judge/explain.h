// Why an address is an offender, or why not: every policy's verdict with its numbers and the log lines
// that it rests on. Sees the whole input, keeps what touches the address, its networks and the names
// that were tried; judges with the judge's own engine, nothing thinned out.
//
// Text in an Explanation is the log's: escape it before showing (base/text.h). Not for several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/event.h"
#include "judge/judge.h"

namespace mailward {

// One event, owning its text.
struct ExplainedEvent {
  Instant time = kNoInstant;
  Address address;
  EventKind kind = EventKind::kNone;
  uint32_t count = 1;
  uint32_t pid = 0;
  uint32_t file = 0;  // index into the input's files
  uint64_t line = 0;
  bool unknown_user = false;
  bool mild = false;
  std::string daemon;
  std::array<std::string, kFacts> facts;
  std::string raw;  // where the reader keeps it

  const std::string& fact(Fact f) const { return facts[static_cast<size_t>(f)]; }
};

// An event that counts, or that would but for a login.
struct Evidence {
  Instant time = kNoInstant;
  Address address;
  EventKind kind = EventKind::kNone;
  uint32_t count = 1;
  uint32_t file = 0;
  uint64_t line = 0;
  std::string user;  // where it is the address asked about, or the policy is per user
};

// What one policy says.
struct Verdict {
  Policy policy;
  std::string name;      // "preset/name"
  std::string key;       // what was counted over: "192.0.2.7", "2001:db8::/64", "192.0.2.0/24", the user's name
  bool broken = false;   // the address is an offender by this policy
  uint64_t counted = 0;  // over the key and the whole input, without what was spared
  uint64_t most = 0;     // the most within one window
  uint64_t own = 0;      // of it by the address itself
  uint32_t kinds = 0;    // of how many different kinds these are
  Instant from = kNoInstant, to = kNoInstant;  // first and last event of that window
  Instant at = kNoInstant;                     // of the event that went over the limit first
  uint64_t spared = 0;                         // not counted because of a login
  std::optional<Evidence> login;               // the latest login that spares
  std::vector<Evidence> evidence;              // the window's events, the last kMostEvidence of them
  uint64_t evidence_left_out = 0;
  std::string excused;   // over the limit, and still no offender: why
  std::string in_words;  // one sentence: the verdict, and what would have to differ. The user's name is escaped
};

struct Explanation {
  Address address;
  bool seen = false;  // any event of it, frames too
  bool offender = false;
  std::string ignored_by;              // "192.0.2.0/24", "loopback"; empty: not ignored
  std::vector<ExplainedEvent> events;  // of the address, in order of coming, frames too
  uint64_t events_left_out = 0;        // beyond kMostEvents
  std::vector<Verdict> verdicts;       // one for each policy, in the file's order
  SourceReport source;                 // as `scan` would tell it
  std::string hint;                    // what the log can't tell and whoever reads this may know; mostly empty
  bool cut = false;                    // more touched it than can be kept: verdicts rest on a part
};

class Explainer {
 public:
  static constexpr size_t kMostEvents = 10'000;
  static constexpr size_t kMostEvidence = 100;
  static constexpr size_t kMostKept = 2'000'000;

  // Users and activity are kept, and all is told, whatever the config says.
  Explainer(const JudgeConfig& config, Address address);
  Explainer(Explainer&&) noexcept;
  ~Explainer();

  // The kinds that the reader has to deliver: all. Facts and raw lines of `address` are kept.
  static constexpr KindSet needed_kinds() { return (KindSet{1} << kEventKinds) - 1; }
  void take(std::span<const Event> events);
  Explanation finish(const InputReport& input);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailward
