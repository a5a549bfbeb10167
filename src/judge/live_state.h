// The inside of the live judge. live.cc takes events and decides about bans, live_names.cc works out who takes part
// in attacks on names, live_tidy.cc thins memories out.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "judge/live.h"
#include "judge/state.h"

namespace mailward {

inline constexpr uint32_t kTidyFirst = 48;  // marks of one memory
inline constexpr size_t kManyOfOne = 64;    // marks of one memory: then fewer are kept for events that come late
inline constexpr size_t kUnsettled = 16;    // marks: so many stamps from the future don't make the others old
inline constexpr Duration kLatenesses[] = {kLateness, std::chrono::hours(1), std::chrono::minutes(1), Duration(0)};

inline Instant instant_at(int64_t time) { return Instant(Duration(time)); }
inline int64_t time_of(Instant t) { return t.time_since_epoch().count(); }

struct LiveJudge::State {
  State(JudgeConfig config, MemoryStore& s);

  // --- live.cc
  void take(const Event& event, std::vector<LiveChange>& out);
  void pardon(const Network& network, Instant at, std::vector<LiveChange>& out);
  Network home_of(Address a) const { return network_of(a, prefix4, prefix6); }
  void close_bans(Memory& home, Instant now);
  void take_pardons(Memory& home);
  bool may_change(const Memory& home, const Network& network, const Mark& mark) const;
  bool is_over(const Memory& home, const PolicyRule& rule, const Mark& mark) const;
  bool is_excused(const Memory& home) const;
  bool stays_as_it_is(Memory& home, bool login);
  void judge(const Network& network, const Event& event, const Mark& mark, std::vector<LiveChange>& out);
  void evaluate(Memory& home, Instant now);
  void add(const Memory& memory);
  void add_breaches(const Memory& home);
  void bar(const Memory& home, Instant now);
  uint32_t name_of(const PolicyRule& rule, uint32_t source, uint32_t event_name) const;
  uint64_t counted(const PolicyRule& rule, uint32_t source, const Event& event, uint32_t event_name) const;
  void let_in(Memory& home, Instant now, std::vector<LiveChange>& out);
  void decide(Memory& home, const Event& event, const Mark& mark, std::vector<LiveChange>& out);
  void ban(Memory& home, const PolicyRule& rule, uint32_t source, const Event& event, const Mark& mark,
           std::vector<LiveChange>& out);

  // --- live_names.cc
  bool is_ignored(Address a) const;
  bool one_address(const Grouping* group, Address a, Address b) const;
  uint8_t spared_by(const Mark& login, Address from, const Mark& mark, Address by) const;
  void spare(Memory& home, Mark& mark, Address address);
  void take_name(const Mark& mark, Address address);
  bool spare_in_name(Memory& name, const Mark& login, Address address);
  bool is_over(const Memory& name, const PolicyRule& rule, size_t last) const;
  bool enough(const Memory& name, const PolicyRule& rule) const;
  void flag_last(Memory& name, const PolicyRule& rule, uint32_t user);
  void flag_all(Memory& name, const PolicyRule& rule, uint32_t user);
  void flag(Memory& name, const PolicyRule& rule, uint32_t user, size_t mark);
  void work_out_again(uint32_t user);
  void learn(uint16_t domain);
  void concern_all(const Memory& name, uint32_t broken);

  // --- live_tidy.cc
  void tidy(Memory& home, Instant now);
  void tidy_name(Memory& name);
  void keep_what_windows_need(Memory& name, int64_t settled);

  JudgeState scratch;
  MemoryStore& store;
  std::vector<const PolicyRule*> home_rules, name_rules;
  int prefix4 = 32, prefix6 = 64;
  KindSet name_kinds = 0;           // counted by some policy per user
  KindSet counted_kinds = 0;        // by some policy
  Instant event_time = kNoInstant;  // of the event
  std::vector<Network> concerned;   // scratch: whose verdict may be another one by this event
  std::vector<Network> touched;     // scratch: who came to take part in an attack
};

// The number of an address in a memory.
inline uint32_t known(Memory& memory, Address a) {
  const auto at = std::find_if(memory.sources.begin(), memory.sources.end(),
                               [a](const Memory::Known& k) { return k.address == a; });
  if (at != memory.sources.end()) return static_cast<uint32_t>(at - memory.sources.begin());
  memory.sources.push_back({a});
  return static_cast<uint32_t>(memory.sources.size() - 1);
}

// Is it kept out as a whole?
inline bool all_banned(const Memory& home, const Network& network, Instant now) {
  return std::any_of(home.bans.begin(), home.bans.end(),
                     [&](const LiveBan& ban) { return ban.until > now && ban.network == network; });
}

}  // namespace mailward
