#include "judge/live.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "judge/live_state.h"

namespace mailward {
namespace {

constexpr KindSet kLogin = bit(EventKind::kAuthOk);
// What may excuse somebody who is banned.
constexpr KindSet kExcusing = kLogin | bit(EventKind::kAccepted);

JudgeConfig for_scratch(JudgeConfig config) {
  config.told = Told::kOffenders;
  config.keep_users = config.keep_activity = false;
  config.marks = 256;
  return config;
}

// What was known of these addresses has had its consequence.
template <class Whom>
void forget_breaches(Memory& home, Whom whom) {
  for (uint32_t i = 0; i < home.sources.size(); ++i) {
    if (!whom(home.sources[i].address)) continue;
    home.sources[i].broken = 0;
    std::erase_if(home.breaches, [i](const KnownBreach& b) { return b.source == i; });
  }
}

}  // namespace

LiveJudge::State::State(JudgeConfig config, MemoryStore& s) : scratch(for_scratch(std::move(config))), store(s) {
  scratch.keep_breaches = scratch.users_apart = true;
  scratch.wants_user = true;
  scratch.most_undecided = 4096;
  for (const PolicyRule& rule : scratch.rules) {
    const Policy& p = rule.policy;
    counted_kinds |= p.events;
    (p.per == Per::kUser ? name_rules : home_rules).push_back(&rule);
    if (p.per == Per::kUser) {
      name_kinds |= p.events & kLoginKinds;
      continue;
    }
    prefix6 = std::min(prefix6, p.prefix6);
    if (p.per == Per::kNetwork) prefix4 = std::min(prefix4, p.prefix4);
  }
}

LiveJudge::LiveJudge(JudgeConfig config, MemoryStore& store)
    : state_(std::make_unique<State>(std::move(config), store)) {}
LiveJudge::LiveJudge(LiveJudge&&) noexcept = default;
LiveJudge::~LiveJudge() = default;
KindSet LiveJudge::needed_kinds() const { return state_->scratch.needed_kinds(); }
const PolicySet& LiveJudge::policies() const { return state_->scratch.config.policies; }
void LiveJudge::save(Encoder& out) const { state_->scratch.domains.save(out); }
bool LiveJudge::restore(Decoder& in) { return state_->scratch.domains.restore(in); }
void LiveJudge::take(const Event& event, std::vector<LiveChange>& changes) { state_->take(event, changes); }
void LiveJudge::pardon(const Network& network, Instant at, std::vector<LiveChange>& changes) {
  state_->pardon(network, at, changes);
}

void LiveJudge::State::take(const Event& event, std::vector<LiveChange>& out) {
  if (!(scratch.kept_kinds & bit(event.kind)) || event.address.empty() || event.count == 0) return;
  const Network network = home_of(event.address);
  Memory& home = store.neighbourhood(network);
  event_time = event.time;
  close_bans(home, event_time);
  take_pardons(home);
  const bool login = event.kind == EventKind::kAuthOk;
  const bool may_learn = login && scratch.domains.learns();
  const bool was_local = may_learn && scratch.domains.is_local(scratch.domains.number_of(event.user()));
  const bool any_before = may_learn && scratch.domains.any_known();
  Mark mark = scratch.mark_of(event, known(home, event.address));
  concerned.clear();
  spare(home, mark, event.address);
  home.marks.push_back(mark);
  if (mark.user != 0 && (login || name_kinds & bit(mark.kind)) && scratch.user_rules) take_name(mark, event.address);
  const bool learned = may_learn && !was_local && scratch.domains.is_local(mark.domain);
  if (learned)
    learn(any_before ? mark.domain : uint16_t{kNoName});
  else
    std::erase_if(concerned, [&](const Network& n) { return stays_as_it_is(store.neighbourhood(n), login); });
  if (learned || may_change(home, network, mark)) concerned.push_back(network);
  if (concerned.size() > 1) {
    std::sort(concerned.begin(), concerned.end());
    concerned.erase(std::unique(concerned.begin(), concerned.end()), concerned.end());
  }
  for (const Network& n : concerned) judge(n, event, mark, out);
  tidy(home, event.time);
}

// Whoever took part in an attack on a name: nothing follows from that for now. A login that isn't counted only excuses.
bool LiveJudge::State::stays_as_it_is(Memory& home, bool login) {
  close_bans(home, event_time);
  const auto in_force = [&](const LiveBan& ban) { return ban.until > event_time; };
  if (!login) return is_excused(home);
  return !(counted_kinds & kLogin) && std::none_of(home.bans.begin(), home.bans.end(), in_force);
}

// What happened before the end of a ban has had its consequence.
void LiveJudge::State::close_bans(Memory& home, Instant now) {
  Instant over = home.over;
  for (const LiveBan& ban : home.bans) {
    if (ban.until > now || ban.until <= home.over) continue;
    forget_breaches(home, [&](Address a) { return contains(ban.network, a); });
    over = std::max(over, ban.until);
  }
  home.over = over;
}

// What happened before a pardon is no evidence any more, whoever looks at it; what excuses stays.
void LiveJudge::State::take_pardons(Memory& home) {
  Instant last = home.pardoned;
  for (const Memory::Known& k : home.sources) last = std::max(last, store.pardoned(k.address));
  if (last == home.pardoned) return;
  const auto newly = [&](Address a) { return store.pardoned(a) > home.pardoned; };
  forget_breaches(home, newly);
  std::erase_if(home.marks, [&](const Mark& m) {
    const Address a = home.sources[m.source].address;
    return !(kExcusing & bit(m.kind)) && newly(a) && (m.sum || m.time < time_of(store.pardoned(a)));
  });
  // Where the pardon came by the store alone (no daemon ran), whoever gave it took out the bans as well.
  std::erase_if(home.bans, [&](const LiveBan& ban) {
    return newly(ban.network.address) && ban.since < store.pardoned(ban.network.address);
  });
  home.pardoned = last;
}

void LiveJudge::State::pardon(const Network& network, Instant at, std::vector<LiveChange>& out) {
  store.add_pardon(network, at);
  for (const Network& banned : store.banned_in(network, at)) {
    Memory& home = store.neighbourhood(home_of(banned.address));
    std::erase_if(home.bans, [&](const LiveBan& ban) {
      if (!contains(network, ban.network.address) || ban.network.prefix < network.prefix) return false;
      if (ban.until > at) out.push_back({LiveChange::What::kWithdraw, ban});
      return true;
    });
    take_pardons(home);
  }
}

// Can the verdict over its neighbourhood be another one by this event, the last of its marks? No is certain.
bool LiveJudge::State::may_change(const Memory& home, const Network& network, const Mark& mark) const {
  const Instant now = instant_at(mark.time);
  if (kExcusing & bit(mark.kind) &&
      std::any_of(home.bans.begin(), home.bans.end(), [now](const LiveBan& ban) { return ban.until > now; }))
    return true;
  if (!(counted_kinds & bit(mark.kind)) || all_banned(home, network, now)) return false;
  if (home.suspect || !is_excused(home)) return true;
  for (const Memory::Known& k : home.sources)
    if (k.broken != 0) return true;
  return std::any_of(home_rules.begin(), home_rules.end(),
                     [&](const PolicyRule* rule) { return is_over(home, *rule, mark); });
}

// Does nothing that it did to others' names convict anybody? No is certain. (JudgeState::flag_user_breaches)
bool LiveJudge::State::is_excused(const Memory& home) const {
  for (const KnownBreach& b : home.breaches) {
    const PolicyRule& rule = scratch.rules[b.rule];
    const Memory& name = store.look_at_user(b.user);
    if (!enough(name, rule)) continue;
    const uint32_t people = rule.policy.spare_mild ? 0 : rule.policy.spare_people;
    if (people == 0) return false;
    const Address by = home.sources[b.source].address;
    const auto is_login = [&](const Mark& m) {
      return m.kind == EventKind::kAuthOk && one_address(rule.group, home.sources[m.source].address, by);
    };
    if (!name.owned && std::none_of(home.marks.begin(), home.marks.end(), is_login)) return false;
    uint64_t sum = 0;  // of the whole neighbourhood: not less than what is asked for
    for (const Mark& m : home.marks)
      if (scratch.concerns(rule, m)) sum += m.weight;
    if (sum > people) return false;
  }
  return true;
}

// Is there too much of what the policy counts around this event, whoever of the neighbourhood did it?
bool LiveJudge::State::is_over(const Memory& home, const PolicyRule& rule, const Mark& mark) const {
  if (!scratch.counts(rule, mark)) return false;
  const bool everything = rule.window == 0 || mark.time == kUntimed;
  uint64_t sum = 0;
  KindSet kinds = 0;
  for (const Mark& m : home.marks) {
    if (!(rule.policy.events & bit(m.kind)) || !scratch.counts(rule, m)) continue;
    if (!everything && m.time != kUntimed && (m.time <= mark.time - rule.window || m.time >= mark.time + rule.window))
      continue;
    sum += m.weight;
    kinds |= bit(m.kind);
  }
  return sum > rule.bound.limit && static_cast<uint32_t>(std::popcount(kinds)) >= rule.bound.kinds;
}

void LiveJudge::State::judge(const Network& network, const Event& event, const Mark& mark,
                             std::vector<LiveChange>& out) {
  Memory& home = store.neighbourhood(network);
  close_bans(home, event.time);
  // Only what excuses can change what is decided already.
  if (!(kExcusing & bit(mark.kind)) && all_banned(home, network, event.time)) return;
  evaluate(home, event.time);
  decide(home, event, mark, out);
}

void LiveJudge::State::add(const Memory& memory) {
  for (const Memory::Known& k : memory.sources)
    scratch.sources[scratch.source_of(k.address, hash_address(k.address))].broken = k.broken;
  scratch.marks.assign(memory.marks.begin(), memory.marks.end());
}

// Who broke policies per user, and what decides whether that convicts.
void LiveJudge::State::add_breaches(const Memory& home) {
  const size_t own = scratch.marks.size();
  for (const KnownBreach& b : home.breaches) {
    const UserBreach breach{b.source, b.rule, b.user};
    scratch.breaches.push_back(breach);
    const auto [at, first] = scratch.parts.try_emplace(breach.of(), 0);
    if (!first) continue;
    const Memory& name = store.look_at_user(b.user);
    const PolicyRule& rule = scratch.rules[b.rule];
    if (enough(name, rule)) at->second = rule.policy.addresses;
    if (!name.owned) continue;
    Mark elsewhere;  // somebody logged in by it: that excuses, and counts nothing
    elsewhere.source = scratch.source_of({}, hash_address({}));
    elsewhere.kind = EventKind::kAuthOk;
    elsewhere.user = b.user;
    elsewhere.sum = true;
    const auto same = [&](const Mark& m) { return m.user == b.user; };
    if (std::none_of(scratch.marks.begin() + static_cast<std::ptrdiff_t>(own), scratch.marks.end(), same))
      scratch.marks.push_back(elsewhere);
  }
}

// Events that came before the end of an earlier ban, or before a pardon, have had their consequence.
void LiveJudge::State::bar(const Memory& home, Instant now) {
  scratch.barred.assign(scratch.sources.size(), kUntimed);
  for (uint32_t i = 0; i < home.sources.size(); ++i) {
    int64_t& until = scratch.barred[i];
    for (const LiveBan& ban : home.bans)
      if (ban.until <= now && contains(ban.network, home.sources[i].address))
        until = std::max(until, time_of(ban.until));
    until = std::max(until, time_of(store.pardoned(home.sources[i].address)));
  }
}

void LiveJudge::State::evaluate(Memory& home, Instant now) {
  take_pardons(home);
  scratch.clear();
  add(home);
  add_breaches(home);
  bar(home, now);
  scratch.settle(true);
  home.suspect = false;
  for (uint32_t i = 0; i < home.sources.size(); ++i) home.suspect |= scratch.sources[i].broken != 0;
  scratch.flag_user_breaches();
  scratch.spare_senders();
  scratch.spare_few();
}

// By whose name the address broke a policy per user: the event's, if it was that one.
uint32_t LiveJudge::State::name_of(const PolicyRule& rule, uint32_t source, uint32_t event_name) const {
  uint32_t name = 0;
  for (const UserBreach& b : scratch.breaches) {
    if (b.source != source || b.rule != rule.number) continue;
    if (name == 0 || b.user == event_name) name = b.user;
  }
  return name;
}

// What the policy counts of the key that the address falls under, within the window that ends then.
uint64_t LiveJudge::State::counted(const PolicyRule& rule, uint32_t source, const Event& event,
                                   uint32_t event_name) const {
  const int64_t to = time_of(event.time);
  const bool per_user = rule.policy.per == Per::kUser;
  const auto same_key = [&](const Mark& m) {
    if (per_user) return true;
    return (rule.group ? rule.group->of(m.source) == rule.group->of(source) : m.source == source) &&
           !scratch.ignored[m.source];
  };
  uint64_t sum = 0;
  for (const Mark& m : per_user ? store.look_at_user(name_of(rule, source, event_name)).marks : scratch.marks) {
    if (!scratch.counts(rule, m) || !same_key(m)) continue;
    if (m.time == kUntimed || rule.window == 0 || (m.time > to - rule.window && m.time <= to)) sum += m.weight;
  }
  return sum;
}

// Whom nothing convicts any more is let in again.
void LiveJudge::State::let_in(Memory& home, Instant now, std::vector<LiveChange>& out) {
  std::erase_if(home.bans, [&](const LiveBan& ban) {
    if (ban.until <= now) return false;
    for (uint32_t i = 0; i < home.sources.size(); ++i)
      if (scratch.sources[i].broken != 0 && contains(ban.network, home.sources[i].address)) return false;
    out.push_back({LiveChange::What::kWithdraw, ban});
    return true;
  });
}

void LiveJudge::State::decide(Memory& home, const Event& event, const Mark& mark, std::vector<LiveChange>& out) {
  let_in(home, event.time, out);
  for (uint32_t i = 0; i < home.sources.size(); ++i) {
    const Address a = home.sources[i].address;
    for (const PolicyRule& rule : scratch.rules) {
      if (!(scratch.sources[i].broken >> rule.number & 1)) continue;
      const bool covered = std::any_of(home.bans.begin(), home.bans.end(), [&](const LiveBan& b) {
        return b.until > event.time && contains(b.network, a);
      });
      if (!covered) ban(home, rule, i, event, mark, out);
    }
  }
}

void LiveJudge::State::ban(Memory& home, const PolicyRule& rule, uint32_t source, const Event& event, const Mark& mark,
                           std::vector<LiveChange>& out) {
  const Policy& p = rule.policy;
  LiveBan ban;
  ban.network = network_of(home.sources[source].address, 32, p.per == Per::kAddress ? p.prefix6 : 64);
  const LiveBan* last = nullptr;
  for (const LiveBan& b : home.bans)
    if (b.network == ban.network) last = &b;
  if (last && !scratch.concerns(rule, mark)) return;  // a further ban needs a further event
  ban.policy = static_cast<uint32_t>(rule.number);
  ban.since = event.time;
  ban.count = counted(rule, source, event, mark.user);
  const auto forgiven = [&] { return last->until + std::max(p.forgive, last->until - last->since) <= event.time; };
  ban.nth = last && !forgiven() ? last->nth + 1 : 1;
  double length = static_cast<double>(p.ban.count());
  for (uint32_t n = 1; n < ban.nth && length < 4e17; ++n) length *= p.repeat;
  ban.until = event.time + Duration(static_cast<int64_t>(std::min(length, 4e17)));
  // The last one of a network tells all that matters of those before it.
  std::erase_if(home.bans, [&](const LiveBan& b) { return b.network == ban.network; });
  home.bans.push_back(ban);
  out.push_back({LiveChange::What::kBan, ban});
}

}  // namespace mailward
