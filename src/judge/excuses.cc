// Who is over a limit and still no offender: what only the whole log can tell.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "judge/state.h"

namespace mailward {

namespace {

// Adds up by key.
class Counts {
 public:
  Counts(size_t keys, bool mild_once) : counted_(keys), mild_once_(mild_once) {}
  void add(uint32_t key, const Mark& m) {
    Counted& c = counted_[key];
    if (!mild_once_ || !(m.spared & kMild)) {
      c.weight += m.weight;
      return;
    }
    const auto [at, first] = about_.try_emplace({key, m.kind}, std::set<uint32_t>());
    if (!at->second.insert(m.user).second) return;
    ++c.mild;
    c.alike &= first;
  }
  std::vector<Counted> take() { return std::move(counted_); }

 private:
  std::vector<Counted> counted_;
  std::map<std::pair<uint32_t, EventKind>, std::set<uint32_t>> about_;  // what mild refusals were about
  bool mild_once_;
};

}  // namespace

// Events of each policy's kinds, by the places that addresses have; kNobody: not looked at.
std::vector<std::vector<Counted>> JudgeState::refused_by(const SomeRules& of, const std::vector<uint32_t>& place,
                                                         size_t places) const {
  std::vector<Counts> counts_of;
  for (const PolicyRule* rule : of) counts_of.emplace_back(places, rule->policy.spare_mild);
  for (const Mark& m : marks) {
    const uint32_t at = place[m.source];
    if (at == kNobody) continue;
    for (size_t r = 0; r < of.size(); ++r)
      if (of[r]->policy.events & bit(m.kind)) counts_of[r].add(at, m);
  }
  std::vector<std::vector<Counted>> counted;
  for (Counts& counts : counts_of) counted.push_back(counts.take());
  return counted;
}

// Whoever sends more than is refused is a mail server with some bad mail, not an attacker.
void JudgeState::spare_senders() {
  SomeRules sparing;
  uint32_t broken = 0;  // bits of those policies
  for (const PolicyRule& rule : rules) {
    if (!rule.policy.spare_senders) continue;
    sparing.push_back(&rule);
    broken |= uint32_t{1} << rule.number;
  }
  if (sparing.empty()) return;
  std::vector<bool> accused(sources.size(), false);
  for (uint32_t i = 0; i < sources.size(); ++i) accused[i] = (sources[i].broken & broken) != 0;
  // Few: who broke such a policy, and sent something.
  std::vector<uint32_t> place(sources.size(), kNobody);
  std::vector<uint32_t> senders;
  std::vector<uint64_t> taken;
  for (const Mark& m : marks) {
    if (m.kind != EventKind::kAccepted || !accused[m.source]) continue;
    if (place[m.source] == kNobody) {
      place[m.source] = static_cast<uint32_t>(senders.size());
      senders.push_back(m.source);
      taken.push_back(0);
    }
    taken[place[m.source]] += m.weight;
  }
  if (senders.empty()) return;
  const auto refused = refused_by(sparing, place, senders.size());
  for (size_t r = 0; r < sparing.size(); ++r)
    for (size_t i = 0; i < senders.size(); ++i)
      if (taken[i] > refused[r][i].all()) sources[senders[i]].broken &= ~(uint32_t{1} << sparing[r]->number);
}

// How many users logged in from each of these.
std::vector<uint32_t> JudgeState::users_in(const Chosen& of) const {
  std::vector<uint32_t> number(of.keys.size(), 0);
  std::unordered_set<uint64_t> seen;
  for (const Mark& m : marks) {
    if (m.kind != EventKind::kAuthOk) continue;
    const uint32_t key = of.key_of(m.source);
    if (of.keys[key] && seen.insert(uint64_t{key} << 32 | m.user).second) ++number[key];
  }
  return number;
}

// What the policy counts of each of these, over the whole log.
std::vector<Counted> JudgeState::counted_in(const PolicyRule& rule, const Chosen& of) const {
  Counts counts_of(of.keys.size(), rule.policy.spare_mild);
  for (const Mark& m : marks)
    if (const uint32_t key = of.key_of(m.source); of.keys[key] && !ignored[m.source] && concerns(rule, m))
      counts_of.add(key, m);
  return counts_of.take();
}

// Whose events are few over the whole log: each of the people in an office may mistype as often as one
// person may, and a mail server that is told to come again does.
void JudgeState::spare_few() {
  const auto sparing = [](const PolicyRule& r) {
    return r.policy.per == Per::kAddress && (r.policy.spare_people > 0 || r.policy.spare_mild);
  };
  if (std::none_of(rules.begin(), rules.end(), sparing)) return;
  std::vector<bool> may(sources.size(), false);  // nobody else is spared: that saves most of the work
  for (const Mark& m : marks)
    if (m.kind == EventKind::kAuthOk || (m.spared & kMild)) may[m.source] = true;
  for (const PolicyRule& rule : rules) {
    const Policy& p = rule.policy;
    if (!sparing(rule)) continue;
    Chosen of(rule.group, sources.size()), may_be(rule.group, sources.size());
    for (uint32_t i = 0; i < sources.size(); ++i)
      if (may[i]) may_be.keys[of.key_of(i)] = true;
    const uint32_t broken = uint32_t{1} << rule.number;
    bool any = false;
    for (uint32_t i = 0; i < sources.size(); ++i)
      if ((sources[i].broken & broken) && may_be.keys[of.key_of(i)]) any = of.keys[of.key_of(i)] = true;
    if (!any) continue;
    const std::vector<uint32_t> persons = users_in(of);
    const std::vector<Counted> counted = counted_in(rule, of);
    for (uint32_t i = 0; i < sources.size(); ++i) {
      const uint32_t key = of.key_of(i);
      if (of.keys[key] &&
          (comes_again(p, counted[key]) || counted[key].all() <= uint64_t{p.spare_people} * persons[key]))
        sources[i].broken &= ~broken;
    }
  }
}

// Who is one person's address for policies per user.
Grouping* JudgeState::people() const {
  const auto per_user = [](const PolicyRule& r) { return r.policy.per == Per::kUser; };
  return std::find_if(rules.begin(), rules.end(), per_user)->group;
}

void JudgeState::note_logins() {
  const Grouping* const group = people();
  has_login.assign(group->size(), false);
  for (const Mark& m : marks)
    if (m.kind == EventKind::kAuthOk) has_login[group->of(m.source)] = true;
}

// By rule and user: how many addresses took part in the breaches.
std::unordered_map<uint64_t, uint32_t> JudgeState::taking_part() const {
  if (users_apart) return parts;
  std::vector<std::pair<uint64_t, uint32_t>> each;
  for (const UserBreach& b : breaches)
    if (rules[b.rule].policy.addresses > 1) each.emplace_back(b.of(), rules[b.rule].group->of(b.source));
  std::sort(each.begin(), each.end());
  each.erase(std::unique(each.begin(), each.end()), each.end());
  std::unordered_map<uint64_t, uint32_t> number;
  for (const auto& [of, address] : each) ++number[of];
  return number;
}

// Never an address that logged in as the user; a login that doesn't tell its name was maybe his. Nor,
// where people are spared, one that failed no more than people do, if the user is somebody or people
// log in there.
void JudgeState::flag_user_breaches() {
  if (breaches.empty()) return;
  const Grouping* const group = people();
  Chosen of(group, sources.size());
  std::unordered_set<uint32_t> broken;  // users
  for (const UserBreach& b : breaches) {
    of.keys[group->of(b.source)] = true;
    broken.insert(b.user);
  }
  std::unordered_set<uint64_t> logins;
  std::unordered_set<uint32_t> owned;  // users who logged in, from wherever
  const auto key = [&](uint32_t source, uint32_t user) { return uint64_t{group->of(source)} << 32 | user; };
  for (const Mark& m : marks) {
    if (m.kind != EventKind::kAuthOk) continue;
    if (of.keys[group->of(m.source)]) logins.insert(key(m.source, m.user));
    if (people_rules && broken.contains(m.user)) owned.insert(m.user);
  }
  Chosen of_people(group, sources.size());
  for (const UserBreach& b : breaches)
    if (has_login[group->of(b.source)] || owned.contains(b.user)) of_people.keys[group->of(b.source)] = true;
  const std::vector<uint32_t> persons = people_rules ? users_in(of_people) : std::vector<uint32_t>();
  std::vector<std::vector<Counted>> counted(rules.size());
  for (const PolicyRule& rule : rules)
    if (rule.policy.per == Per::kUser && rule.policy.spare_people > 0)
      counted[rule.number] = counted_in(rule, of_people);
  const auto one_of_people = [&](const UserBreach& b) {
    if (counted[b.rule].empty()) return false;
    const uint32_t at = group->of(b.source);
    if (!of_people.keys[at]) return false;
    const uint64_t most = std::max<uint64_t>(persons[at], owned.contains(b.user));
    return counted[b.rule][at].all() <= most * rules[b.rule].policy.spare_people;
  };
  const auto number = taking_part();
  const auto too_few = [&](const UserBreach& b) {
    const uint32_t addresses = rules[b.rule].policy.addresses;
    return addresses > 1 && number.at(b.of()) < addresses;
  };
  for (const UserBreach& b : breaches)
    if (!too_few(b) && !logins.contains(key(b.source, b.user)) && !logins.contains(key(b.source, 0)) &&
        !one_of_people(b))
      sources[b.source].broken |= uint32_t{1} << b.rule;
}

}  // namespace mailward
