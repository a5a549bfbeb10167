// The memories that are at hand. What is being written is never changed: who asks for it gets a copy from then on.
// Used by the ledger's caller alone; the writer only looks at what it was handed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "ledger/pending.h"

namespace mailward {

class MemoryCache {
 public:
  // Of bytes, about; what isn't written yet stays whatever it comes to.
  explicit MemoryCache(size_t bound) : bound_(bound) { all_.reserve(bound / 256); }

  // For a change, which `pending` hears of. load(key, memory) reads it, and says whether it was there.
  template <class Load>
  Memory& get(const MemoryKey& key, Pending& pending, Load load) {
    Cached& cached = at_hand(key, load);
    if (cached.changed != now_) prepare(cached, key, pending);
    return *cached.memory;
  }
  template <class Load>
  const Memory& look(const MemoryKey& key, Load load) {
    return *at_hand(key, load).memory;
  }

  // Those at hand, for a look.
  template <class Take>
  void each(Take take) const {
    for (const auto& [key, cached] : all_) take(key, *cached.memory);
  }
  bool has(const MemoryKey& key) const { return all_.contains(key); }

  void freeze() { frozen_ = now_++; }     // what was changed so far is being written …
  void written() { written_ = frozen_; }  // … and now it is
  void make_room();                       // a little: for each event once

 private:
  struct Cached {
    std::unique_ptr<Memory> memory;
    uint64_t changed = 0;  // in which span between two freezes it was last; 0: never
    size_t weight = 0;
    bool fresh = false;  // not in the table, nor on its way there
    bool used = true;    // since it was last considered to be dropped

    Memory& first_value() { return *(memory = std::make_unique<Memory>()); }
  };
  struct Hash {
    size_t operator()(const MemoryKey& k) const {
      return hash_address({k.high, k.low}) + static_cast<size_t>(k.prefix) * 0x9e3779b97f4a7c15;
    }
  };

  template <class Load>
  Cached& at_hand(const MemoryKey& key, Load load) {
    const auto [at, first] = all_.try_emplace(key);
    Cached& cached = at->second;
    cached.used = true;
    if (!first) return cached;
    cached.memory = std::make_unique<Memory>();
    cached.fresh = !load(key, *cached.memory);
    turn_.push_back(&*at);
    return cached;
  }

  void prepare(Cached& cached, const MemoryKey& key, Pending& pending);

  size_t bound_, bytes_ = 0;
  uint64_t now_ = 1, frozen_ = 0, written_ = 0;
  std::unordered_map<MemoryKey, Cached, Hash> all_;
  std::deque<std::pair<const MemoryKey, Cached>*> turn_;  // in which order they are considered
};

}  // namespace mailward
