#include "judge/live.h"

#include <algorithm>
#include <utility>

#include "judge/state.h"

namespace mailward {
namespace {

constexpr uint32_t kTidyFirst = 48;        // marks of one memory
constexpr size_t kMostOfOneName = 1024;    // addresses remembered of one name
constexpr size_t kMostBreachesOfOne = 64;  // of one address
constexpr KindSet kLogin = bit(EventKind::kAuthOk);
// What may excuse somebody who is banned.
constexpr KindSet kExcusing = kLogin | bit(EventKind::kAccepted);

Instant instant_of(int64_t time) { return Instant(Duration(time)); }

JudgeConfig for_scratch(JudgeConfig config) {
  config.told = Told::kAll;
  config.keep_users = config.keep_activity = false;
  config.marks = 256;
  return config;
}

uint32_t known(Memory& memory, Address a) {
  const auto at = std::find_if(memory.sources.begin(), memory.sources.end(),
                               [a](const Memory::Known& k) { return k.address == a; });
  if (at != memory.sources.end()) return static_cast<uint32_t>(at - memory.sources.begin());
  memory.sources.push_back({a, 0});
  return static_cast<uint32_t>(memory.sources.size() - 1);
}

}  // namespace

struct LiveJudge::State {
  State(JudgeConfig config, MemoryStore& s) : scratch(for_scratch(std::move(config))), store(s) {
    scratch.keep_breaches = true;
    scratch.wants_user = true;
    for (const PolicyRule& rule : scratch.rules) {
      counted_kinds |= rule.policy.events;
      if (rule.policy.per == Per::kUser) {
        user_kinds |= rule.policy.events;
        continue;
      }
      prefix6 = std::min(prefix6, rule.policy.prefix6);
      if (rule.policy.per == Per::kNetwork) prefix4 = std::min(prefix4, rule.policy.prefix4);
    }
    user_kinds &= kLoginKinds & ~kLogin;
  }

  Network home_of(Address a) const { return network_of(a, prefix4, prefix6); }
  void take(const Event& event, std::vector<LiveChange>& out);
  void close_bans(Memory& home, Instant now);
  bool may_change(const Memory& home, const Network& network, const Mark& mark) const;
  void take_user(const Mark& mark, Address address, std::vector<Network>& others);
  std::vector<KnownBreach> taking_part(const Memory& name);
  void judge(const Network& network, const Event& event, const Mark& mark, bool all_names,
             std::vector<LiveChange>& out);
  void evaluate(Memory& home, const Network& network, Instant now, std::vector<uint32_t> names);
  void add(const Memory& memory, const Network* outside);
  void bar(const Memory& home, Instant now);
  void tidy(Memory& memory, bool of_name, Instant now);
  void add_name(uint32_t name, const Network& network);
  bool more_names(std::vector<uint32_t>& names) const;
  Network banned_by(const PolicyRule& rule, uint32_t source) const;
  uint32_t name_of(const PolicyRule& rule, uint32_t source, uint32_t event_name) const;
  uint64_t counted(const PolicyRule& rule, uint32_t source, const Event& event, uint32_t event_name) const;
  void decide(Memory& home, const Event& event, const Mark& mark, std::vector<LiveChange>& out);

