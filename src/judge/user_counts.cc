#include "judge/user_counts.h"

#include <algorithm>
#include <functional>

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
  Head& head = heads_[source];
  const bool room = head.names < kMostNames && counts_.size() < kMostPairs;
  const uint32_t number = name_number(name);
  if (number == UINT32_MAX) {
    head.others += weight;
    return;
  }
  size_t at = hash(source, number);
  for (;; ++at) {
    const uint32_t slot = count_slots_[at & (count_slots_.size() - 1)];
    if (slot == 0) break;
    if (counts_[slot - 1].source != source || counts_[slot - 1].name != number) continue;
    counts_[slot - 1].weight += weight;
    return;
  }
  if (!room) {
    head.others += weight;
    return;
  }
  counts_.push_back({source, number, head.first, weight});
  head.first = static_cast<uint32_t>(counts_.size());
  ++head.names;
  count_slots_[at & (count_slots_.size() - 1)] = head.first;
  if (counts_.size() * 2 > count_slots_.size()) grow_counts();
}

std::vector<std::pair<std::string, uint64_t>> UserCounts::of(uint32_t source) const {
  std::vector<std::pair<std::string, uint64_t>> list;
  if (source >= heads_.size()) return list;
  for (uint32_t at = heads_[source].first; at != 0; at = counts_[at - 1].next)
    list.emplace_back(text(names_[counts_[at - 1].name]), counts_[at - 1].weight);
  std::sort(list.begin(), list.end());
  if (heads_[source].others > 0) list.emplace_back(kOthers, heads_[source].others);
  return list;
}

}  // namespace mailward
