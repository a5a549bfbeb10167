// The inside of the judge: marks and addresses, how they are evaluated and thinned out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "judge/activity.h"
#include "judge/domains.h"
#include "judge/judge.h"
#include "judge/mark.h"
#include "judge/sources.h"
#include "judge/user_counts.h"
#include "judge/windows.h"

namespace mailward {

// A policy with what follows from it.
struct PolicyRule {
  Policy policy;
  size_t number = 0;
  Bound bound;
  int64_t window = 0;         // 0: no window, or one event is too many: then windows make no difference
  uint8_t spare_bits = 0;     // its bits in Mark::spared; 0: spares nothing
  Grouping* group = nullptr;  // what is one key, or, per user, one address; null: each address by itself
};

// A login spares, for this long, failures of the same user, or anybody's other events; for policies
// that take `group` for one address.
struct Span {
  int64_t micros = 0;
  bool failures = true;  // failed logins of the user; else all other events of the address
  Grouping* group = nullptr;
  uint8_t bit = 0;

  bool about(EventKind kind) const {
    return kind != EventKind::kAuthOk && (kind == EventKind::kAuthFailed) == failures;
  }
};

// Broken by this user's failures: holds unless the address logged in as that user.
struct UserBreach {
  uint32_t source;
  uint32_t rule;
  uint32_t user;
  uint64_t of() const { return uint64_t{rule} << 32 | user; }
  friend auto operator<=>(const UserBreach&, const UserBreach&) = default;
};

// A sum that found no place in its address's own record.
struct FurtherSum {
  Sum sum;
  uint32_t source;
  uint32_t next;  // of its address, plus one; 0: the last
};

// What of one key counts over the whole log.
struct Counted {
  uint64_t weight = 0;
  uint64_t mild = 0;  // mild refusals that are not in it, those about the same once
  bool alike = true;  // of each kind they are all about the same
  uint64_t all() const { return weight + mild; }
};

// Some of the keys of a grouping (null: of the addresses): only those are looked at closer.
struct Chosen {
  Chosen(const Grouping* g, size_t sources) : group(g), keys(g ? g->size() : sources, false) {}
  uint32_t key_of(uint32_t source) const { return group ? group->of(source) : source; }

  const Grouping* group;
  std::vector<bool> keys;
};

struct JudgeState {
  explicit JudgeState(JudgeConfig c);

  // --- marks come in (state.cc)
  void take(std::span<const Event> events);
  void take(const Event& event, uint32_t number, Source& source);
  Mark mark_of(const Event& event, uint32_t source);
  Domains::Reading read_name(const Event& event);
  bool may_name(uint32_t source);
  std::vector<uint32_t> named;  // by address: attempts that were kept by the name
  uint32_t source_of(Address a, uint64_t hash);
  KindSet needed_kinds() const;

  // --- and are evaluated (evaluate.cc)
  void settle(bool final);
  void evaluate(int64_t settled);
  bool only_sums() const;
  void judge_sums();
  void pass_over_addresses(Grouping* group, int64_t settled);
  void mark_spared(std::span<const uint32_t> group_marks, const Grouping* group);
  void judge_address(const PolicyRule& rule, std::span<const uint32_t> group_marks, int64_t settled);
  void pass_over_keys(const PolicyRule& rule, int64_t settled);
  bool counts(const PolicyRule& rule, const Mark& m) const;
  bool concerns(const PolicyRule& rule, const Mark& m) const;
  void judge_steps(const PolicyRule& rule, std::span<const Step> steps, int64_t settled);
  void settle_user_breaches();

  // --- some of whom are excused in the end (excuses.cc)
  void note_logins();
  void flag_user_breaches();
  void spare_senders();
  void spare_few();
  Grouping* people() const;
  std::unordered_map<uint64_t, uint32_t> taking_part() const;
  std::vector<uint32_t> users_in(const Chosen& of) const;
  static bool comes_again(const Policy& p, const Counted& c) { return p.spare_mild && c.alike && c.weight <= p.limit; }
  std::vector<Counted> counted_in(const PolicyRule& rule, const Chosen& of) const;
  using SomeRules = std::vector<const PolicyRule*>;
  std::vector<std::vector<Counted>> refused_by(const SomeRules& of, const std::vector<uint32_t>& place,
                                               size_t places) const;

