// Memories forget what no window can need any more; what it came to is kept.
#include <algorithm>

#include "judge/live_state.h"

namespace mailward {
namespace {

constexpr size_t kMostOfOneName = 512;  // addresses remembered of one name
constexpr size_t kMostOfOneHome = 256;  // of one neighbourhood, a /64 may have any number …
constexpr size_t kFirstOfOneHome = 64;  // … of which so many are remembered in any case

// Leaves out the addresses that are not asked for; whoever has marks is.
template <class Stays>
void leave_out(Memory& memory, Stays stays) {
  std::vector<uint32_t> number(memory.sources.size(), kNobody);
  for (const Mark& m : memory.marks) number[m.source] = 0;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < memory.sources.size(); ++i) {
    if (number[i] == kNobody && !stays(i)) continue;
    number[i] = kept;
    memory.sources[kept++] = memory.sources[i];
  }
  memory.sources.resize(kept);
  for (Mark& m : memory.marks) m.source = number[m.source];
  std::erase_if(memory.breaches, [&](const KnownBreach& b) { return number[b.source] == kNobody; });
  for (KnownBreach& b : memory.breaches) b.source = number[b.source];
}

bool is_due(Memory& memory) {
  if (memory.tidy_at == 0) memory.tidy_at = kTidyFirst;
  return memory.marks.size() >= memory.tidy_at;
}

void set_next(Memory& memory) {
  memory.tidy_at = std::max<uint32_t>(kTidyFirst, static_cast<uint32_t>(2 * memory.marks.size()));
}

}  // namespace

void LiveJudge::State::tidy(Memory& home, Instant now) {
  if (!is_due(home)) return;
  take_pardons(home);
  scratch.clear();
  add(home);
  for (const auto& g : scratch.groupings) g->extend(scratch.sources);
  bar(home, now);
  for (const Duration lateness : kLatenesses) {
    const int64_t settled = scratch.settled_time(lateness, kUnsettled);
    scratch.evaluate(settled);
    scratch.compact(settled);
    if (scratch.marks.size() <= kManyOfOne) break;
  }
  scratch.unfold();
  home.marks.assign(scratch.marks.begin(), scratch.marks.end());
  for (uint32_t i = 0; i < home.sources.size(); ++i) home.sources[i].broken = scratch.sources[i].broken;
  if (home.sources.size() > kMostOfOneHome) {
    std::erase_if(home.marks, [](const Mark& m) { return m.sum && m.source >= kFirstOfOneHome; });
    leave_out(home, [](uint32_t i) { return i < kFirstOfOneHome; });
  }
  set_next(home);
}

// Sets Mark::keep: of what is settled, what later windows may need; of the rest, all.
void LiveJudge::State::keep_what_windows_need(Memory& name, int64_t settled) {
  std::vector<Mark>& marks = name.marks;
  for (Mark& m : marks) m.keep = !m.sum && m.time > settled;
  for (const PolicyRule* rule : name_rules) {
    if (rule->window == 0) continue;  // sums tell as much
    std::vector<Step>& steps = scratch.steps;
    steps.clear();
    for (uint32_t i = 0; i < marks.size(); ++i)
      if (scratch.counts(*rule, marks[i])) steps.push_back(step_of(marks[i], i));
    const auto part = [&](size_t i) { return uint64_t{marks[steps[i].mark].source} << 8 | steps[i].kind; };
    keep_needed(std::span<const Step>(steps), rule->bound, rule->window, settled, part,
                [&](size_t i) { marks[steps[i].mark].keep = true; });
  }
}

void LiveJudge::State::tidy_name(Memory& name) {
  if (!is_due(name)) return;
  std::vector<Mark>& marks = name.marks;
  for (const Duration lateness : kLatenesses) {
    const int64_t last = marks[marks.size() - kUnsettled].time;
    keep_what_windows_need(name, last == kUntimed ? INT64_MIN / 2 : last - lateness.count());
    const auto kept = std::count_if(marks.begin(), marks.end(), [](const Mark& m) { return m.keep; });
    if (static_cast<size_t>(kept) <= kManyOfOne) break;
  }
  const bool sums = std::any_of(name_rules.begin(), name_rules.end(), [](const auto* r) { return r->window == 0; });
  std::vector<Mark> folded;
  for (const Mark& m : marks) {
    if (m.keep) continue;
    name.sources[m.source].settled |= name.sources[m.source].broken;
    const Mark sum = Sum::of(m).mark(m.source);
    const auto same = [&](const Mark& f) { return f.source == sum.source && Sum::of(f).same(Sum::of(sum)); };
    const auto at = std::find_if(folded.begin(), folded.end(), same);
    if (at != folded.end())
      at->add(m.weight);
    else if (sums || m.time == kUntimed)
      folded.push_back(sum);
  }
  std::erase_if(marks, [](const Mark& m) { return !m.keep; });
  for (Mark& m : marks) m.keep = false;
  marks.insert(marks.begin(), folded.begin(), folded.end());
  // The last ones that took part, and whoever has marks.
  const size_t surplus = name.sources.size() - std::min(name.sources.size(), kMostOfOneName);
  leave_out(name, [&](uint32_t i) { return name.sources[i].broken != 0 && i >= surplus; });
  set_next(name);
}

}  // namespace mailward
