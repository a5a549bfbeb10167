#include "view/sources.h"

#include <algorithm>

#include "base/text.h"

namespace mailward {

uint64_t events_of(const SourceReport& source, Severity severity) {
  uint64_t sum = 0;
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    if (kEventKindInfo[kind].severity == severity) sum += source.events[kind];
  }
  return sum;
}

std::pair<uint64_t, uint64_t> hostility(const SourceReport& source) {
  return {events_of(source, Severity::kHostile), events_of(source, Severity::kWeak)};
}

std::vector<std::pair<std::string, uint64_t>> users_of(const SourceReport& source) {
  std::vector<std::pair<std::string, uint64_t>> users;
  users.reserve(source.users.size());
  bool changed = false;
  for (const auto& [name, count] : source.users) {
    users.emplace_back(valid_utf8(name), count);
    changed = changed || users.back().first != name;
  }
  if (!changed) return users;
  const auto is_rest = [](const auto& user) { return user.first == kEllipsis; };
  std::stable_sort(users.begin(), users.end(), [&](const auto& a, const auto& b) {
    return is_rest(a) != is_rest(b) ? is_rest(b) : a.first < b.first;
  });
  size_t kept = 0;
  for (size_t i = 1; i < users.size(); ++i) {
    if (users[i].first == users[kept].first) {
      users[kept].second += users[i].second;
    } else if (++kept != i) {
      users[kept] = std::move(users[i]);
    }
  }
  users.resize(kept + 1);
  return users;
}

}  // namespace mailward
