// Marks become verdicts: each policy over each of its keys.
#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "judge/state.h"

namespace mailward {
namespace {

constexpr int64_t kEnd = INT64_MAX;             // "settled" when nothing more will come
constexpr size_t kMostUsersOfOne = 64;          // users by which one address is convicted
constexpr size_t kManyMarks = size_t{1} << 20;  // 32 MB
constexpr size_t kAhead = 32;                   // marks fetched before they are looked at

// Stable counting sort of marks by key: `order` gets the marks' numbers, the result where each key's begin.
template <class KeyOf>
std::vector<uint32_t> group_marks(const std::vector<Mark>& marks, size_t keys, KeyOf key_of,
                                  std::vector<uint32_t>& order) {
  std::vector<uint32_t> begin(keys + 1, 0);
  for (const Mark& m : marks) ++begin[key_of(m) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  order.resize(marks.size());
  for (uint32_t i = 0; i < marks.size(); ++i) order[begin[key_of(marks[i])]++] = i;
  // The scatter moved each begin to the next one's place.
  for (size_t k = keys; k > 0; --k) begin[k] = begin[k - 1];
  begin[0] = 0;
  return begin;
}

}  // namespace

bool JudgeState::counts(const PolicyRule& rule, const Mark& m) const {
  return !(m.sum && rule.window > 0) && concerns(rule, m);
}

// It counts, or would if its time were still known.
bool JudgeState::concerns(const PolicyRule& rule, const Mark& m) const {
  const Policy& p = rule.policy;
  if (!(p.events >> static_cast<unsigned>(m.kind) & 1)) return false;
  if (m.spared & rule.spare_bits) return false;
  switch (p.when) {
    case When::kAny:
      break;
    case When::kForeignDomain:
      if (!domains.is_foreign(m.domain)) return false;
      break;
    case When::kLocalDomain:
      if (!domains.is_local(m.domain)) return false;
      break;
    case When::kBareName:
      if (m.domain != kBare) return false;
      break;
    case When::kUnknownUser:
      if (!m.unknown_user) return false;
      break;
    case When::kNotForeignDomain:
      if (domains.is_foreign(m.domain)) return false;
      break;
  }
  return !(p.needs_domains && !domains.any_known());
}

// Which addresses are one: each way to see it is one pass over all marks.
static std::vector<Grouping*> ways_to_see(const JudgeState& s) {
  std::vector<Grouping*> ways;
  const auto add = [&](Grouping* g) {
    if (std::find(ways.begin(), ways.end(), g) == ways.end()) ways.push_back(g);
  };
  for (const Span& span : s.spans) add(span.group);
  for (const PolicyRule& rule : s.rules)
    if (rule.policy.per == Per::kAddress) add(rule.group);
  return ways;
}

void JudgeState::settle(bool final) {
  for (const auto& g : groupings) g->extend(sources);
  if (final) {
    if (marks.empty() && only_sums()) return judge_sums();
    unfold();
    return evaluate(kEnd);
  }
  // Where a day's marks are too many, an hour's must do; where a minute's are, none may come late.
  for (const Duration lateness :
       {kLateness, Duration(std::chrono::hours(1)), Duration(std::chrono::minutes(1)), Duration(0)}) {
    const int64_t settled = settled_time(lateness);
    if (untimed_seen) unfold();
    evaluate(settled);
    compact(settled);
    if (marks.size() <= kManyMarks) break;
  }
  while (capacity < 2 * marks.size()) capacity *= 2;
  marks.reserve(capacity);
}

// No policy asks who else did something, or when: each address is judged by its own sums, where they lie.
bool JudgeState::only_sums() const {
  const auto plain = [](const PolicyRule& r) {
    const Policy& p = r.policy;
    const bool excuses = p.spare_senders || p.spare_mild || p.spare_people > 0 || p.addresses > 1;
    return p.per == Per::kAddress && r.group == nullptr && r.window == 0 && !excuses;
  };
  return spans.empty() && std::all_of(rules.begin(), rules.end(), plain);
}

void JudgeState::judge_sums() {
  for (uint32_t i = 0; i < sources.size(); ++i) {
    if (sources[i].ignored) continue;
    for (const PolicyRule& rule : rules) {
      uint64_t total = 0;
      KindSet kinds = 0;
      each_sum(sources[i], [&](const Sum& sum) {
        if (!(rule.policy.events & bit(sum.kind())) || !counts(rule, sum.mark(i))) return;
        total += sum.weight;
        kinds |= bit(sum.kind());
      });
      const auto different = static_cast<uint32_t>(std::popcount(kinds));
      if (total > rule.bound.limit && different >= rule.bound.kinds) sources[i].broken |= uint32_t{1} << rule.number;
    }
  }
}

void JudgeState::evaluate(int64_t settled) {
  ignored.resize(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) ignored[i] = sources[i].ignored;
  if (settled == kEnd && user_rules) note_logins();
  for (Grouping* way : ways_to_see(*this)) pass_over_addresses(way, settled);
  for (const PolicyRule& rule : rules)
    if (rule.policy.per == Per::kNetwork || (rule.policy.per == Per::kUser && !users_apart))
      pass_over_keys(rule, settled);
  if (user_rules) settle_user_breaches();
}

void JudgeState::pass_over_addresses(Grouping* group, int64_t settled) {
  const auto key_of = [group](const Mark& m) { return group ? group->of(m.source) : m.source; };
  const size_t keys = group ? group->size() : sources.size();
  const auto begin = group_marks(marks, keys, key_of, order);
  const auto by_time = [this](uint32_t a, uint32_t b) { return marks[a].time < marks[b].time; };
  size_t fetched = 0;
  for (size_t k = 0; k < keys; ++k) {
    // They lie all over a table that is larger than the caches.
    for (; fetched < std::min<size_t>(begin[k + 1] + kAhead, order.size()); ++fetched)
      __builtin_prefetch(&marks[order[fetched]]);
    const std::span<uint32_t> list(order.data() + begin[k], begin[k + 1] - begin[k]);
    if (list.empty()) continue;
    if (!std::is_sorted(list.begin(), list.end(), by_time)) std::stable_sort(list.begin(), list.end(), by_time);
    KindSet kinds = 0;
    for (const uint32_t i : list) kinds |= bit(marks[i].kind);
    if (!spans.empty() && (kinds & bit(EventKind::kAuthOk))) {
      mark_spared(list, group);
      keep_logins(list);
    }
    for (const PolicyRule& rule : rules)
      if (rule.policy.per == Per::kAddress && rule.group == group && (kinds & rule.policy.events))
        judge_address(rule, list, settled);
  }
}

// Events that logins of this address spare. Those without a time are spared by logins without one.
void JudgeState::mark_spared(std::span<const uint32_t> list, const Grouping* group) {
  constexpr int64_t kNever = INT64_MIN;
  std::unordered_map<uint32_t, int64_t> last;  // each user's last login so far
  std::unordered_set<uint32_t> untimed;
  int64_t last_of_all = kNever;
  size_t seen = 0;  // logins before it are in `last`
  for (size_t at = 0; at < list.size(); ++at) {
    const int64_t now = marks[list[at]].time;
    for (; seen < list.size() && marks[list[seen]].time <= now; ++seen) {  // one at the very time spares too
      const Mark& login = marks[list[seen]];
      if (login.kind != EventKind::kAuthOk || login.sum) continue;
      if (now == kUntimed) {
        untimed.insert(login.user);
      } else {
        last[login.user] = last_of_all = login.time;
      }
    }
    Mark& m = marks[list[at]];
    if (m.sum) continue;
    const bool failure = m.kind == EventKind::kAuthFailed;
    if (failure && m.user == 0) continue;
    const auto login = last.find(m.user);
    const int64_t time = !failure ? last_of_all : login == last.end() ? kNever : login->second;
    const bool spared_untimed = failure ? untimed.contains(m.user) : !untimed.empty();
    for (const Span& span : spans) {
      if (span.group != group || !span.about(m.kind)) continue;
      if (now == kUntimed ? spared_untimed : time != kNever && time > now - span.micros) m.spared |= span.bit;
    }
  }
}

void JudgeState::judge_address(const PolicyRule& rule, std::span<const uint32_t> list, int64_t settled) {
  uint64_t total = 0;
  steps.clear();
  for (const uint32_t i : list) {
    const Mark& m = marks[i];
    if (!counts(rule, m) || ignored[m.source]) continue;
    steps.push_back(step_of(m, i));
    total += m.weight;
  }
  if (total > rule.policy.limit || settled != kEnd) judge_steps(rule, steps, settled);
}

// A key's steps in order of time: flags whom they convict; while more may come, only by what is
// settled, and keeps what later windows may need.
void JudgeState::judge_steps(const PolicyRule& rule, std::span<const Step> list, int64_t settled) {
  const auto flag = [&](size_t i) {
    const Mark& m = marks[list[i].mark];
    const Policy& p = rule.policy;
    if (is_barred(m.source, list[i].time)) return;
    const bool maybe_the_user = p.per == Per::kUser && (settled != kEnd || keep_breaches || p.addresses > 1 ||
                                                        p.spare_people > 0 || has_login[rule.group->of(m.source)]);
    if (maybe_the_user)
      breaches.push_back({m.source, static_cast<uint32_t>(rule.number), m.user});
    else
      sources[m.source].broken |= uint32_t{1} << rule.number;
  };
  if (settled == kEnd) return sweep(list, rule.bound, rule.window, flag);
  if (rule.window == 0) return;                              // folded marks tell the sum at the end
  if (list.empty() || list.back().time == kUntimed) return;  // so do those; a login that spares them may still come
  const bool undecided = domains.learns() && marks.size() < most_undecided && rule.policy.when != When::kAny &&
                         rule.policy.when != When::kUnknownUser;
  if (undecided) {
    for (const Step& step : list) marks[step.mark].keep = true;
    return;
  }
  const auto later = std::partition_point(list.begin(), list.end(), [&](const Step& s) { return s.time <= settled; });
  sweep(std::span(list.begin(), later), rule.bound, rule.window, flag);
  const auto part = [&](size_t i) { return uint64_t{marks[list[i].mark].source} << 8 | list[i].kind; };
  keep_needed(list, rule.bound, rule.window, settled, part, [&](size_t i) { marks[list[i].mark].keep = true; });
}

// Policies per network and per user. Keys whose weights don't sum up to the limit are passed over.
void JudgeState::pass_over_keys(const PolicyRule& rule, int64_t settled) {
  const bool per_user = rule.policy.per == Per::kUser;
  std::unordered_map<uint32_t, uint32_t> user_numbers;
  std::vector<uint64_t> totals(per_user ? 0 : rule.group->size(), 0);
  std::vector<uint32_t>& keys = order;  // of each mark
  keys.assign(marks.size(), kNobody);
  for (uint32_t i = 0; i < marks.size(); ++i) {
    const Mark& m = marks[i];
    if (!counts(rule, m) || ignored[m.source] || (per_user && (m.user == 0 || !names_user(m.kind)))) continue;
    keys[i] = per_user ? user_numbers.try_emplace(m.user, static_cast<uint32_t>(totals.size())).first->second
                       : rule.group->of(m.source);
    if (keys[i] == totals.size()) totals.push_back(0);
    totals[keys[i]] += m.weight;
  }
  // Heavy keys get their steps side by side.
  std::vector<uint32_t> begin(totals.size() + 1, 0);
  const auto heavy = [&](uint32_t key) {
    return key != kNobody && (settled != kEnd || totals[key] > rule.policy.limit);
  };
  for (const uint32_t key : keys)
    if (heavy(key)) ++begin[key + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<Step> sorted(begin.back());
  std::vector<uint32_t> at(begin.begin(), begin.end() - 1);
  for (uint32_t i = 0; i < marks.size(); ++i)
    if (heavy(keys[i])) sorted[at[keys[i]]++] = step_of(marks[i], i);
  const auto by_time = [](const Step& a, const Step& b) { return a.time < b.time; };
  size_t fetched = 0;
  for (size_t key = 0; key < totals.size(); ++key) {
    for (; fetched < std::min<size_t>(begin[key + 1] + kAhead, sorted.size()); ++fetched)
      __builtin_prefetch(&marks[sorted[fetched].mark]);
    const std::span<Step> list(sorted.data() + begin[key], begin[key + 1] - begin[key]);
    if (list.empty()) continue;
    if (!std::is_sorted(list.begin(), list.end(), by_time)) std::stable_sort(list.begin(), list.end(), by_time);
    judge_steps(rule, list, settled);
  }
}

// Each breach once; and of an address that failed as very many users, as many as can matter.
void JudgeState::settle_user_breaches() {
  std::sort(breaches.begin(), breaches.end());
  breaches.erase(std::unique(breaches.begin(), breaches.end()), breaches.end());
  size_t run = 0;
  const UserBreach* previous = nullptr;
  std::vector<UserBreach> kept;
  for (const UserBreach& b : breaches) {
    run = previous && previous->source == b.source && previous->rule == b.rule ? run + 1 : 0;
    previous = &b;
    if (run < kMostUsersOfOne) kept.push_back(b);
  }
  breaches = std::move(kept);
}

}  // namespace mailward
