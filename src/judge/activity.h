// When each address was active, in few buckets over a span of time that is unknown until the end: the
// span begins small and doubles when an event lies outside it, two buckets becoming one.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/inline.h"
#include "base/instant.h"
#include "judge/report.h"
#include "judge/sources.h"

namespace mailward {

class Activity {
 public:
  void add(uint32_t source, int64_t time, uint64_t weight);

  // Steps that fetch what add() will touch.
  MAILWARD_INLINE void prefetch_place(uint32_t source) const {
    if (source < row_.size()) __builtin_prefetch(&row_[source]);
  }
  MAILWARD_INLINE void prefetch_row(uint32_t source) const {
    if (source >= row_.size() || row_[source] == 0) return;
    const Row& row = rows_[row_[source] - 1];
    __builtin_prefetch(&row.front(), 1);
    __builtin_prefetch(&row[kFine / 2], 1);
  }

  // The address's events over [first, last] in kActivityBuckets parts.
  std::array<uint32_t, kActivityBuckets> of(uint32_t source, Instant first, Instant last) const;

 private:
  // As fine as what is shown, or twice as fine.
  static constexpr size_t kFine = 2 * kActivityBuckets;
  using Row = std::array<uint32_t, kFine>;

  void cover(int64_t time);
  void double_span(bool to_the_past);

  int64_t origin_ = 0;         // where the first bucket begins
  int64_t width_ = 0;          // of a bucket, in microseconds; 0: no event yet
  std::vector<uint32_t> row_;  // by address, plus one; 0: none
  Blocks<Row> rows_;
};

}  // namespace mailward
