#include "judge/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "judge/state.h"

namespace mailward {
namespace {

// Where an event stands.
struct Place {
  uint32_t file;
  uint64_t line;
};

Instant instant_of(int64_t time) { return Instant(Duration(time)); }

std::string plural(uint64_t n, std::string_view what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

// The widest network of the address that any policy counts over.
Network widest(const PolicySet& set, Address a) {
  int prefix4 = 32, prefix6 = 64;
  for (const Policy& p : set.policies) {
    if (p.per == Per::kNetwork) prefix4 = std::min(prefix4, p.prefix4);
    if (p.per != Per::kUser) prefix6 = std::min(prefix6, p.prefix6);
  }
  return network_of(a, prefix4, prefix6);
}

ExplainedEvent owned(const Event& e) {
  ExplainedEvent out{
      e.time, e.address,         e.kind, e.count, e.pid, e.file, e.line, e.unknown_user, e.mild, std::string(e.daemon),
      {},     std::string(e.raw)};
  for (size_t i = 0; i < kFacts; ++i) out.facts[i] = std::string(e.facts[i]);
  return out;
}

JudgeConfig explaining(JudgeConfig config) {
  config.told = Told::kAll;
  config.keep_users = config.keep_activity = true;
  return config;
}

}  // namespace

struct Explainer::State {
  State(const JudgeConfig& config, Address a)
      : address(a), around(widest(config.policies, a)), whole(explaining(config)), part(explaining(config)) {
    explanation.address = a;
    const auto network = part.config.ignore.find(a);
    if (network) explanation.ignored_by = format_network(*network);
    me = part.source_of(a, hash_address(a));
    part.wants_user = part.keep_breaches = true;
    if (part.sources[me].ignored && !network) explanation.ignored_by = "loopback";
  }

  void take(const Event& e);
  bool touches(const Event& e) const;
  Evidence evidence_of(uint32_t mark) const;
  Verdict verdict_of(const PolicyRule& rule);
  std::vector<Step> steps_of(const PolicyRule& rule, uint32_t user, uint64_t& spared) const;
  uint32_t worst_user(const PolicyRule& rule) const;
  void find_window(const PolicyRule& rule, const std::vector<Step>& steps, Verdict& v) const;
  void find_login(const PolicyRule& rule, uint32_t user, Verdict& v) const;
  bool one_address(const PolicyRule& rule, uint32_t source) const;
  std::string excuse(const PolicyRule& rule, uint32_t user) const;
  uint32_t taking_part(const PolicyRule& rule, uint32_t user) const;
  std::string person(const PolicyRule& rule, uint32_t user) const;

  Address address;
  Network around;
  uint32_t me = 0;
  Judge whole;                // the scan's own verdict on everything
  JudgeState part;            // what touches the address, with places; marks are never thinned out
  std::vector<Place> places;  // of part.marks
  std::unordered_map<uint64_t, uint32_t> taking_part_of;  // by UserBreach::of()
  std::unordered_map<uint32_t, std::string> names;        // users that the address tried or was, by hash
  Explanation explanation;
};

bool Explainer::State::touches(const Event& e) const {
  if (contains(around, e.address)) return true;
  return part.user_rules && (bit(e.kind) & kLoginKinds) && !e.user().empty();
}

void Explainer::State::take(const Event& e) {
  if (e.address == address) {
    explanation.seen = true;
    if (explanation.events.size() < kMostEvents)
      explanation.events.push_back(owned(e));
    else
      ++explanation.events_left_out;
  }
  if (!(part.kept_kinds >> static_cast<unsigned>(e.kind) & 1) || e.address.empty() || e.count == 0) return;
  if (!touches(e)) {
    if (e.kind == EventKind::kAuthOk) part.mark_of(e, me);  // its domain is learned all the same
    return;
  }
  if (part.marks.size() >= kMostKept) {
    explanation.cut = true;
    return;
  }
  const Mark m = part.mark_of(e, part.source_of(e.address, hash_address(e.address)));
  if (e.address == address && m.user != 0 && names.size() < kMostEvents) names.try_emplace(m.user, e.user());
  part.marks.push_back(m);
  places.push_back({e.file, e.line});
}

Evidence Explainer::State::evidence_of(uint32_t mark) const {
  const Mark& m = part.marks[mark];
  const auto name = names.find(m.user);
  return {instant_of(m.time),
          part.sources[m.source].address,
          m.kind,
          m.weight,
          places[mark].file,
          places[mark].line,
          m.user != 0 && name != names.end() ? name->second : ""};
}

// What counts for the key that the address falls under, in order of time.
std::vector<Step> Explainer::State::steps_of(const PolicyRule& rule, uint32_t user, uint64_t& spared) const {
  const auto same_key = [&](const Mark& m) {
    if (rule.policy.per == Per::kUser) return m.user == user && user != 0 && names_user(m.kind);
    return rule.group ? rule.group->of(m.source) == rule.group->of(me) : m.source == me;
  };
  std::vector<Step> steps;
  for (uint32_t i = 0; i < part.marks.size(); ++i) {
    Mark m = part.marks[i];
    if (!same_key(m) || part.sources[m.source].ignored) continue;
    if (part.counts(rule, m)) {
      steps.push_back(step_of(m, i));
    } else if (m.spared & rule.spare_bits) {
      m.spared = 0;
      if (part.counts(rule, m)) spared += m.weight;
    }
  }
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.time < b.time; });
  return steps;
}

