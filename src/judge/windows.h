// Exact windows over the events of one key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "judge/mark.h"

namespace mailward {

// An event that counts, ready for a window.
struct Step {
  int64_t time;
  uint64_t weight;
  uint32_t mark;  // whose it is
};

// Calls flag(i) for each step that lies in some span (t - window, t] in which the weights sum up to
// more than `limit`. `steps` are in order of time, those without a time first: they belong to every
// span. window 0: all steps are one span. Linear.
template <class Flag>
void sweep(std::span<const Step> steps, uint64_t limit, int64_t window, Flag flag) {
  size_t untimed = 0;
  uint64_t sum = 0;
  while (untimed < steps.size() && steps[untimed].time == kUntimed) sum += steps[untimed++].weight;
  size_t flagged = untimed;  // all before it that had to be flagged are
  size_t start = untimed;    // first step of the span that ends at `end`
  bool broken = sum > limit;
  for (size_t end = untimed; end < steps.size(); ++end) {
    sum += steps[end].weight;
    for (; window > 0 && steps[start].time <= steps[end].time - window; ++start) sum -= steps[start].weight;
    if (sum <= limit) continue;
    broken = true;
    for (flagged = flagged > start ? flagged : start; flagged <= end; ++flagged) flag(flagged);
  }
  for (size_t i = 0; broken && i < untimed; ++i) flag(i);
}

// Calls keep(i) for each step that windows ending after `settled` may still need: those after it, and
// before it the last ones until their weight alone is over the limit. What lies further back would
// have been flagged together with them by now, or lies outside any later window.
template <class Keep>
void keep_needed(std::span<const Step> steps, uint64_t limit, int64_t window, int64_t settled, Keep keep) {
  uint64_t older = 0;
  for (size_t i = steps.size(); i-- > 0;) {
    if (steps[i].time > settled) {
      keep(i);
      continue;
    }
    if (steps[i].time <= settled - window || older > limit) return;
    older += steps[i].weight;
    keep(i);
  }
}

}  // namespace mailward
