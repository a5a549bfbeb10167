#include "judge/judge.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "judge/state.h"

namespace mailward {
namespace {

Instant instant_of(int64_t time) { return Instant(Duration(time)); }

// Hostile events of each address, by number.
std::vector<bool> hostile_sources(const JudgeState& s) {
  std::vector<bool> hostile(s.sources.size(), false);
  for (const Mark& m : s.marks)
    if (severity_of(m.kind) == Severity::kHostile) hostile[m.source] = true;
  return hostile;
}

// Numbers of the addresses that the report holds, in its order.
std::vector<uint32_t> told_sources(const JudgeState& s) {
  const Told told = s.config.told;
  const std::vector<bool> hostile = told == Told::kHostile ? hostile_sources(s) : std::vector<bool>();
  std::vector<std::pair<Address, uint32_t>> keyed;  // sorted by themselves: a look at each source is a cache miss
  for (uint32_t i = 0; i < s.sources.size(); ++i)
    if (told == Told::kAll || s.sources[i].broken != 0 || (told == Told::kHostile && hostile[i]))
      keyed.emplace_back(s.sources[i].address, i);
  std::sort(keyed.begin(), keyed.end());
  std::vector<uint32_t> list(keyed.size());
  std::transform(keyed.begin(), keyed.end(), list.begin(), [](const auto& k) { return k.second; });
  return list;
}

// Marks by the place of their address in the list: `begin[i]` to `begin[i + 1]` in `order`.
struct MarksOf {
  std::vector<uint32_t> begin, order;
};

MarksOf marks_of(const JudgeState& s, const std::vector<uint32_t>& told) {
  std::vector<uint32_t> place(s.sources.size(), UINT32_MAX);
  for (uint32_t i = 0; i < told.size(); ++i) place[told[i]] = i;
  MarksOf m{std::vector<uint32_t>(told.size() + 1, 0), {}};
  for (const Mark& mark : s.marks)
    if (place[mark.source] != UINT32_MAX) ++m.begin[place[mark.source] + 1];
  std::partial_sum(m.begin.begin(), m.begin.end(), m.begin.begin());
  m.order.resize(m.begin.back());
  std::vector<uint32_t> at(m.begin.begin(), m.begin.end() - 1);
  for (uint32_t i = 0; i < s.marks.size(); ++i)
    if (const uint32_t p = place[s.marks[i].source]; p != UINT32_MAX) m.order[at[p]++] = i;
  return m;
}

void tell_policies(const JudgeState& s, const Source& facts, SourceReport& out) {
  for (const PolicyRule& rule : s.rules) {
    if (!(facts.broken >> rule.number & 1)) continue;
    out.offender = true;
    out.policies.push_back(s.config.policies.name + "/" + rule.policy.name);
    if (rule.policy.per != Per::kNetwork) continue;
    std::string network = format_network(network_of(out.address, rule.policy.prefix4, rule.policy.prefix6));
    if (std::find(out.networks.begin(), out.networks.end(), network) == out.networks.end())
      out.networks.push_back(std::move(network));
  }
}

}  // namespace

Judge::Judge(JudgeConfig config) : state_(std::make_unique<JudgeState>(std::move(config))) {}
Judge::Judge(Judge&&) noexcept = default;
Judge::~Judge() = default;

KindSet Judge::needed_kinds() const { return state_->needed_kinds(); }

void Judge::take(std::span<const Event> events) {
  // The tables are larger than the caches: what each step needs is fetched for many events at a time.
  constexpr size_t kTogether = 256;
  const JudgeState& state = *state_;
  while (!events.empty()) {
    const auto some = events.first(std::min(events.size(), kTogether));
    for (const Event& event : some) state.sources.prefetch_slot(event.address);
    for (const Event& event : some) state.sources.prefetch_record(event.address);
    for (const Event& event : some) state.prefetch_sum(event.address);
    for (const Event& event : some) state_->take(event);
    events = events.subspan(some.size());
  }
}

Report Judge::finish(InputReport input, const std::function<void(SourceReport&&)>& take) {
  JudgeState& s = *state_;
  s.settle(true);
  s.flag_user_breaches();
  s.spare_senders();
  const std::vector<uint32_t> told = told_sources(s);
  const MarksOf marks = marks_of(s, told);
  for (size_t i = 0; i < told.size(); ++i) {
    const Source& facts = s.sources[told[i]];
    SourceReport source;
    source.address = facts.address;
    source.first = instant_of(facts.first);
    source.last = instant_of(facts.last);
    for (uint32_t at = marks.begin[i]; at < marks.begin[i + 1]; ++at) {
      const Mark& m = s.marks[marks.order[at]];
      if (!is_frame(m.kind)) source.events[static_cast<size_t>(m.kind)] += m.weight;
    }
    if (s.config.keep_users) source.users = s.users.of(told[i]);
    if (s.config.keep_activity) source.activity = s.activity.of(told[i], input.first, input.last);
    tell_policies(s, facts, source);
    const auto nothing = [](uint64_t n) { return n == 0; };
    if (!source.offender && std::all_of(source.events.begin(), source.events.end(), nothing)) continue;  // frames only
    take(std::move(source));
  }
  return Report{std::move(input), {}, s.config.policies.name};
}

Report Judge::finish(InputReport input) {
  std::vector<SourceReport> sources;
  Report report = finish(std::move(input), [&](SourceReport&& source) { sources.push_back(std::move(source)); });
  report.sources = std::move(sources);
  return report;
}

}  // namespace mailward