// Of the users that the address failed as, the one that comes nearest to the limit.
uint32_t Explainer::State::worst_user(const PolicyRule& rule) const {
  std::unordered_map<uint32_t, bool> tried;
  for (const Mark& m : part.marks)
    if (m.source == me && m.user != 0 && names_user(m.kind) && part.counts(rule, m)) tried.emplace(m.user, true);
  std::unordered_map<uint32_t, uint64_t> totals;
  for (const Mark& m : part.marks)
    if (tried.contains(m.user) && names_user(m.kind) && part.counts(rule, m)) totals[m.user] += m.weight;
  const auto breach = std::find_if(part.breaches.begin(), part.breaches.end(), [&](const UserBreach& b) {
    return b.source == me && b.rule == rule.number && excuse(rule, b.user).empty();
  });
  if (breach != part.breaches.end()) return breach->user;
  const auto most = std::max_element(totals.begin(), totals.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second, a.first) < std::pair(b.second, b.first);
  });
  return most == totals.end() ? 0 : most->first;
}

// The fullest window, the first of equals, but one in which the address itself has a part if there is
// one: the others' don't convict it.
void Explainer::State::find_window(const PolicyRule& rule, const std::vector<Step>& steps, Verdict& v) const {
  const auto mine = [&](const Step& s) { return part.marks[s.mark].source == me ? s.weight : 0u; };
  Tally tally;
  uint64_t own = 0;
  size_t untimed = 0;  // they stand first and are in every window
  for (; untimed < steps.size() && steps[untimed].time == kUntimed; ++untimed) {
    tally.add(steps[untimed]);
    own += mine(steps[untimed]);
  }
  size_t best_begin = untimed, best_end = untimed;  // behind the last
  auto best = std::tuple(false, false, uint64_t{0});
  const auto compare = [&](size_t begin, size_t end) {
    const auto rank = std::tuple(own > 0, tally.over(rule.bound), tally.sum());
    if (rank <= best) return;
    best = rank;
    v.most = tally.sum(), v.own = own, v.kinds = tally.kinds();
    best_begin = begin, best_end = end;
  };
  compare(untimed, untimed);
  for (size_t begin = untimed, end = untimed; end < steps.size(); ++end) {
    tally.add(steps[end]);
    own += mine(steps[end]);
    for (; rule.window > 0 && steps[begin].time <= steps[end].time - rule.window; ++begin) {
      tally.remove(steps[begin]);
      own -= mine(steps[begin]);
    }
    if (tally.over(rule.bound) && own > 0 && !has_time(v.at)) v.at = instant_of(steps[end].time);
    compare(begin, end + 1);
  }
  if (best_begin < best_end) v.from = instant_of(steps[best_begin].time), v.to = instant_of(steps[best_end - 1].time);
  std::vector<uint32_t> inside;
  for (size_t i = 0; i < untimed; ++i) inside.push_back(steps[i].mark);
  for (size_t i = best_begin; i < best_end; ++i) inside.push_back(steps[i].mark);
  v.evidence_left_out = inside.size() - std::min(inside.size(), kMostEvidence);
  for (size_t i = v.evidence_left_out; i < inside.size(); ++i) v.evidence.push_back(evidence_of(inside[i]));
}

// Taken for the same address as the one asked about.
bool Explainer::State::one_address(const PolicyRule& rule, uint32_t source) const {
  if (rule.policy.per == Per::kAddress) return rule.group ? rule.group->of(source) == rule.group->of(me) : source == me;
  return network_of(part.sources[source].address, 32, 64) == network_of(address, 32, 64);
}

