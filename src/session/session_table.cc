#include "session/session_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mailward {
namespace {

constexpr size_t kSmallest = 512;  // places
constexpr size_t kRoomy = 8192;    // up to here three quarters of the places stay empty

}  // namespace

uint64_t hash::text(std::string_view text, uint64_t h) {
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

uint32_t hash_host(std::string_view host) { return static_cast<uint32_t>(hash::text(host, 7)); }

SessionTable::SessionTable() { resize(kSmallest); }

void SessionTable::grow() {
  if (size_ >= most_) resize(places_.size() * 2);
  if (free_ == kNothing) {
    free_ = static_cast<uint32_t>(sessions_.size());
    sessions_.emplace_back();
  }
}

void SessionTable::erase(Session* s) {
  --size_;
  s->waiting = free_;
  free_ = static_cast<uint32_t>(s - sessions_.data());
  size_t hole = s->key & mask_;
  while (places_[hole].key != s->key) hole = (hole + 1) & mask_;
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
  std::fill(places_.begin(), places_.end(), Place{});
  sessions_.clear();
  free_ = kNothing;
  if (places_.size() > kRoomy) {
    resize(kSmallest);
    sessions_.shrink_to_fit();
  }
  size_ = 0;
}

// Drops nothing: what is in the table is put into the new places.
void SessionTable::resize(size_t places) {
  const std::vector<Place> old = std::exchange(places_, std::vector<Place>(places));
  mask_ = places - 1;
  most_ = places <= kRoomy ? places / 4 : places - places / 4;
  for (const Place& place : old) {
    if (!place.key) continue;
    size_t i = place.key & mask_;
    while (places_[i].key) i = (i + 1) & mask_;
    places_[i] = place;
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
