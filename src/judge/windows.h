// Exact windows over the events of one key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "judge/mark.h"

namespace mailward {

// An event that counts, ready for a window.
struct Step {
  int64_t time;
  uint32_t weight;
  uint32_t mark : 27;  // whose it is: there are never more (3 GB)
  uint32_t kind : 5;   // an EventKind
};
static_assert(sizeof(Step) == 16);

inline Step step_of(const Mark& m, uint32_t number) {
  return {m.sum ? kUntimed : m.time, m.weight, number, static_cast<uint32_t>(m.kind)};
}

// What makes a span too full: weights that sum up to more than `limit`, of at least `kinds` kinds.
struct Bound {
  uint64_t limit = 0;
  uint32_t kinds = 1;
};

// The events of a span.
class Tally {
 public:
  void add(const Step& s) { sum_ += s.weight, kinds_ += of_[s.kind]++ == 0; }
  void remove(const Step& s) { sum_ -= s.weight, kinds_ -= --of_[s.kind] == 0; }
  bool over(const Bound& b) const { return sum_ > b.limit && kinds_ >= b.kinds; }
  uint64_t sum() const { return sum_; }
  uint32_t kinds() const { return kinds_; }

 private:
  uint64_t sum_ = 0;
  uint32_t kinds_ = 0;
  std::array<uint32_t, kEventKinds> of_{};
};

// Calls flag(i) for each step that lies in some span (t - window, t] that is too full. `steps` are in
// order of time, those without a time first: they belong to every span. window 0: all steps are one
// span. Linear.
template <class Flag>
void sweep(std::span<const Step> steps, const Bound& bound, int64_t window, Flag flag) {
  size_t untimed = 0;
  Tally tally;
  while (untimed < steps.size() && steps[untimed].time == kUntimed) tally.add(steps[untimed++]);
  size_t flagged = untimed;  // all before it that had to be flagged are
  size_t start = untimed;    // first step of the span that ends at `end`
  bool broken = tally.over(bound);
  for (size_t end = untimed; end < steps.size(); ++end) {
    tally.add(steps[end]);
    for (; window > 0 && steps[start].time <= steps[end].time - window; ++start) tally.remove(steps[start]);
    if (!tally.over(bound)) continue;
    broken = true;
    for (flagged = flagged > start ? flagged : start; flagged <= end; ++flagged) flag(flagged);
  }
  for (size_t i = 0; broken && i < untimed; ++i) flag(i);
}

// Calls keep(i) for each step that windows ending after `settled` may still need: those after it, and
// before it the last ones until their weight alone is over the limit. What lies further back would
// have been flagged together with them by now, or lies outside any later window. Where several kinds
// are asked for, that is true of each kind and source by itself: part(i) tells them apart.
template <class Part, class Keep>
void keep_needed(std::span<const Step> steps, const Bound& bound, int64_t window, int64_t settled, Part part,
                 Keep keep) {
  uint64_t older = 0;
  std::unordered_map<uint64_t, uint64_t> older_of;
  for (size_t i = steps.size(); i-- > 0;) {
    if (steps[i].time > settled) {
      keep(i);
      continue;
    }
    if (steps[i].time <= settled - window) return;
    uint64_t& weight = bound.kinds > 1 ? older_of[part(i)] : older;
    if (weight > bound.limit) {
      if (bound.kinds > 1) continue;
      return;
    }
    weight += steps[i].weight;
    keep(i);
  }
}

}  // namespace mailward
