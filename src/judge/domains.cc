#include "judge/domains.h"

#include <algorithm>
#include <cstring>

namespace mailward {
namespace {

constexpr size_t kLongestDomain = 255;  // RFC 1035, 2.3.4; longer ones are nobody's
constexpr size_t kMostDomains = 20'000;
constexpr size_t kFew = 8;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// `text`, but for the case of its letters.
bool is_lowered(std::string_view low, std::string_view text) {
  if (low.size() != text.size()) return false;
  const auto same = [](char a, char b) { return a == lower(b); };
  return std::memcmp(low.data(), text.data(), low.size()) == 0 ||
         std::equal(low.begin(), low.end(), text.begin(), same);
}

}  // namespace

LoginName split_login(std::string_view name) {
  // Most names have none or one: found sooner from the front.
  size_t at = name.find('@');
  if (at == std::string_view::npos) return {name, {}};
  for (size_t next; (next = name.find('@', at + 1)) != std::string_view::npos;) at = next;
  if (at == 0) return {name, {}};
  std::string_view domain = name.substr(at + 1);
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (domain.empty()) return {name, {}};
  return {name.substr(0, at), domain};
}

Domains::Domains(const std::vector<std::string>& configured) : let_in_(kFirstDomain, false) {
  for (std::string_view domain : configured) {
    if (domain.starts_with('@')) domain.remove_prefix(1);
    if (domain.ends_with('.')) domain.remove_suffix(1);
    if (!domain.empty()) configured_.insert(lowered(domain));
  }
  if (configured_.size() <= kFew) few_.assign(configured_.begin(), configured_.end());
}

Domains::Reading Domains::read_all(std::string_view name, bool logged_in, bool wants_user) {
  const LoginName parts = split_login(name);
  if (parts.domain.empty()) return {kBare, wants_user ? user_hash(name) : 0};
  const uint16_t domain = classify(parts.domain, logged_in);
  return {domain, wants_user ? user_hash(domain == kLocal ? parts.local : name) : 0};
}

uint16_t Domains::classify(std::string_view domain, bool logged_in) {
  if (domain.size() > kLongestDomain) return kForeign;
  if (!few_.empty()) {
    const auto same = [domain](const std::string& d) { return is_lowered(d, domain); };
    return std::any_of(few_.begin(), few_.end(), same) ? kLocal : kForeign;
  }
  char low[kLongestDomain];
  std::transform(domain.begin(), domain.end(), low, lower);
  const std::string_view key(low, domain.size());
  if (!learns()) return configured_.contains(key) ? kLocal : kForeign;
  auto at = table_.find(key);
  if (at == table_.end()) {
    // Names that attackers make up may fill the table, but not keep a domain out that has users.
    if (table_.size() >= (logged_in ? 2 * kMostDomains : kMostDomains)) return kUndecided;
    at = table_.emplace(key, static_cast<uint16_t>(let_in_.size())).first;
    let_in_.push_back(false);
  }
  if (logged_in) learned_ = let_in_[at->second] = true;
  return at->second;
}

void Domains::save(Encoder& out) const {
  std::vector<std::pair<std::string_view, uint16_t>> entries(table_.begin(), table_.end());
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  out.number(entries.size());
  for (const auto& [name, number] : entries) {
    out.text(name);
    out.number(let_in_[number]);
  }
}

bool Domains::restore(Decoder& in) {
  decltype(table_) table;
  std::vector<bool> let_in(kFirstDomain, false);
  bool learned = false;
  for (uint64_t n = in.number(2 * kMostDomains); n > 0 && in.good(); --n) {
    if (!table.emplace(in.text(), static_cast<uint16_t>(let_in.size())).second) in.fault();
    let_in.push_back(in.number(1) == 1);
    learned |= let_in.back();
  }
  if (!in.good()) return false;
  table_ = std::move(table);
  let_in_ = std::move(let_in);
  learned_ = learned;
  return true;
}

uint16_t Domains::number_of(std::string_view name) const {
  const std::string_view domain = split_login(name).domain;
  const auto at = domain.size() > kLongestDomain ? table_.end() : table_.find(lowered(domain));
  return at == table_.end() ? uint16_t{kNoName} : at->second;
}

uint32_t Domains::user_hash(std::string_view name) {
  uint64_t h = 0x9e3779b97f4a7c15ULL ^ name.size();
  for (const char c : name) h = (h ^ static_cast<unsigned char>(lower(c))) * 0x100000001b3ULL;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ULL;
  const auto hash = static_cast<uint32_t>(h >> 32);
  return hash == 0 ? 1 : hash;
}

}  // namespace mailward
