// When each address was active, in few buckets over a span of time that is unknown until the end: the
// span begins small and doubles when an event lies outside it, two buckets becoming one.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/instant.h"
#include "judge/report.h"

namespace mailward {

class Activity {
 public:
  void add(uint32_t source, int64_t time, uint64_t weight);

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
  std::vector<Row> rows_;
};

}  // namespace mailward