void Explainer::State::find_login(const PolicyRule& rule, uint32_t user, Verdict& v) const {
  for (uint32_t i = 0; i < part.marks.size(); ++i) {
    const Mark& m = part.marks[i];
    if (m.kind != EventKind::kAuthOk || !one_address(rule, m.source) || (user != 0 && m.user != user)) continue;
    if (!v.login || instant_of(m.time) >= v.login->time) v.login = evidence_of(i);
  }
}

// Why an address over the limit is no offender.
std::string Explainer::State::excuse(const PolicyRule& rule, uint32_t user) const {
  if (part.sources[me].ignored) return "it is on the ignore list (" + explanation.ignored_by + ")";
  uint64_t taken = 0, refused = 0;
  bool logged_in = false;
  for (const Mark& m : part.marks) {
    if (m.kind == EventKind::kAuthOk && one_address(rule, m.source)) logged_in |= m.user == user || m.user == 0;
    if (m.source == me && m.kind == EventKind::kAccepted) taken += m.weight;
  }
  if (rule.policy.spare_senders) {
    std::vector<uint32_t> place(part.sources.size(), kNobody);
    place[me] = 0;
    refused = part.refused_by({&rule}, place, 1)[0][0].all();
  }
  if (rule.policy.per == Per::kUser && logged_in) return "it logged in as that user";
  if (const uint32_t others = taking_part(rule, user); others < rule.policy.addresses)
    return fmt::format("only {} took part, and it takes {} to call it an attack on that user", plural(others, "source"),
                       rule.policy.addresses);
  if (rule.policy.spare_senders && taken > refused)
    return fmt::format("it is a mail server with some bad mail: {} taken from it, more than the {} refused",
                       taken == 1 ? "1 message was" : fmt::format("{} messages were", taken), refused);
  return person(rule, user);
}

// How many addresses took part in that user's breaches.
uint32_t Explainer::State::taking_part(const PolicyRule& rule, uint32_t user) const {
  if (rule.policy.addresses == 1) return 1;
  const auto at = taking_part_of.find(UserBreach{me, static_cast<uint32_t>(rule.number), user}.of());
  return at == taking_part_of.end() ? 0 : at->second;
}

// No more than the people do who log in from there, or the one whose name it is.
std::string Explainer::State::person(const PolicyRule& rule, uint32_t user) const {
  if (rule.policy.spare_people == 0 && !rule.policy.spare_mild) return "";
  std::unordered_set<uint32_t> users;
  bool owned = false;
  for (const Mark& m : part.marks) {
    if (m.kind != EventKind::kAuthOk) continue;
    if (one_address(rule, m.source)) users.insert(m.user);
    owned |= rule.policy.per == Per::kUser && m.user == user;
  }
  const Grouping* const group = rule.policy.per == Per::kAddress ? rule.group : part.people();
  Chosen of(group, part.sources.size());
  of.keys[of.key_of(me)] = true;
  const Counted all = part.counted_in(rule, of)[of.key_of(me)];
  if (JudgeState::comes_again(rule.policy, all))
    return fmt::format(
        "it is a mail server that tries again: {} about mail that it was told to bring again, or that "
        "was refused by no fault of its own",
        all.weight == 0 ? "all are" : fmt::format("all but {}, so few are allowed, are", all.weight));
  const uint64_t counted = all.all();
  const uint64_t persons = std::max<uint64_t>(users.size(), owned);
  if (counted > persons * rule.policy.spare_people) return "";
  const std::string few = fmt::format("it did this {} in the whole log",
                                      counted == 1 ? "only once" : fmt::format("only {} times", counted));
  if (users.empty())
    return fmt::format("{}, and that user logs in elsewhere: perhaps it is the user who mistyped", few);
  return fmt::format("{}, and {} logged in from there: {} allowed for each of them, as people mistype", few,
                     plural(users.size(), "user"),
                     rule.policy.spare_people == 1 ? "1 is" : fmt::format("{} are", rule.policy.spare_people));
}

