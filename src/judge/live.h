// Judging one event at a time, for the daemon: what `Judge` says of a whole log, said after each of its
// lines. Whoever is an offender by the events so far is banned at that moment; whom a later event excuses
// (a login from there, messages that were taken) is let in again. Times are the log's.
//
// An event is judged with its neighbourhood only: the addresses that some policy takes for one key with
// its own. Who took part in an attack on a name is worked out as the events come, in that name's memory, and told to
// the neighbourhoods. Memories are kept and loaded by a store; the verdict over a neighbourhood is JudgeState's, the
// same code that judges a whole log, and is asked for only where it may be another one. So cost and memory don't grow
// with the number of sources known. Deterministic; knows neither clock nor files. Not thread-safe.
//
// Bounds: of one name the last 512 addresses are remembered (further ones are convicted like the others, but only those
// are let in again where the name turns out to be somebody's); where more than 64 events of one memory lie within the
// last day, an hour's, a minute's or none are kept for events that come late (as kLateness says of `Judge`).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/event.h"
#include "judge/judge.h"
#include "judge/mark.h"

namespace mailward {

// Who is kept out, why and for how long.
struct LiveBan {
  Network network;             // one address: /32 or /128
  uint32_t policy = 0;         // index into the set; kNoPolicy: one that there is no more
  Instant since = kNoInstant;  // the convicting event
  Instant until = kNoInstant;
  uint64_t count = 0;  // what counted then, within the window
  uint32_t nth = 1;    // of this network, since it was forgiven last
  friend bool operator==(const LiveBan&, const LiveBan&) = default;
};
inline constexpr uint32_t kNoPolicy = kMostPolicies;

// One breach of a policy per user by one of a memory's addresses.
struct KnownBreach {
  uint32_t source, rule, user;
  friend auto operator<=>(const KnownBreach&, const KnownBreach&) = default;
};

// What must be remembered of some addresses: of a neighbourhood, or of those that tried one name. A value.
struct Memory {
  struct Known {
    Address address;
    uint32_t broken = 0;   // bit i: the i-th policy; of a neighbourhood: by events that are kept no more
    uint32_t settled = 0;  // of a name: those of `broken` that stand whatever its events say, which are kept no more
  };
  std::vector<Known> sources;
  std::vector<Mark> marks;            // Mark::source: index into `sources`; of a name in order of time
  std::vector<KnownBreach> breaches;  // of a neighbourhood
  std::vector<LiveBan> bans;          // of a neighbourhood, oldest first, over or not
  bool owned = false;                 // of a name: somebody logged in by it
  bool suspect = false;               // of a neighbourhood: over a limit by what it did, and excused so far
  Instant over = kNoInstant;          // of a neighbourhood: bans that ended by then have had their consequence
  Instant pardoned = kNoInstant;      // of a neighbourhood: and so have pardons until then
  uint32_t tidy_at = 0;               // when there are so many marks, they are thinned out
};

// Where memories are. References hold until the caller of LiveJudge says otherwise; what was given may be
// changed by the judge: the store takes it for changed.
class MemoryStore {
 public:
  virtual ~MemoryStore() = default;
  virtual Memory& neighbourhood(const Network& network) = 0;
  virtual Memory& user(uint32_t hash) = 0;
  virtual const Memory& look_at_user(uint32_t hash) = 0;  // no change
  // Neighbourhoods of addresses that tried a name of this domain (a number of Domains), for the moment in which
  // it turns out to be local; all that have any bans or marks may be given.
  virtual std::vector<Network> who_tried(uint16_t domain) = 0;

  // Pardons (LiveJudge::pardon): remembered for good. The last one of a network that holds the address.
  virtual void add_pardon(const Network& network, Instant at) = 0;
  virtual Instant pardoned(Address address) const = 0;
  // Networks within this one that are banned by judgement then.
  virtual std::vector<Network> banned_in(const Network& network, Instant at) = 0;
};

struct LiveChange {
  enum class What : uint8_t { kBan, kWithdraw } what;
  LiveBan ban;
};

class LiveJudge {
 public:
  // `config` as for Judge; what it says of the report is of no account.
  LiveJudge(JudgeConfig config, MemoryStore& store);
  LiveJudge(LiveJudge&&) noexcept;
  ~LiveJudge();

  KindSet needed_kinds() const;

  // What it learned that is no single memory's: which domains are served here. Changes with logins and new domains.
  void save(Encoder& out) const;
  bool restore(Decoder& in);

  // Judges the event; appends what follows from it.
  void take(const Event& event, std::vector<LiveChange>& changes);

  // Somebody takes back what was judged of this network and of all in it: bans in force are withdrawn, and what
  // happened before convicts nobody there any more. The next ban is the first again. The store keeps the pardon.
  void pardon(const Network& network, Instant at, std::vector<LiveChange>& changes);

  const PolicySet& policies() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailward
