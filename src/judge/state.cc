#include "judge/state.h"

#include <algorithm>

namespace mailward {
namespace {

constexpr KindSet kFrames = bit(EventKind::kConnect) | bit(EventKind::kDisconnect) | bit(EventKind::kTlsStarted);
constexpr KindSet kNobodys = bit(EventKind::kNone) | bit(EventKind::kAmbiguous);
constexpr KindSet kAllKinds = (KindSet{1} << kEventKinds) - 1;
constexpr KindSet kLogin = bit(EventKind::kAuthOk);
constexpr KindSet kNamed = kLogin | bit(EventKind::kAuthFailed) | bit(EventKind::kAuthAborted);

KindSet hostile_kinds() {
  KindSet set = 0;
  for (size_t i = 0; i < kEventKinds; ++i)
    if (kEventKindInfo[i].severity == Severity::kHostile) set |= KindSet{1} << i;
  return set;
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
    rule.spare_bits =
        span_bit(*this, p.spare, true, one_address) | span_bit(*this, p.spare_clients, false, one_address);
    counted |= p.events;
    if (rule.window > 0) timed_kinds |= p.events;
    if (rule.spare_bits != 0) timed_kinds |= kLogin | p.events;
    if (rule.spare_bits != 0 && rule.window == 0) fold_spared = true;
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
  wants_user = user_rules || !spans.empty();
  const bool learns = fold_domain && domains.learns();
  kept_kinds = counted;
  if (!spans.empty() || user_rules || learns) kept_kinds |= kLogin;
  if (config.told == Told::kHostile) kept_kinds |= hostile_kinds();
  if (config.told == Told::kAll) kept_kinds = kAllKinds;
  kept_kinds &= ~(kFrames & ~counted) & ~kNobodys;
}

KindSet JudgeState::needed_kinds() const { return kept_kinds; }

uint32_t JudgeState::source_of(Address a) {
  const size_t before = sources.size();
  const uint32_t number = sources.number_of(a);
  if (number == before) {
    const bool loopback = a.is_v4() ? (a.low >> 24 & 0xff) == 127 : a == Address{0, 1};
    sources[number].ignored = loopback || config.ignore.find(a).has_value();
  }
  return number;
}

Mark JudgeState::mark_of(const Event& event, uint32_t source) {
  Mark m;
  m.time = event.time.time_since_epoch().count();
  m.weight = event.count;
  m.source = source;
  m.kind = event.kind;
  m.unknown_user = event.unknown_user;
  if (bit(event.kind) & kNamed) {
    if (fold_domain || wants_user) {
      const auto [domain, user] = domains.read(event.user(), event.kind == EventKind::kAuthOk, wants_user);
      m.domain = domain;
      m.user = user;
    }
  }
  return m;
}

// Names are the attacker's: one address can't make the judge remember more than so many attempts by
// their name. Its further ones count for it all the same, but for no policy per user.
bool JudgeState::may_name(uint32_t source) {
  constexpr uint32_t kMostNamed = 1 << 16;
  if (named.size() <= source) named.resize(sources.size());
  return named[source] < kMostNamed && ++named[source] > 0;
}

void JudgeState::take(const Event& event) {
  if (!(kept_kinds >> static_cast<unsigned>(event.kind) & 1) || event.address.empty() || event.count == 0) return;
  const uint32_t source = source_of(event.address);
  Mark m = mark_of(event, source);
  if (m.user != 0 && m.kind != EventKind::kAuthOk && !may_name(source)) m.user = 0;
  if (m.time != kUntimed && !is_frame(event.kind)) {
    Source& s = sources[source];
    if (s.first == kUntimed || m.time < s.first) s.first = m.time;
    s.last = std::max(s.last, m.time);
  }
  if (config.keep_users && event.kind == EventKind::kAuthFailed && !event.user().empty())
    users.add(source, event.user(), event.count);
  if (config.keep_activity && severity_of(event.kind) != Severity::kNeutral) activity.add(source, m.time, m.weight);
  if (!(timed_kinds >> static_cast<unsigned>(event.kind) & 1)) return add_up(m);
  marks.push_back(m);
  if (marks.size() >= capacity) settle(false);
}

}  // namespace mailward
