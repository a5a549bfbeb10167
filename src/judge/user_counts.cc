#include "judge/user_counts.h"

#include <algorithm>
#include <functional>
#include <span>

namespace mailward {

constexpr std::string_view kOthers = "…";

size_t UserCounts::hash(std::string_view name) { return std::hash<std::string_view>()(name); }

size_t UserCounts::hash(uint32_t source, uint32_t name) {
  uint64_t h = (uint64_t{source} << 32 | name) * 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 32);
}

void UserCounts::grow_names() {
  name_slots_.assign(name_slots_.size() * 2, 0);
  for (uint32_t i = 0; i < names_.size(); ++i) {
    size_t at = hash(text(names_[i]));
    while (name_slots_[at & (name_slots_.size() - 1)] != 0) ++at;
    name_slots_[at & (name_slots_.size() - 1)] = i + 1;
  }
}

uint32_t UserCounts::name_number(std::string_view name) {
  size_t at = hash(name);
  for (;; ++at) {
    const uint32_t slot = name_slots_[at & (name_slots_.size() - 1)];
    if (slot == 0) break;
    if (text(names_[slot - 1]) == name) return slot - 1;
  }
  if (bytes_.size() + name.size() > kMostBytes) return UINT32_MAX;
  names_.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(name.size())});
  bytes_.append(name);
  name_slots_[at & (name_slots_.size() - 1)] = static_cast<uint32_t>(names_.size());
  if (names_.size() * 2 > name_slots_.size()) grow_names();
  return static_cast<uint32_t>(names_.size() - 1);
}

void UserCounts::grow_counts() {
  count_slots_.assign(count_slots_.size() * 2, 0);
  for (uint32_t i = 0; i < counts_.size(); ++i) {
    size_t at = hash(counts_[i].source, counts_[i].name);
    while (count_slots_[at & (count_slots_.size() - 1)] != 0) ++at;
    count_slots_[at & (count_slots_.size() - 1)] = i + 1;
  }
}

void UserCounts::add(uint32_t source, std::string_view name, uint64_t weight) {
  if (heads_.size() <= source) heads_.resize(source + 1);
  std::string cut;
  if (name.size() > kLongestName) name = cut = std::string(name.substr(0, kLongestName)) + std::string(kOthers);
  const uint32_t number = name_number(name);
  __builtin_prefetch(&heads_[source], 1);
  __builtin_prefetch(&count_slots_[hash(source, number) & (count_slots_.size() - 1)]);
  waiting_[waiting_count_++] = {source, number, weight};
  if (waiting_count_ == kTogether) count_waiting();
}

void UserCounts::count_waiting() {
  for (const Waiting& w : std::span(waiting_).first(waiting_count_))
    if (const uint32_t slot = count_slots_[hash(w.source, w.name) & (count_slots_.size() - 1)]; slot != 0)
      __builtin_prefetch(&counts_[slot - 1], 1);
  for (const Waiting& w : std::span(waiting_).first(waiting_count_)) count(w);
  waiting_count_ = 0;
}

void UserCounts::count(const Waiting& w) {
  Head& head = heads_[w.source];
  if (w.name == UINT32_MAX) {
    head.others += w.weight;
    return;
  }
  size_t at = hash(w.source, w.name);
  for (;; ++at) {
    const uint32_t slot = count_slots_[at & (count_slots_.size() - 1)];
    if (slot == 0) break;
    if (counts_[slot - 1].source != w.source || counts_[slot - 1].name != w.name) continue;
    counts_[slot - 1].weight += w.weight;
    return;
  }
  if (head.names >= kMostNames || counts_.size() >= kMostPairs) {
    head.others += w.weight;
    return;
  }
  counts_.push_back({w.source, w.name, head.first, w.weight});
  head.first = static_cast<uint32_t>(counts_.size());
  ++head.names;
  count_slots_[at & (count_slots_.size() - 1)] = head.first;
  if (counts_.size() * 2 > count_slots_.size()) grow_counts();
}

std::vector<std::pair<std::string, uint64_t>> UserCounts::of(uint32_t source) {
  count_waiting();
  std::vector<std::pair<std::string, uint64_t>> list;
  if (source >= heads_.size()) return list;
  for (uint32_t at = heads_[source].first; at != 0; at = counts_[at - 1].next)
    list.emplace_back(text(names_[counts_[at - 1].name]), counts_[at - 1].weight);
  std::sort(list.begin(), list.end());
  if (heads_[source].others > 0) list.emplace_back(kOthers, heads_[source].others);
  return list;
}

}  // namespace mailward
