// Attacks on names: who takes part is worked out as the events come, in the name's memory, and told to the
// neighbourhoods of those who do. The windows are those of JudgeState::pass_over_keys.
#include <algorithm>
#include <set>

#include "judge/live_state.h"

namespace mailward {
namespace {

constexpr size_t kMostBreachesOfOne = 64;  // of one address

bool by_time(const Mark& a, const Mark& b) { return a.time < b.time; }

uint32_t bit_of(const PolicyRule& rule) { return uint32_t{1} << rule.number; }

// Sums and events without a time stand before all others.
size_t untimed_of(const Memory& name) {
  size_t n = 0;
  while (n < name.marks.size() && name.marks[n].time == kUntimed) ++n;
  return n;
}

}  // namespace

bool LiveJudge::State::is_ignored(Address a) const {
  const bool loopback = a.is_v4() ? (a.low >> 24 & 0xff) == 127 : a == Address{0, 1};
  return loopback || scratch.config.ignore.find(a);
}

bool LiveJudge::State::one_address(const Grouping* group, Address a, Address b) const {
  return a == b || (group && network_of(a, group->prefix4(), group->prefix6()) ==
                                 network_of(b, group->prefix4(), group->prefix6()));
}

// The spans by which a login spares an event (JudgeState::mark_spared).
uint8_t LiveJudge::State::spared_by(const Mark& login, Address from, const Mark& mark, Address by) const {
  uint8_t spared = 0;
  for (const Span& span : scratch.spans) {
    if (!span.about(mark.kind) || (span.failures && (mark.user == 0 || mark.user != login.user))) continue;
    const bool near = mark.time == kUntimed
                          ? login.time == kUntimed
                          : login.time != kUntimed && login.time <= mark.time && login.time > mark.time - span.micros;
    if (near && one_address(span.group, from, by)) spared |= span.bit;
  }
  return spared;
}

// An event that comes to its neighbourhood: which logins spare it; a login: what it spares of what came before it,
// though not earlier.
void LiveJudge::State::spare(Memory& home, Mark& mark, Address address) {
  if (scratch.spans.empty()) return;
  const bool login = mark.kind == EventKind::kAuthOk;
  std::set<uint32_t> names;
  for (Mark& m : home.marks) {
    const Address a = home.sources[m.source].address;
    if (m.kind == EventKind::kAuthOk && !m.sum && !login) mark.spared |= spared_by(m, a, mark, address);
    if (!login || m.sum || m.time < mark.time) continue;
    const auto spared = static_cast<uint8_t>(m.spared | spared_by(mark, address, m, a));
    if (spared == m.spared) continue;
    m.spared = spared;
    if (m.user != 0 && m.user != mark.user && name_kinds & bit(m.kind)) names.insert(m.user);
  }
  for (const uint32_t user : names)
    if (spare_in_name(store.user(user), mark, address)) work_out_again(user);
}

bool LiveJudge::State::spare_in_name(Memory& name, const Mark& login, Address address) {
  bool any = false;
  for (Mark& m : name.marks) {
    if (m.sum || m.time < login.time) continue;
    const auto spared = static_cast<uint8_t>(m.spared | spared_by(login, address, m, name.sources[m.source].address));
    any |= spared != m.spared;
    m.spared = spared;
  }
  return any;
}

// Whose verdict may be another one because of this event, and what follows for the name.
void LiveJudge::State::take_name(const Mark& mark, Address address) {
  const bool login = mark.kind == EventKind::kAuthOk;
  Memory& name = store.user(mark.user);
  if (login) {
    if (!name.owned) concern_all(name, ~uint32_t{0});
    name.owned = true;
    if (spare_in_name(name, mark, address)) work_out_again(mark.user);
  }
  if (!(name_kinds & bit(mark.kind)) || is_ignored(address)) return;
  const bool late = !name.marks.empty() && mark.time < name.marks.back().time;
  const auto at = name.marks.insert(std::upper_bound(name.marks.begin(), name.marks.end(), mark, by_time), mark);
  at->source = known(name, address);
  for (const PolicyRule* rule : name_rules) {
    if (!scratch.counts(*rule, mark)) continue;
    touched.clear();
    const bool before = enough(name, *rule);
    late ? flag_all(name, *rule, mark.user) : flag_last(name, *rule, mark.user);
    if (touched.empty() || !enough(name, *rule)) continue;
    if (!before) concern_all(name, bit_of(*rule));
    concerned.insert(concerned.end(), touched.begin(), touched.end());
  }
  tidy_name(name);
}

void LiveJudge::State::concern_all(const Memory& name, uint32_t broken) {
  for (const Memory::Known& k : name.sources)
    if (k.broken & broken) concerned.push_back(home_of(k.address));
}

// Is the window that ends with this mark too full, by what came before it?
bool LiveJudge::State::is_over(const Memory& name, const PolicyRule& rule, size_t last) const {
  const int64_t to = name.marks[last].time;
  Tally tally;
  for (size_t i = last + 1; i-- > 0 && !tally.over(rule.bound);) {
    const Mark& m = name.marks[i];
    if (rule.window > 0 && m.time != kUntimed && m.time <= to - rule.window) {
      i = untimed_of(name);
      continue;
    }
    if (scratch.counts(rule, m)) tally.add(step_of(m, static_cast<uint32_t>(i)));
  }
  return tally.over(rule.bound);
}

// Did so many addresses take part that it counts?
bool LiveJudge::State::enough(const Memory& name, const PolicyRule& rule) const {
  std::vector<Network> different;
  size_t number = 0;
  for (const Memory::Known& k : name.sources) {
    if (!(k.broken & bit_of(rule))) continue;
    if (!k.address.is_v4()) {
      const Network n = network_of(k.address, 32, 64);
      if (std::find(different.begin(), different.end(), n) != different.end()) continue;
      different.push_back(n);
    }
    if (++number >= rule.policy.addresses) return true;
  }
  return false;
}

// The last mark is new: it, and where its window is the first one that is too full, all in it.
void LiveJudge::State::flag_last(Memory& name, const PolicyRule& rule, uint32_t user) {
  const size_t last = name.marks.size() - 1;
  if (!is_over(name, rule, last)) return;
  const auto within = [&](const Mark& m) {
    return rule.window == 0 || m.time == kUntimed || m.time > name.marks[last].time - rule.window;
  };
  for (size_t i = last; i-- > 0;) {
    if (!scratch.counts(rule, name.marks[i]) || !within(name.marks[i])) continue;
    if (is_over(name, rule, i)) break;  // those before it were flagged with it
    for (size_t j = 0; j <= i; ++j)
      if (scratch.counts(rule, name.marks[j]) && within(name.marks[j])) flag(name, rule, user, j);
    break;
  }
  flag(name, rule, user, last);
}

void LiveJudge::State::flag_all(Memory& name, const PolicyRule& rule, uint32_t user) {
  std::vector<Step>& steps = scratch.steps;
  steps.clear();
  for (uint32_t i = 0; i < name.marks.size(); ++i)
    if (scratch.counts(rule, name.marks[i])) steps.push_back(step_of(name.marks[i], i));
  sweep(std::span<const Step>(steps), rule.bound, rule.window,
        [&](size_t i) { flag(name, rule, user, steps[i].mark); });
}

// Somebody takes part: his neighbourhood learns it, unless that has had its consequence.
void LiveJudge::State::flag(Memory& name, const PolicyRule& rule, uint32_t user, size_t mark) {
  Memory::Known& by = name.sources[name.marks[mark].source];
  const Network network = home_of(by.address);
  if (!(by.broken & bit_of(rule))) touched.push_back(network);
  by.broken |= bit_of(rule);
  Memory& home = store.neighbourhood(network);
  close_bans(home, event_time);
  take_pardons(home);
  const Instant time = instant_at(name.marks[mark].time);
  const auto has_answered = [&](const LiveBan& b) {
    return b.until <= home.over && time < b.until && contains(b.network, by.address);
  };
  if (time < store.pardoned(by.address) || std::any_of(home.bans.begin(), home.bans.end(), has_answered)) return;
  const KnownBreach breach{known(home, by.address), static_cast<uint32_t>(rule.number), user};
  const auto of_him = std::count_if(home.breaches.begin(), home.breaches.end(),
                                    [&](const KnownBreach& b) { return b.source == breach.source; });
  if (static_cast<size_t>(of_him) >= kMostBreachesOfOne ||
      std::find(home.breaches.begin(), home.breaches.end(), breach) != home.breaches.end())
    return;
  home.breaches.push_back(breach);
  touched.push_back(network);
}

// Rare: what was counted counts no more, or the other way round.
void LiveJudge::State::work_out_again(uint32_t user) {
  Memory& name = store.user(user);
  std::vector<uint32_t> before;
  for (Memory::Known& k : name.sources) before.push_back(std::exchange(k.broken, k.settled));
  concern_all(name, ~uint32_t{0});
  for (const PolicyRule* rule : name_rules) flag_all(name, *rule, user);
  for (size_t i = 0; i < before.size(); ++i) {
    const Memory::Known& k = name.sources[i];
    if ((before[i] | k.broken) == 0) continue;
    const Network network = home_of(k.address);
    concerned.push_back(network);
    if (!(before[i] & ~k.broken)) continue;
    Memory& home = store.neighbourhood(network);
    const uint32_t source = known(home, k.address);
    std::erase_if(home.breaches, [&](const KnownBreach& b) {
      return b.source == source && b.user == user && !(k.broken >> b.rule & 1);
    });
  }
}

// Rare: a name of a domain was let in that was not known to be local.
void LiveJudge::State::learn(uint16_t domain) {
  std::set<uint32_t> names;  // in an order that doesn't depend on the store's
  for (const Network& network : store.who_tried(domain)) {
    concerned.push_back(network);
    const Memory& home = store.neighbourhood(network);
    for (const Mark& m : home.marks)
      if (m.user != 0 && name_kinds & bit(m.kind)) names.insert(m.user);
    for (const KnownBreach& b : home.breaches) names.insert(b.user);
  }
  for (const uint32_t user : names) work_out_again(user);
}

}  // namespace mailward
