// The judge: events and a policy become verdicts. Pure and deterministic: no clock, no files, and
// what comes out is a function of the set of events, by the times that the log gives them. The order
// in which they come does not matter as long as none comes more than kLateness after events that are
// later in the log (after an hour where the log is so dense that a day's events would fill the memory). Those
// without a time come before all others.
//
// Memory: about 80 bytes an address, 28 an event that a window may still need (for each key, the
// events of the last day and before them as many as the limit, no older than the window), and the
// dictionary of names where it is asked for. Not for several threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/event.h"
#include "judge/ignore_list.h"
#include "judge/policy.h"
#include "judge/report.h"

namespace mailward {

inline constexpr Duration kLateness = std::chrono::hours(24);

// Which addresses the report is to hold.
enum class Told : uint8_t {
  kOffenders,  // format plain: nothing else is kept
  kHostile,    // with at least one hostile event, and the offenders: format counts
  kAll,        // with at least one event that is no frame
};

struct JudgeConfig {
  PolicySet policies;
  std::vector<std::string> local_domains;  // none: those that somebody logged in for
  IgnoreList ignore;                       // loopback is never an offender either
  Told told = Told::kAll;
  bool keep_users = true;          // fill SourceReport::users
  bool keep_activity = true;       // fill SourceReport::activity
  size_t marks = size_t{1} << 20;  // events held before they are thinned out; tests make it small
};

// What remembered judgements depend on, as text: other policies, or other local domains, give another one.
std::string fingerprint_of(const JudgeConfig& config);

struct JudgeState;

class Judge {
 public:
  explicit Judge(JudgeConfig config);
  Judge(Judge&&) noexcept;
  ~Judge();

  // The kinds that the reader has to deliver; others may be left out. Of their facts only the user.
  KindSet needed_kinds() const;

  // Frames, events without an address, and kinds that are not needed may be among them.
  void take(std::span<const Event> events);

  // Ends it: the report, sources in order. Nothing may be taken after.
  Report finish(InputReport input);

  // The same, one source at a time, for inputs with very many addresses: returns a report without
  // sources, and hands each to `take` in order.
  Report finish(InputReport input, const std::function<void(SourceReport&&)>& take);

 private:
  std::unique_ptr<JudgeState> state_;
};

}  // namespace mailward
