#include "ledger/memory_cache.h"

namespace mailward {
namespace {

size_t weight_of(const Memory& m) {
  return 256 + m.marks.capacity() * sizeof(Mark) + m.sources.capacity() * sizeof(Memory::Known) +
         m.breaches.capacity() * sizeof(KnownBreach) + m.bans.capacity() * sizeof(LiveBan);
}

}  // namespace

void MemoryCache::prepare(Cached& cached, const MemoryKey& key, Pending& pending) {
  if (cached.changed > written_ && cached.changed <= frozen_) {
    auto copy = std::make_unique<Memory>(*cached.memory);
    pending.replaced.push_back(std::exchange(cached.memory, std::move(copy)));
  }
  bytes_ -= cached.weight;
  cached.weight = weight_of(*cached.memory);
  bytes_ += cached.weight;
  cached.changed = now_;
  pending.memories.push_back({key, cached.memory.get(), std::exchange(cached.fresh, false)});
}

void MemoryCache::make_room() {
  constexpr int kSteps = 4;
  for (int i = 0; i < kSteps && bytes_ > bound_ && !turn_.empty(); ++i) {
    auto* const entry = turn_.front();
    turn_.pop_front();
    Cached& cached = entry->second;
    if (cached.changed > written_ || cached.used) {
      cached.used = false;
      turn_.push_back(entry);
      continue;
    }
    bytes_ -= cached.weight;
    all_.erase(MemoryKey(entry->first));
  }
}

}  // namespace mailward
