#include "judge/state.h"

#include <algorithm>

namespace mailward {
namespace {

constexpr KindSet kFrames = bit(EventKind::kConnect) | bit(EventKind::kDisconnect) | bit(EventKind::kTlsStarted);
constexpr KindSet kNobodys = bit(EventKind::kNone) | bit(EventKind::kAmbiguous);
constexpr KindSet kAllKinds = (KindSet{1} << kEventKinds) - 1;
constexpr KindSet kLogin = bit(EventKind::kAuthOk);

KindSet hostile_kinds() {
  KindSet set = 0;
  for (size_t i = 0; i < kEventKinds; ++i)
    if (kEventKindInfo[i].severity == Severity::kHostile) set |= KindSet{1} << i;
  return set;
}

// Before any login is looked at.
uint8_t spared_of(const Event& event) { return event.mild ? kMild : 0; }

Mark make_mark(const Event& event, uint32_t source, Domains::Reading name) {
  Mark m;
  m.time = event.time.time_since_epoch().count();
  m.source = source;
  m.user = name.user;
  m.weight = event.count;
  m.domain = name.domain;
  m.kind = event.kind;
  m.unknown_user = event.unknown_user;
  m.spared = spared_of(event);
  return m;
}

}  // namespace

// One grouping for each pair of prefixes; none where each address stands for itself.
static Grouping* grouping(JudgeState& s, int prefix4, int prefix6) {
  if (prefix4 == 32 && prefix6 == 128) return nullptr;
  for (const auto& g : s.groupings)
    if (g->prefix4() == prefix4 && g->prefix6() == prefix6) return g.get();
  s.groupings.push_back(std::make_unique<Grouping>(prefix4, prefix6));
  return s.groupings.back().get();
}

static uint8_t span_bit(JudgeState& s, Duration spare, bool failures, Grouping* group) {
  if (spare.count() == 0) return 0;
  for (const Span& span : s.spans)
    if (span.micros == spare.count() && span.failures == failures && span.group == group) return span.bit;
  // parse_policies sees to it that a set has no more.
  if (s.spans.size() == kMostSpans) return s.spans.back().bit;
  s.spans.push_back({spare.count(), failures, group, static_cast<uint8_t>(1u << s.spans.size())});
  return s.spans.back().bit;
}

JudgeState::JudgeState(JudgeConfig c) : config(std::move(c)), domains(config.local_domains), capacity(config.marks) {
  marks.reserve(capacity);
  KindSet counted = 0;
  for (const Policy& p : config.policies.policies) {
    PolicyRule rule;
    rule.policy = p;
    rule.number = rules.size();
    rule.bound = {p.limit, p.kinds};
    rule.window = p.limit == 0 && p.kinds == 1 ? 0 : p.window.count();
    // Who is one address: for a user's policy a whole /64, as without a word about it.
    Grouping* const one_address = grouping(*this, 32, p.per == Per::kAddress ? p.prefix6 : 64);
    rule.group = p.per == Per::kNetwork ? grouping(*this, p.prefix4, p.prefix6) : one_address;
    const uint8_t spans_of_it =
        span_bit(*this, p.spare, true, one_address) | span_bit(*this, p.spare_clients, false, one_address);
    rule.spare_bits = spans_of_it;
    counted |= p.events;
    if (rule.window > 0) timed_kinds |= p.events;
    if (spans_of_it != 0) timed_kinds |= kLogin | p.events;
    if (rule.window == 0 || p.spare_people > 0 || p.spare_mild) fold_spared |= rule.spare_bits;
    if (p.spare_mild) fold_spared |= kMild;
    people_rules |= p.spare_people > 0;
    if (p.spare_senders) counted |= bit(EventKind::kAccepted);
    fold_domain |= (p.when != When::kAny && p.when != When::kUnknownUser) || p.needs_domains;
    fold_unknown |= p.when == When::kUnknownUser;
    fold_user |= p.per == Per::kUser && rule.window == 0;
    user_rules |= p.per == Per::kUser;
    rules.push_back(std::move(rule));
  }
  KindSet windowed = 0;
  for (const PolicyRule& rule : rules)
    if (rule.window > 0) windowed |= rule.policy.events;
  thin_logins = !spans.empty() && !(windowed & kLogin);
  wants_user = user_rules || people_rules || (fold_spared & kMild) != 0 || !spans.empty();
  fold_mask = ~((fold_domain ? 0 : Sum::kDomain) | (fold_unknown ? 0 : Sum::kUnknownUser) | Sum::kSpared) |
              uint32_t{fold_spared} << 8;
  const bool learns = fold_domain && domains.learns();
  kept_kinds = counted;
  if (!spans.empty() || user_rules || people_rules || learns) kept_kinds |= kLogin;
  if (config.told == Told::kHostile) kept_kinds |= hostile_kinds();
  if (config.told == Told::kAll) kept_kinds = kAllKinds;
  kept_kinds &= ~(kFrames & ~counted) & ~kNobodys;
}

KindSet JudgeState::needed_kinds() const { return kept_kinds; }

uint32_t JudgeState::source_of(Address a, uint64_t hash) {
  const size_t before = sources.size();
  const uint32_t number = sources.number_of(a, hash);
  if (number == before) {
    const bool loopback = a.is_v4() ? (a.low >> 24 & 0xff) == 127 : a == Address{0, 1};
    sources[number].ignored = loopback || config.ignore.find(a).has_value();
  }
  return number;
}

// What a mild refusal is about: those about the same are mail that comes again, as from every queue.
static std::string_view refused_of(const Event& event) {
  const auto domain = [](std::string_view path) { return path.substr(path.rfind('@') + 1); };
  if (event.kind == EventKind::kSenderRejected) return domain(event.fact(Fact::kSender));
  if (event.kind == EventKind::kRelayDenied) return domain(event.fact(Fact::kRecipient));
  return event.kind == EventKind::kUnknownRecipient ? event.fact(Fact::kRecipient) : std::string_view{};
}

// The name that a login told; of a mild refusal what it is about.
MAILWARD_INLINE Domains::Reading JudgeState::read_name(const Event& event) {
  if (!(kLoginKinds & bit(event.kind))) {
    if (!event.mild || !(fold_spared & kMild)) return {kNoName, 0};
    return {kNoName, Domains::user_hash(refused_of(event))};
  }
  if (!(fold_domain || wants_user)) return {kNoName, 0};
  return domains.read(event.user(), event.kind == EventKind::kAuthOk, wants_user);
}

Mark JudgeState::mark_of(const Event& event, uint32_t source) { return make_mark(event, source, read_name(event)); }

// Names are the attacker's: one address can't make the judge remember more than so many attempts by
// their name. Its further ones count for it all the same, but for no policy per user.
bool JudgeState::may_name(uint32_t source) {
  constexpr uint32_t kMostNamed = 1 << 16;
  if (named.size() <= source) named.resize(sources.size());
  return named[source] < kMostNamed && ++named[source] > 0;
}

// The tables are larger than the caches: what each step needs is fetched for some events at a time.
void JudgeState::take(std::span<const Event> events) {
  constexpr size_t kTogether = 64;
  struct Place {
    uint64_t hash;
    uint32_t number;
    Source* source;  // null: not known yet
  };
  std::array<Place, kTogether> places;
  while (!events.empty()) {
    const auto some = events.first(std::min(events.size(), kTogether));
    const bool many_sums = sums.size() > sources.size() / 4;
    for (size_t i = 0; i < some.size(); ++i) sources.prefetch_slot(places[i].hash = hash_address(some[i].address));
    for (size_t i = 0; i < some.size(); ++i) {
      Place& p = places[i];
      p.number = sources.likely(p.hash);
      p.source = p.number == kNobody ? nullptr : &sources[p.number];
      __builtin_prefetch(p.source, 1);
    }
    for (size_t i = 0; many_sums && i < some.size(); ++i)
      if (const Source* s = places[i].source; s && s->sums != 0) __builtin_prefetch(&sums[s->sums - 1]);
    if (config.keep_activity) {
      for (size_t i = 0; i < some.size(); ++i) activity.prefetch_place(places[i].number);
      for (size_t i = 0; i < some.size(); ++i) activity.prefetch_row(places[i].number);
    }
    for (size_t i = 0; user_rules && i < some.size(); ++i)
      if (places[i].number < named.size()) __builtin_prefetch(&named[places[i].number], 1);
    for (size_t i = 0; i < some.size(); ++i) {
      const Event& event = some[i];
      if (!(kept_kinds & bit(event.kind)) || event.address.empty() || event.count == 0) continue;
      Place p = places[i];
      if (!p.source || p.source->address != event.address) {
        p.number = source_of(event.address, p.hash);
        p.source = &sources[p.number];
      }
      take(event, p.number, *p.source);
    }
    events = events.subspan(some.size());
  }
}

MAILWARD_INLINE void JudgeState::take(const Event& event, uint32_t number, Source& source) {
  const int64_t time = event.time.time_since_epoch().count();
  Domains::Reading name = read_name(event);
  if (name.user != 0 && event.kind != EventKind::kAuthOk && !may_name(number)) name.user = 0;
  if (time != kUntimed && !is_frame(event.kind)) {
    source.first = std::min(source.first, time);
    source.last = std::max(source.last, time);
  }
  if (config.keep_users && event.kind == EventKind::kAuthFailed && !event.user().empty())
    users.add(number, event.user(), event.count);
  if (config.keep_activity && severity_of(event.kind) != Severity::kNeutral) activity.add(number, time, event.count);
  if (!(timed_kinds & bit(event.kind))) {
    const Sum sum = Sum::of(event.kind, event.count, name.user, name.domain, event.unknown_user, time == kUntimed,
                            spared_of(event));
    return add_up(number, source, sum);
  }
  marks.push_back(make_mark(event, number, name));
  if (marks.size() >= capacity) settle(false);
}

}  // namespace mailward
