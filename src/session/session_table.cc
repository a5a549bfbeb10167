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

Session& SessionTable::add(uint64_t key) {
  const size_t places = keys_.size();
  if (size_ >= (places <= kRoomy ? places / 4 : places - places / 4)) resize(places * 2);
  size_t i = key & mask_;
  while (keys_[i]) i = (i + 1) & mask_;
  keys_[i] = key;
  sessions_[i] = Session{};
  sessions_[i].key = key;
  ++size_;
  return sessions_[i];
}

void SessionTable::erase(Session* s) {
  --size_;
  size_t hole = static_cast<size_t>(s - sessions_.data());
  for (size_t i = (hole + 1) & mask_; keys_[i]; i = (i + 1) & mask_) {
    const size_t home = keys_[i] & mask_;
    // An entry may fill the hole unless its home lies behind the hole (in the circle).
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    keys_[hole] = keys_[i];
    sessions_[hole] = sessions_[i];
    hole = i;
  }
  keys_[hole] = 0;
}

void SessionTable::clear() {
  std::fill(keys_.begin(), keys_.end(), 0);
  if (keys_.size() > kRoomy) resize(kSmallest);
  size_ = 0;
}

// Drops nothing: what is in the table is put into the new places.
void SessionTable::resize(size_t places) {
  const std::vector<uint64_t> old_keys = std::exchange(keys_, std::vector<uint64_t>(places));
  const std::vector<Session> old = std::exchange(sessions_, std::vector<Session>(places));
  mask_ = places - 1;
  for (size_t from = 0; from < old_keys.size(); ++from) {
    if (!old_keys[from]) continue;
    size_t i = old_keys[from] & mask_;
    while (keys_[i]) i = (i + 1) & mask_;
    keys_[i] = old_keys[from];
    sessions_[i] = old[from];
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
