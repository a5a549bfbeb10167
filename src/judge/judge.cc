#include "judge/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "judge/state.h"

namespace mailward {

std::string fingerprint_of(const JudgeConfig& config) {
  std::string text = config.policies.name;
  for (const Policy& p : config.policies.policies)
    text +=
        fmt::format("|{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", p.name, p.events,
                    static_cast<int>(p.when), static_cast<int>(p.per), p.limit, p.kinds, p.addresses, p.window.count(),
                    p.ban.count(), p.repeat, p.spare.count(), p.spare_clients.count(), p.spare_senders, p.spare_mild,
                    p.spare_people, p.prefix4, p.prefix6, p.needs_domains, p.forgive.count());
  for (const std::string& domain : config.local_domains) text += "|" + domain;
  return text;
}
namespace {

constexpr size_t kAhead = 32;  // marks fetched before they are looked at

Instant instant_of(int64_t time) { return Instant(Duration(time)); }

// Hostile events of each address, by number.
std::vector<bool> hostile_sources(const JudgeState& s) {
  std::vector<bool> hostile(s.sources.size(), false);
  for (const Mark& m : s.marks)
    if (severity_of(m.kind) == Severity::kHostile) hostile[m.source] = true;
  for (uint32_t i = 0; i < s.sources.size(); ++i)
    s.each_sum(s.sources[i], [&](const Sum& sum) {
      if (severity_of(sum.kind()) == Severity::kHostile) hostile[i] = true;
    });
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

// Marks, as far as they are no sums any more, by the place of their address in the list: `begin[i]` to `begin[i + 1]`
// in `order`.
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

void Judge::take(std::span<const Event> events) { state_->take(events); }

Report Judge::finish(InputReport input, const std::function<void(SourceReport&&)>& take) {
  JudgeState& s = *state_;
  s.settle(true);
  s.flag_user_breaches();
  s.spare_senders();
  s.spare_few();
  const std::vector<uint32_t> told = told_sources(s);
  const MarksOf marks = marks_of(s, told);
  for (size_t i = 0; i < told.size(); ++i) {
    if (i + kAhead < told.size()) __builtin_prefetch(&s.sources[told[i + kAhead]]);
    const Source& facts = s.sources[told[i]];
    SourceReport source;
    source.address = facts.address;
    source.first = instant_of(facts.first <= facts.last ? facts.first : kUntimed);
    source.last = instant_of(facts.last);
    const auto count = [&](EventKind kind, uint32_t weight) {
      if (!is_frame(kind)) source.events[static_cast<size_t>(kind)] += weight;
    };
    for (uint32_t at = marks.begin[i]; at < marks.begin[i + 1]; ++at) {
      if (at + kAhead < marks.order.size()) __builtin_prefetch(&s.marks[marks.order[at + kAhead]]);
      const Mark& m = s.marks[marks.order[at]];
      count(m.kind, m.weight);
    }
    s.each_sum(facts, [&](const Sum& sum) { count(sum.kind(), sum.weight); });
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
