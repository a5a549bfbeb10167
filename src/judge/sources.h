// The addresses seen, with what is known of each: a dense table with an open-addressed index. An
// address keeps its number for the life of the table. Not for several threads at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/address.h"
#include "base/inline.h"
#include "judge/mark.h"

namespace mailward {

inline constexpr uint32_t kNobody = UINT32_MAX;

// Grows without moving what is there: no copy, and no room for twice as many.
template <class T>
class Blocks {
 public:
  size_t size() const { return size_; }
  void clear() { size_ = 0; }
  T& operator[](size_t i) { return blocks_[i >> kShift][i & kMask]; }
  const T& operator[](size_t i) const { return blocks_[i >> kShift][i & kMask]; }
  void push_back(const T& value) {
    if (size_ >> kShift == blocks_.size()) blocks_.push_back(std::make_unique<T[]>(kMask + 1));
    (*this)[size_++] = value;
  }

 private:
  static constexpr size_t kShift = 10;
  static constexpr size_t kMask = (size_t{1} << kShift) - 1;
  std::vector<std::unique_ptr<T[]>> blocks_;
  size_t size_ = 0;
};

// Dense numbers for keys, from 0 on in the order of their coming. Key is an Address or a record that
// has one as `address` and can be made of it.
template <class Record>
class AddressTable {
 public:
  AddressTable() : slots_(kFirstSlots) {}

  uint32_t number_of(Address a) { return number_of(a, hash_address(a)); }

  // `hash` is hash_address(a), for who has it already.
  MAILWARD_INLINE uint32_t number_of(Address a, uint64_t hash) {
    const auto tag = static_cast<uint32_t>(hash >> 32);
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    for (; slots_[at].number != 0; at = (at + 1) & mask)
      if (slots_[at].tag == tag && records_[slots_[at].number - 1].address == a) return slots_[at].number - 1;
    Record record;
    record.address = a;
    records_.push_back(record);
    slots_[at] = {static_cast<uint32_t>(records_.size()), tag};
    if (records_.size() * 4 > slots_.size() * 3) grow();
    return static_cast<uint32_t>(records_.size() - 1);
  }

  // Steps towards number_of some events ahead, with what each will touch fetched by the one before: the
  // slot; the number of the address that this is probably the hash of (kNobody: none); its record.
  // (Inlined always: GCC 12 takes a function that only prefetches for one without effect, and drops the call.)
  MAILWARD_INLINE void prefetch_slot(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
  MAILWARD_INLINE uint32_t likely(uint64_t hash) const {
    const auto tag = static_cast<uint32_t>(hash >> 32);
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at].number != 0 && slots_[at].tag != tag) at = (at + 1) & mask;
    return slots_[at].number - 1;
  }

  // kNobody: not there.
  uint32_t find(Address a) const {
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash_address(a) & mask; slots_[at].number != 0; at = (at + 1) & mask)
      if (records_[slots_[at].number - 1].address == a) return slots_[at].number - 1;
    return kNobody;
  }

  size_t size() const { return records_.size(); }
  void clear() {
    if (records_.size() == 0) return;
    records_.clear();
    slots_.assign(kFirstSlots, {});
  }
  Record& operator[](size_t number) { return records_[number]; }
  const Record& operator[](size_t number) const { return records_[number]; }

 private:
  static constexpr size_t kFirstSlots = 1024;
  struct Slot {
    uint32_t number = 0;  // plus one; 0: free
    uint32_t tag = 0;     // other bits of the hash: most others are passed over without a look at them
  };

  void grow() {
    slots_.assign(slots_.size() * 2, {});
    const size_t mask = slots_.size() - 1;
    for (uint32_t i = 0; i < records_.size(); ++i) {
      const uint64_t hash = hash_address(records_[i].address);
      size_t at = hash & mask;
      while (slots_[at].number != 0) at = (at + 1) & mask;
      slots_[at] = {i + 1, static_cast<uint32_t>(hash >> 32)};
    }
  }

  Blocks<Record> records_;
  std::vector<Slot> slots_;  // at most three quarters full: eight stand in a cache line
};

// One cache line.
struct alignas(64) Source {
  Address address;
  int64_t first = INT64_MAX;  // of events other than frames; later than `last`: there is none with a time
  int64_t last = kUntimed;
  uint32_t broken = 0;     // bit i: the i-th policy
  uint32_t sums : 31 = 0;  // the newest of its further sums, plus one; 0: none
  bool ignored : 1 = false;
  std::array<Sum, 2> first_sums;  // most have no other
};
static_assert(sizeof(Source) == 64);

using Sources = AddressTable<Source>;

// Addresses of one network share a number.
class Grouping {
 public:
  Grouping(int prefix4, int prefix6) : prefix4_(prefix4), prefix6_(prefix6) {}

  // Numbers the addresses that came since the last call.
  void extend(const Sources& sources) {
    for (size_t i = of_.size(); i < sources.size(); ++i) of_.push_back(group_of(sources[i].address));
  }
  uint32_t of(uint32_t source) const { return of_[source]; }
  size_t size() const { return size_; }
  void clear() {
    size_ = known_ = 0;
    networks_.clear();
    of_.clear();
  }
  int prefix4() const { return prefix4_; }
  int prefix6() const { return prefix6_; }

 private:
  struct Member {
    Address address;
    uint32_t group = 0;
  };

  uint32_t group_of(Address a) {
    if (a.is_v4() && prefix4_ == 32) return size_++;  // each address comes once
    const uint32_t number = networks_.number_of(network_of(a, prefix4_, prefix6_).address);
    if (number == known_) {
      networks_[number].group = size_++;
      ++known_;
    }
    return networks_[number].group;
  }

  int prefix4_, prefix6_;
  uint32_t size_ = 0;
  uint32_t known_ = 0;
  AddressTable<Member> networks_;
  std::vector<uint32_t> of_;
};

}  // namespace mailward