  JudgeState scratch;
  MemoryStore& store;
  int prefix4 = 32, prefix6 = 64;
  KindSet user_kinds = 0;     // counted by some policy per user
  KindSet counted_kinds = 0;  // by some policy
};

LiveJudge::LiveJudge(JudgeConfig config, MemoryStore& store)
    : state_(std::make_unique<State>(std::move(config), store)) {}
LiveJudge::LiveJudge(LiveJudge&&) noexcept = default;
LiveJudge::~LiveJudge() = default;
KindSet LiveJudge::needed_kinds() const { return state_->scratch.needed_kinds(); }
const PolicySet& LiveJudge::policies() const { return state_->scratch.config.policies; }
void LiveJudge::save(Encoder& out) const { state_->scratch.domains.save(out); }
bool LiveJudge::restore(Decoder& in) { return state_->scratch.domains.restore(in); }
void LiveJudge::take(const Event& event, std::vector<LiveChange>& changes) { state_->take(event, changes); }

void LiveJudge::State::take(const Event& event, std::vector<LiveChange>& out) {
  if (!(scratch.kept_kinds & bit(event.kind)) || event.address.empty() || event.count == 0) return;
  const Network network = home_of(event.address);
  Memory& home = store.neighbourhood(network);
  close_bans(home, event.time);
  const bool login = event.kind == EventKind::kAuthOk;
  const uint16_t domain_before = login ? scratch.domains.number_of(event.user()) : uint16_t{kNoName};
  const bool was_local = scratch.domains.is_local(domain_before), any_before = scratch.domains.any_known();
  Mark mark = scratch.mark_of(event, known(home, event.address));
  home.marks.push_back(mark);
  const bool learned = login && scratch.domains.learns() && scratch.domains.is_local(mark.domain) && !was_local;
  bool judged = learned || may_change(home, network, mark);
  if (judged) {
    judge(network, event, mark, learned, out);
    mark.spared = scratch.marks[home.marks.size() - 1].spared;
  }
  std::vector<Network> others;
  if (scratch.user_rules && mark.user != 0 && names_user(mark.kind)) take_user(mark, event.address, others);
  if (learned)
    for (const Network& n : store.who_tried(any_before ? mark.domain : uint16_t{kNoName})) others.push_back(n);
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  for (const Network& other : others)
    if (other != network || !judged) judge(other, event, mark, learned, out);
  tidy(home, false, event.time);
}

// What happened before the end of a ban has had its consequence.
void LiveJudge::State::close_bans(Memory& home, Instant now) {
  for (const LiveBan& ban : home.bans) {
    if (ban.until > now || ban.until <= home.over) continue;
    for (uint32_t i = 0; i < home.sources.size(); ++i) {
      if (!contains(ban.network, home.sources[i].address)) continue;
      home.sources[i].broken = 0;
      std::erase_if(home.breaches, [i](const KnownBreach& b) { return b.source == i; });
    }
  }
  for (const LiveBan& ban : home.bans)
    if (ban.until <= now) home.over = std::max(home.over, ban.until);
}

// Can the verdict over its neighbourhood be another one by this event, the last of its marks? No is certain.
bool LiveJudge::State::may_change(const Memory& home, const Network& network, const Mark& mark) const {
  const Instant now = instant_of(mark.time);
  bool banned = false, all_banned = false;
  for (const LiveBan& ban : home.bans) {
    banned |= ban.until > now;
    all_banned |= ban.until > now && ban.network == network;
  }
  if (kExcusing & bit(mark.kind) && banned) return true;
  if (!(counted_kinds & bit(mark.kind))) return false;
  KindSet kinds = 0;
  for (const Mark& m : home.marks) kinds |= bit(m.kind);
  if (kinds & kLogin) return true;
  if (all_banned) return false;
  const auto is_broken = [](const Memory::Known& k) { return k.broken != 0; };
  if (home.suspect || !home.breaches.empty() || std::any_of(home.sources.begin(), home.sources.end(), is_broken))
    return true;
  for (const PolicyRule& rule : scratch.rules) {
    const Policy& p = rule.policy;
    if (p.per == Per::kUser || !(p.events & bit(mark.kind))) continue;
    uint64_t sum = 0;
    for (const Mark& m : home.marks) {
      if (!(p.events & bit(m.kind))) continue;
      const bool near = rule.window == 0 || m.sum || m.time == kUntimed || mark.time == kUntimed ||
                        (m.time > mark.time - rule.window && m.time < mark.time + rule.window);
      if (near) sum += m.weight;
    }
    if (sum > rule.bound.limit) return true;
  }
  return false;
}

// The name's memory, and who has to be judged anew because of it: those whom this event lets take part in an
// attack on the name, and all who do where that decides for all.
void LiveJudge::State::take_user(const Mark& mark, Address address, std::vector<Network>& others) {
  const bool login = mark.kind == EventKind::kAuthOk;
  if (!login && !(user_kinds & bit(mark.kind))) return;
  Memory& name = store.user(mark.user);
  if (name.sources.size() >= kMostOfOneName && !login) return;
  const bool first_login = login && !name.owned;
  name.owned |= login;
  const bool late = !name.marks.empty() && mark.time < name.marks.back().time;
  const std::vector<KnownBreach> before = late || login ? std::vector<KnownBreach>() : taking_part(name);
  if (name.sources.size() < kMostOfOneName) {
    name.marks.push_back(mark);
    name.marks.back().source = known(name, address);
  }
  const std::vector<KnownBreach> after = taking_part(name);
  const auto number = [](const std::vector<KnownBreach>& list, const KnownBreach& of) {
    return static_cast<size_t>(
        std::count_if(list.begin(), list.end(), [&](const KnownBreach& b) { return b.rule == of.rule; }));
  };
  for (const KnownBreach& b : after) {
    const bool is_new = late || login || !std::binary_search(before.begin(), before.end(), b);
    // (Addresses of one /64 are one: there may be fewer than these.)
    const bool decides = number(before, b) != number(after, b) &&
                         number(before, b) < size_t{64} * scratch.rules[b.rule].policy.addresses;
    const bool own = name.sources[b.source].address == address;
    if (is_new || decides || own || first_login) others.push_back(home_of(name.sources[b.source].address));
  }
  tidy(name, true, instant_of(mark.time));
}

// Who broke a policy per user by this name, sorted.
std::vector<KnownBreach> LiveJudge::State::taking_part(const Memory& name) {
  std::vector<KnownBreach> found = name.breaches;
  const uint32_t user = name.marks.empty() ? 0 : name.marks.back().user;
  for (const PolicyRule& rule : scratch.rules) {
    if (rule.policy.per != Per::kUser) continue;
    scratch.steps.clear();
    uint64_t sum = 0;
    for (uint32_t i = 0; i < name.marks.size(); ++i) {
      const Mark& m = name.marks[i];
      if (!scratch.counts(rule, m) || scratch.config.ignore.find(name.sources[m.source].address)) continue;
      scratch.steps.push_back(step_of(m, i));
      sum += m.weight;
    }
    if (sum <= rule.bound.limit) continue;
    std::stable_sort(scratch.steps.begin(), scratch.steps.end(),
                     [](const Step& a, const Step& b) { return a.time < b.time; });
    sweep(std::span<const Step>(scratch.steps), rule.bound, rule.window, [&](size_t i) {
      found.push_back({name.marks[scratch.steps[i].mark].source, static_cast<uint32_t>(rule.number), user});
    });
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void LiveJudge::State::judge(const Network& network, const Event& event, const Mark& mark, bool all_names,
                             std::vector<LiveChange>& out) {
  Memory& home = store.neighbourhood(network);
  std::vector<uint32_t> names;
  if (scratch.user_rules) {
    if (mark.user != 0) names.push_back(mark.user);
    names.insert(names.end(), home.names.begin(), home.names.end());
    for (const Mark& m : home.marks)
      if (all_names && m.user != 0 && names_user(m.kind)) names.push_back(m.user);
  }
  evaluate(home, network, event.time, std::move(names));
  decide(home, event, mark, out);
}

// A memory's addresses, marks and breaches; of a name's those outside the neighbourhood that has its own.
void LiveJudge::State::add(const Memory& memory, const Network* outside) {
  std::vector<uint32_t> number(memory.sources.size(), kNobody);
  for (size_t i = 0; i < memory.sources.size(); ++i) {
    const Address a = memory.sources[i].address;
    if (outside && contains(*outside, a)) continue;
    number[i] = scratch.source_of(a, hash_address(a));
    if (!outside) scratch.sources[number[i]].broken = memory.sources[i].broken;
  }
  for (Mark m : memory.marks) {
    if (number[m.source] == kNobody) continue;
    m.source = number[m.source];
    scratch.marks.push_back(m);
  }
  for (const KnownBreach& b : memory.breaches)
    if (number[b.source] != kNobody) scratch.breaches.push_back({number[b.source], b.rule, b.user});
}

// Events that came before the end of an earlier ban have had their consequence.
void LiveJudge::State::bar(const Memory& home, Instant now) {
  scratch.barred.assign(scratch.sources.size(), kUntimed);
  for (const LiveBan& ban : home.bans) {
    if (ban.until > now) continue;
    const int64_t until = ban.until.time_since_epoch().count();
    for (uint32_t i = 0; i < scratch.sources.size(); ++i)
      if (contains(ban.network, scratch.sources[i].address)) scratch.barred[i] = std::max(scratch.barred[i], until);
  }
}

void LiveJudge::State::evaluate(Memory& home, const Network& network, Instant now, std::vector<uint32_t> names) {
  // What its own events break of a policy per user needs to be seen with the others' events of that user.
  do {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    scratch.clear();
    add(home, nullptr);
    for (const uint32_t name : names) add_name(name, network);
    bar(home, now);
    scratch.settle(true);
  } while (more_names(names));
  home.names.clear();
  for (const UserBreach& b : scratch.breaches)
    if (contains(network, scratch.sources[b.source].address) && home.names.size() < kMostBreachesOfOne &&
        std::find(home.names.begin(), home.names.end(), b.user) == home.names.end())
      home.names.push_back(b.user);
  bool any = false;
  for (const Memory::Known& k : home.sources) any |= scratch.sources[scratch.sources.find(k.address)].broken != 0;
  any |= !home.names.empty();
  scratch.flag_user_breaches();
  scratch.spare_senders();
  scratch.spare_few();
  home.suspect = any;
}

void LiveJudge::State::add_name(uint32_t name, const Network& network) {
  const Memory& of = store.user(name);
  add(of, &network);
  const auto is_login = [](const Mark& m) { return m.kind == EventKind::kAuthOk; };
  if (!of.owned || std::any_of(of.marks.begin(), of.marks.end(), is_login)) return;
  // Somebody did, but the name's memory had no room for him: he excuses, and counts nothing.
  Mark elsewhere;
  elsewhere.source = scratch.source_of({}, hash_address({}));
  elsewhere.kind = EventKind::kAuthOk;
  elsewhere.user = name;
  elsewhere.sum = true;
  scratch.marks.push_back(elsewhere);
}

bool LiveJudge::State::more_names(std::vector<uint32_t>& names) const {
  const size_t before = names.size();
  for (const UserBreach& b : scratch.breaches)
    if (!std::binary_search(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(before), b.user))
      names.push_back(b.user);
  return names.size() > before;
}

Network LiveJudge::State::banned_by(const PolicyRule& rule, uint32_t source) const {
  const Policy& p = rule.policy;
  const Address a = scratch.sources[source].address;
  return network_of(a, 32, p.per == Per::kAddress ? p.prefix6 : 64);
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
  const int64_t to = event.time.time_since_epoch().count();
  const uint32_t name = rule.policy.per == Per::kUser ? name_of(rule, source, event_name) : 0;
  const auto same_key = [&](const Mark& m) {
    if (rule.policy.per == Per::kUser) return m.user == name && names_user(m.kind);
    return rule.group ? rule.group->of(m.source) == rule.group->of(source) : m.source == source;
  };
  uint64_t sum = 0;
  for (const Mark& m : scratch.marks) {
    if (!same_key(m) || scratch.ignored[m.source] || !scratch.counts(rule, m)) continue;
    if (m.time == kUntimed || rule.window == 0 || (m.time > to - rule.window && m.time <= to)) sum += m.weight;
  }
  return sum;
}

void LiveJudge::State::decide(Memory& home, const Event& event, const Mark& mark, std::vector<LiveChange>& out) {
  const auto in_force = [&](const LiveBan& ban) { return ban.until > event.time; };
  const auto earlier = [&](const Network& n) {
    return static_cast<uint32_t>(
        std::count_if(home.bans.begin(), home.bans.end(), [&](const LiveBan& b) { return b.network == n; }));
  };
  const auto covered = [&](Address a) {
    return std::any_of(home.bans.begin(), home.bans.end(),
                       [&](const LiveBan& b) { return in_force(b) && contains(b.network, a); });
  };
  // Whom nothing convicts any more is let in again.
  for (size_t i = 0; i < home.bans.size();) {
    const LiveBan& ban = home.bans[i];
    const bool holds = !in_force(ban) || std::any_of(home.sources.begin(), home.sources.end(), [&](const auto& k) {
      return contains(ban.network, k.address) && scratch.sources[scratch.sources.find(k.address)].broken != 0;
    });
    if (holds) {
      ++i;
      continue;
    }
    out.push_back({LiveChange::What::kWithdraw, ban});
    home.bans.erase(home.bans.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (const Memory::Known& k : home.sources) {
    const uint32_t source = scratch.sources.find(k.address);
    for (const PolicyRule& rule : scratch.rules) {
      if (!(scratch.sources[source].broken >> rule.number & 1) || covered(k.address)) continue;
      const Network network = banned_by(rule, source);
      const uint32_t before = earlier(network);
      if (before > 0 && !scratch.concerns(rule, mark)) continue;  // a further ban needs a further event
      LiveBan ban;
      ban.network = network;
      ban.policy = static_cast<uint32_t>(rule.number);
      ban.since = event.time;
      ban.count = counted(rule, source, event, mark.user);
      ban.nth = before + 1;
      double length = static_cast<double>(rule.policy.ban.count());
      for (uint32_t n = 0; n < before; ++n) length *= rule.policy.repeat;
      ban.until = event.time + Duration(static_cast<int64_t>(std::min(length, 4e17)));
      home.bans.push_back(ban);
      out.push_back({LiveChange::What::kBan, ban});
    }
  }
}

// Forgets what no window can need any more; what it came to is kept.
void LiveJudge::State::tidy(Memory& memory, bool of_name, Instant now) {
  if (memory.tidy_at == 0) memory.tidy_at = kTidyFirst;
  if (memory.marks.size() < memory.tidy_at) return;
  scratch.clear();
  add(memory, nullptr);
  for (const auto& g : scratch.groupings) g->extend(scratch.sources);
  if (!of_name) bar(memory, now);
  const int64_t settled = scratch.settled_time(kLateness);
  scratch.evaluate(settled);
  scratch.compact(settled);
  scratch.unfold();
  const std::vector<Mark> name_marks = of_name ? memory.marks : std::vector<Mark>();
  memory.marks.assign(scratch.marks.begin(), scratch.marks.end());
  memory.tidy_at = std::max<uint32_t>(kTidyFirst, static_cast<uint32_t>(2 * memory.marks.size()));
  for (uint32_t i = 0; i < memory.sources.size() && !of_name; ++i) memory.sources[i].broken = scratch.sources[i].broken;
  std::vector<KnownBreach> breaches;
  std::vector<size_t> of_one(scratch.sources.size(), 0);
  for (const UserBreach& b : scratch.breaches) {
    const KnownBreach breach{b.source, b.rule, b.user};
    if (++of_one[b.source] <= kMostBreachesOfOne) breaches.push_back(breach);
    if (!of_name) continue;
    // Its own memory must know it, too: this one may forget the marks that it came from.
    const Address a = memory.sources[b.source].address;
    Memory& home = store.neighbourhood(home_of(a));
    const auto since_then = [&](const Mark& m) { return m.source == b.source && instant_of(m.time) >= home.over; };
    if (has_time(home.over) && std::none_of(name_marks.begin(), name_marks.end(), since_then)) continue;
    const KnownBreach there{known(home, a), b.rule, b.user};
    if (std::find(home.breaches.begin(), home.breaches.end(), there) == home.breaches.end())
      home.breaches.push_back(there);
    if (std::find(home.names.begin(), home.names.end(), b.user) == home.names.end()) home.names.push_back(b.user);
  }
  memory.breaches = std::move(breaches);
}

}  // namespace mailward