namespace {

std::string window_words(const Policy& p) {
  return p.window.count() == 0 ? "in the whole log" : "within " + format_duration(p.window);
}

// What it counts, as the policy file says it: "auth_failed, foreign-domain".
std::string kinds_words(const Policy& p) {
  const std::string kinds = p.kinds > 1 ? fmt::format(", at least {} kinds", p.kinds) : "";
  const std::string when = p.when == When::kAny ? "" : fmt::format(", {}", name_of(p.when));
  return describe_kinds(p.events) + when + kinds;
}

std::string in_words(const Verdict& v, bool needs_a_domain) {
  const Policy& p = v.policy;
  const std::string of_key = p.per == Per::kUser && !v.key.empty() ? " of the user " + for_terminal(v.key, 80)
                             : p.per == Per::kNetwork              ? " in " + v.key
                                                                   : "";
  const std::string spared =
      v.spared == 0 ? "" : fmt::format("; {} not counted because of a login", plural(v.spared, "event"));
  if (needs_a_domain) return "not judged: no local domain is known (--local-domain)";
  const std::string of_kinds = p.kinds > 1 ? fmt::format(" of {} kinds", v.kinds) : "";
  if (v.broken)
    return fmt::format("offender: {}{}{} {}, allowed are {}: {} too many{}", plural(v.most, "event"), of_kinds, of_key,
                       window_words(p), p.limit, v.most - p.limit, spared);
  if (!v.excused.empty())
    return fmt::format("no offender, with {}{} {} where {} are allowed, because {}{}", plural(v.most, "event"), of_key,
                       window_words(p), p.limit, v.excused, spared);
  if (v.most == 0)
    return fmt::format("no offender: nothing to count ({}){}; more than {} {} would make it one{}", kinds_words(p),
                       of_key, p.limit, window_words(p), spared);
  if (p.kinds > 1)
    return fmt::format("no offender: {} of {}{} {}; more than {} of at least {} kinds would make it one{}",
                       plural(v.most, "event"), plural(v.kinds, "kind"), of_key, window_words(p), p.limit, p.kinds,
                       spared);
  const uint64_t missing = p.limit + uint64_t{1} - std::min<uint64_t>(v.most, p.limit);
  return fmt::format("no offender: {}{} {}, allowed are {}; {} more {} would make it one{}", plural(v.most, "event"),
                     of_key, window_words(p), p.limit, missing, window_words(p), spared);
}

}  // namespace

Verdict Explainer::State::verdict_of(const PolicyRule& rule) {
  const Policy& p = rule.policy;
  Verdict v;
  v.policy = p;
  v.name = part.config.policies.name + "/" + p.name;
  const uint32_t user = p.per == Per::kUser ? worst_user(rule) : 0;
  if (p.per == Per::kUser) {
    v.key = user != 0 ? names[user] : "";
  } else {
    const Network n =
        p.per == Per::kNetwork ? network_of(address, p.prefix4, p.prefix6) : network_of(address, 32, p.prefix6);
    const bool single = n.prefix == (n.address.is_v4() ? 32 : 128);
    v.key = single ? format_address(address) : format_network(n);
  }
  const std::vector<Step> steps = steps_of(rule, user, v.spared);
  for (const Step& step : steps) v.counted += step.weight;
  find_window(rule, steps, v);
  v.broken = part.sources[me].broken >> rule.number & 1;
  if (!v.broken && v.most > p.limit && v.kinds >= p.kinds && v.own > 0) v.excused = excuse(rule, user);
  if (v.spared > 0) find_login(rule, user, v);
  v.in_words = in_words(v, p.needs_domains && !part.domains.any_known());
  return v;
}

// No log tells a monitor of TLS ports from a bot.
static bool only_opens_ports(const SourceReport& source) {
  constexpr KindSet kOpens = bit(EventKind::kNoTls) | bit(EventKind::kTlsFailed) | bit(EventKind::kDropped);
  for (size_t i = 0; i < kEventKinds; ++i)
    if (source.events[i] > 0 && !is_frame(static_cast<EventKind>(i)) && !(kOpens >> i & 1)) return false;
  return true;
}

Explainer::Explainer(const JudgeConfig& config, Address address) : state_(std::make_unique<State>(config, address)) {}
Explainer::Explainer(Explainer&&) noexcept = default;
Explainer::~Explainer() = default;

void Explainer::take(std::span<const Event> events) {
  state_->whole.take(events);
  for (const Event& event : events) state_->take(event);
}

Explanation Explainer::finish(const InputReport& input) {
  State& s = *state_;
  Explanation& out = s.explanation;
  out.source.address = s.address;
  s.whole.finish(input, [&](SourceReport&& source) {
    if (source.address == s.address) out.source = std::move(source);
  });
  out.offender = out.source.offender;
  s.part.settle(true);
  s.taking_part_of = s.part.taking_part();
  s.part.flag_user_breaches();
  s.part.spare_senders();
  s.part.spare_few();
  if (out.offender && only_opens_ports(out.source))
    out.hint =
        "It does nothing but open TLS ports and leave them: so do bots, and so does a monitor. If it is one of "
        "yours, put it on the ignore list (--ignore, or `ignore` in the configuration).";
  for (const PolicyRule& rule : s.part.rules) out.verdicts.push_back(s.verdict_of(rule));
  return std::move(out);
}

}  // namespace mailward
