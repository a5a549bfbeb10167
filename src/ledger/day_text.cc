#include "ledger/day_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace mailward {
namespace {

constexpr std::string_view kOthers = "\"…\"";

void append_number(std::string& out, uint64_t n) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, end);
}

void append_member(std::string& out, std::string_view key, uint64_t value) {
  out += out.empty() ? '{' : ',';
  out += key;
  out += ':';
  append_number(out, value);
}

// The end of a JSON string that begins there; npos: none.
size_t end_of_text(std::string_view json, size_t at) {
  if (at >= json.size() || json[at] != '"') return std::string_view::npos;
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\')
      ++at;
    else if (json[at] == '"')
      return at + 1;
  }
  return std::string_view::npos;
}

// take(key with its quotes, value) for each member; empty: there are none.
template <class Take>
bool each_member(std::string_view json, Take take) {
  if (json.empty()) return true;
  size_t at = 0;
  do {
    if (json[at] != (at == 0 ? '{' : ',')) return false;
    const size_t colon = end_of_text(json, at + 1);
    if (colon == std::string_view::npos || colon >= json.size() || json[colon] != ':') return false;
    const std::string_view key = json.substr(at + 1, colon - at - 1);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(json.data() + colon + 1, json.data() + json.size(), value);
    if (error != std::errc()) return false;
    at = static_cast<size_t>(end - json.data());
    if (at >= json.size()) return false;
    take(key, value);
  } while (json[at] == ',');
  return json.substr(at) == "}";
}

}  // namespace

bool merge_counts(std::string_view before, const Pending& pending, const Pending::Day& day, std::string& out) {
  std::array<uint64_t, kEventKinds> counts{};
  bool known = true;
  const bool whole = each_member(before, [&](std::string_view key, uint64_t value) {
    const auto kind = parse_event_kind(key.substr(1, key.size() - 2));
    known &= kind.has_value();
    if (kind) counts[static_cast<size_t>(*kind)] = value;
  });
  for (uint32_t i = day.counts.first; i != Pending::kEnd; i = pending.counts[i].next)
    counts[static_cast<size_t>(pending.counts[i].kind)] += pending.counts[i].count;
  out.clear();
  for (size_t i = 0; i < kEventKinds; ++i) {
    if (counts[i] == 0) continue;
    out += out.empty() ? "{\"" : ",\"";
    out += kEventKindInfo[i].name;
    out += "\":";
    append_number(out, counts[i]);
  }
  out += out.empty() ? "{}" : "}";
  return whole && known;
}

bool merge_tried(std::string_view before, const Pending& pending, const Pending::Day& day, std::string& out) {
  std::vector<std::pair<std::string_view, uint64_t>> users;
  uint64_t others = 0;
  const bool whole = each_member(before, [&](std::string_view key, uint64_t value) {
    if (key == kOthers)
      others = value;
    else
      users.emplace_back(key, value);
  });
  const size_t known = users.size();  // among the new ones each comes once
  for (uint32_t i = day.tried.first; i != Pending::kEnd; i = pending.tried[i].next) {
    const auto& [user, count, next] = pending.tried[i];
    const auto end = users.begin() + static_cast<std::ptrdiff_t>(known);
    const auto at = std::find_if(users.begin(), end, [&](const auto& u) { return u.first == user; });
    if (at != end)
      at->second += count;
    else if (users.size() < kMostUsers && user != kOthers)
      users.emplace_back(user, count);
    else
      others += count;
  }
  out.clear();
  for (const auto& [user, count] : users) append_member(out, user, count);
  if (others > 0) append_member(out, kOthers, others);
  if (!out.empty()) out += '}';
  return whole;
}

void append_id(std::string& list, int64_t id) {
  if (list.empty())
    list = "[";
  else
    list.back() = ',';
  append_number(list, static_cast<uint64_t>(id));
  list += ']';
}

uint32_t count_ids(std::string_view list) {
  return list.empty() ? 0 : 1 + static_cast<uint32_t>(std::count(list.begin(), list.end(), ','));
}

}  // namespace mailward
