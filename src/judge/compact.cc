// What no window needs any more becomes sums: for each address one of each kind of event, and of
// what else some policy without a window asks for.
#include <algorithm>
#include <tuple>
#include <utility>

#include "judge/state.h"

namespace mailward {
namespace {

constexpr int kLongestWalk = 32;  // sums of one address looked at; more are tidied up from time to time

auto key_of(const FurtherSum& s) { return std::tuple(s.source, s.sum.what, s.sum.user); }

}  // namespace

// Up to here nothing is expected to come any more. The least of the last marks' times, not the
// greatest of all: one stamp from the future must not make everything old.
int64_t JudgeState::settled_time(Duration lateness, size_t last) const {
  int64_t least = INT64_MAX;
  size_t seen = 0;
  for (size_t i = marks.size(); i-- > 0 && seen < last;) {
    if (marks[i].sum || marks[i].time == kUntimed) continue;
    least = std::min(least, marks[i].time);
    ++seen;
  }
  return seen == 0 ? INT64_MIN / 2 : least - lateness.count();
}

// Of one user's logins those are kept that spare something the others don't: a login between two that
// lie no further apart than the shortest span is never the one that decides.
void JudgeState::keep_logins(std::span<const uint32_t> list) {
  int64_t shortest = INT64_MAX;
  for (const Span& span : spans) shortest = std::min(shortest, span.micros);
  struct Last {
    int64_t before;  // the kept one before the last seen
    uint32_t seen;   // the last seen, not kept yet
    bool open;
  };
  std::unordered_map<uint32_t, Last> last;
  for (const uint32_t i : list) {
    Mark& m = marks[i];
    if (m.kind != EventKind::kAuthOk || m.sum || m.time == kUntimed) continue;
    const auto [at, first] = last.try_emplace(m.user, Last{m.time, i, false});
    if (first) {
      m.keep = true;
      continue;
    }
    Last& l = at->second;
    if (l.open && m.time - l.before > shortest) {
      marks[l.seen].keep = true;
      l.before = marks[l.seen].time;
    }
    l.seen = i;
    l.open = true;
  }
  for (const auto& [user, l] : last) marks[l.seen].keep = true;
}

// Some window or sparing may still need this mark by itself.
bool JudgeState::must_stay(const Mark& m, int64_t settled) const {
  if (m.sum || m.time == kUntimed || !(timed_kinds >> static_cast<unsigned>(m.kind) & 1)) return false;
  return m.keep || (m.time > settled && !(thin_logins && m.kind == EventKind::kAuthOk));
}

// To another sum than those that stand with its address.
void JudgeState::add_further(uint32_t number, Source& source, const Sum& sum) {
  uint32_t at = source.sums;
  for (int walk = 0; at != 0 && walk < kLongestWalk; ++walk, at = sums[at - 1].next)
    if (sums[at - 1].sum.same(sum)) return sums[at - 1].sum.add(sum.weight);
  sums.push_back({sum, number, source.sums});
  source.sums = static_cast<uint32_t>(sums.size());
  if (sums.size() >= most_sums) tidy_sums();
}

// Sums that a walk was too short to find become one.
void JudgeState::tidy_sums() {
  std::sort(sums.begin(), sums.end(), [](const auto& a, const auto& b) { return key_of(a) < key_of(b); });
  size_t kept = 0;
  for (const FurtherSum& s : sums) {
    if (kept > 0 && key_of(sums[kept - 1]) == key_of(s))
      sums[kept - 1].sum.add(s.sum.weight);
    else
      sums[kept++] = s;
  }
  sums.resize(kept);
  for (size_t i = 0; i < sources.size(); ++i) sources[i].sums = 0;
  for (uint32_t i = 0; i < kept; ++i) {
    Source& source = sources[sums[i].source];
    sums[i].next = source.sums;
    source.sums = i + 1;
  }
  most_sums = std::max(most_sums, 2 * kept);
}

void JudgeState::compact(int64_t settled) {
  size_t staying = 0;
  for (Mark& m : marks) {
    if (must_stay(m, settled)) {
      m.keep = false;
      marks[staying++] = m;
    } else {
      add_up(m.source, sources[m.source], Sum::of(m));
    }
  }
  marks.resize(staying);
}

// The other way round: for an evaluation that needs the sums, they stand before all else.
void JudgeState::unfold() {
  std::vector<Mark> unfolded;
  for (const FurtherSum& s : sums) unfolded.push_back(s.sum.mark(s.source));
  sums = {};
  for (uint32_t i = 0; i < sources.size(); ++i) {
    sources[i].sums = 0;
    for (Sum& sum : sources[i].first_sums)
      if (sum.weight > 0) unfolded.push_back(std::exchange(sum, {}).mark(i));
  }
  marks.insert(marks.begin(), unfolded.begin(), unfolded.end());
}

// Forgets all addresses and what they did; what was learned of domains stays.
void JudgeState::clear() {
  for (const auto& g : groupings) g->clear();
  sources.clear();
  marks.clear();
  sums.clear();
  breaches.clear();
  parts.clear();
  named.clear();
  barred.clear();
}

}  // namespace mailward