  // --- and thinned out (compact.cc)
  int64_t settled_time(Duration lateness, size_t last = 64) const;
  void compact(int64_t settled);
  void keep_logins(std::span<const uint32_t> group_marks);
  bool must_stay(const Mark& m, int64_t settled) const;
  void add_up(uint32_t number, Source& source, Sum sum);
  void add_further(uint32_t number, Source& source, const Sum& sum);
  void tidy_sums();
  void unfold();
  void clear();
  bool is_barred(uint32_t source, int64_t time) const {
    return !barred.empty() && barred[source] != kUntimed && time < barred[source];
  }
  template <class Take>
  void each_sum(const Source& source, Take take) const {
    for (const Sum& sum : source.first_sums)
      if (sum.weight > 0) take(sum);
    for (uint32_t at = source.sums; at != 0; at = sums[at - 1].next) take(sums[at - 1].sum);
  }

  JudgeConfig config;
  std::vector<std::unique_ptr<Grouping>> groupings;
  std::vector<PolicyRule> rules;
  std::vector<Span> spans;
  Domains domains;
  Sources sources;
  std::vector<Mark> marks;       // in order of arrival
  size_t capacity;               // when so many are there, they are evaluated and thinned out
  std::vector<FurtherSum> sums;  // of what was thinned out, a chain for each address
  size_t most_sums = size_t{1} << 20;
  std::vector<UserBreach> breaches;
  std::vector<bool> has_login;  // at the end, by group of people(): somebody logged in
  UserCounts users;
  Activity activity;
  std::vector<uint32_t> order;  // scratch: marks by group
  std::vector<Step> steps;      // scratch: of one key
  std::vector<bool> ignored;    // scratch: by address, as Source::ignored, but small
  std::vector<int64_t> barred;  // by address: what happened before convicts nobody again; kUntimed: no such time.
                                // Of live judging only

  std::unordered_map<uint64_t, uint32_t> parts;  // with users_apart: what taking_part() says
  size_t most_undecided = size_t{1} << 22;       // marks, as long as domains may turn out to be local

  KindSet timed_kinds = 0;  // whose times some window or sparing needs
  KindSet kept_kinds = 0;   // that must be kept at all
  uint32_t fold_mask = 0;   // what sums must tell apart, of Sum::what
  uint8_t fold_spared = 0;  // the bits of Mark::spared that sums keep
  bool fold_domain = false, fold_unknown = false, fold_user = false, user_rules = false, people_rules = false,
       thin_logins = false, untimed_seen = false,
       wants_user = false,    // marks must tell their user
      keep_breaches = false,  // for explain: also those that no login can undo
      users_apart = false;    // of live judging: who broke policies per user is known, and stands in `breaches`
};

// Adds to an address's sums, without what no sum needs. One without a time belongs to every window: it
// stays countable there.
MAILWARD_INLINE void JudgeState::add_up(uint32_t number, Source& source, Sum sum) {
  sum.what &= fold_mask;
  if (sum.user != 0) {
    const bool by_user = sum.kind() == EventKind::kAuthOk ? user_rules || people_rules : fold_user || sum.mild();
    if (!by_user && !(sum.untimed() && (user_rules || !spans.empty()))) sum.user = 0;
  }
  untimed_seen |= sum.untimed();
  const bool second = source.first_sums[0].weight != 0 && !source.first_sums[0].same(sum);
  Sum& place = source.first_sums[second];
  if (place.weight == 0)
    place = sum;
  else if (place.same(sum))
    place.add(sum.weight);
  else
    add_further(number, source, sum);
}

}  // namespace mailward
