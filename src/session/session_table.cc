#include "session/session_table.h"

#include <algorithm>
#include <cstring>

namespace mailward {
namespace {

constexpr uint64_t kPrime = 0x9e3779b97f4a7c15ULL;

uint64_t mix(uint64_t h) {
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93ULL;
  return h ^ (h >> 29);
}

uint64_t hash_text(std::string_view text, uint64_t h) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t v;
    std::memcpy(&v, text.data() + i, 8);
    h = mix((h ^ v) * kPrime);
  }
  uint64_t tail = text.size();
  for (; i < text.size(); ++i) tail = tail << 8 | static_cast<uint8_t>(text[i]);
  return mix((h ^ tail) * kPrime);
}

}  // namespace

uint32_t hash_host(std::string_view host) { return static_cast<uint32_t>(hash_text(host, 7)); }

uint64_t session_key(uint32_t group, KeyKind kind, uint32_t host, uint32_t pid, std::string_view text) {
  const uint64_t seed = ((uint64_t{group} << 40 ^ uint64_t{static_cast<uint8_t>(kind)} << 32 ^ pid) + host) * kPrime;
  if (text.size() == 16) {  // OpenSMTPD's ids
    uint64_t a, b;
    std::memcpy(&a, text.data(), 8);
    std::memcpy(&b, text.data() + 8, 8);
    const uint64_t h = mix((a ^ seed) * kPrime ^ (b + seed) * 0xd6e8feb86659fd93ULL);
    return h ? h : 1;
  }
  const uint64_t h = hash_text(text, seed);
  return h ? h : 1;
}

SessionTable::SessionTable() : places_(256), mask_(255) {}

Session& SessionTable::add(uint64_t key) {
  if ((size_ + 1) * 4 > places_.size() * 3) grow();
  size_t i = key & mask_;
  while (places_[i].key) i = (i + 1) & mask_;
  places_[i] = Session{};
  places_[i].key = key;
  ++size_;
  return places_[i];
}

void SessionTable::erase(Session* s) {
  --size_;
  size_t hole = static_cast<size_t>(s - places_.data());
  for (size_t i = (hole + 1) & mask_; places_[i].key; i = (i + 1) & mask_) {
    const size_t home = places_[i].key & mask_;
    // An entry may fill the hole unless its home lies behind the hole (in the circle).
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    places_[hole] = places_[i];
    hole = i;
  }
  places_[hole].key = 0;
}

void SessionTable::clear() {
  if (places_.size() > 4096) places_.assign(256, Session{});
  else std::fill(places_.begin(), places_.end(), Session{});
  mask_ = places_.size() - 1;
  size_ = 0;
}

void SessionTable::grow() {
  std::vector<Session> old = std::move(places_);
  places_.assign(old.size() * 2, Session{});
  mask_ = places_.size() - 1;
  for (const Session& s : old) {
    if (!s.key) continue;
    size_t i = s.key & mask_;
    while (places_[i].key) i = (i + 1) & mask_;
    places_[i] = s;
  }
}

std::vector<uint64_t> SessionTable::older_half() {
  std::vector<std::pair<Instant, uint64_t>> all;
  all.reserve(size_);
  each([&](const Session& s) { all.emplace_back(s.last, s.key); });
  std::sort(all.begin(), all.end());
  std::vector<uint64_t> keys;
  for (size_t i = 0; i < all.size() / 2; ++i) keys.push_back(all[i].second);
  return keys;
}

}  // namespace mailward
