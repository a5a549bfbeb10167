#include "judge/activity.h"

#include <algorithm>

#include "judge/mark.h"

namespace mailward {
namespace {

constexpr int64_t kSecond = 1'000'000;

uint32_t add_capped(uint32_t a, uint64_t b) { return static_cast<uint32_t>(std::min<uint64_t>(a + b, UINT32_MAX)); }

}  // namespace

void Activity::double_span(bool to_the_past) {
  if (to_the_past) origin_ -= width_ * static_cast<int64_t>(kFine);
  width_ *= 2;
  const size_t half = kFine / 2;
  for (size_t r = 0; r < rows_.size(); ++r) {
    Row& row = rows_[r];
    Row merged{};
    for (size_t i = 0; i < half; ++i) merged[i + (to_the_past ? half : 0)] = add_capped(row[2 * i], row[2 * i + 1]);
    row = merged;
  }
}

void Activity::cover(int64_t time) {
  if (width_ == 0) {
    width_ = kSecond;
    origin_ = time;
  }
  while (time < origin_) double_span(true);
  while (time >= origin_ + width_ * static_cast<int64_t>(kFine)) double_span(false);
}

void Activity::add(uint32_t source, int64_t time, uint64_t weight) {
  if (time == kUntimed) return;
  cover(time);
  if (row_.size() <= source) row_.resize(source + 1, 0);
  if (row_[source] == 0) {
    rows_.push_back({});
    row_[source] = static_cast<uint32_t>(rows_.size());
  }
  uint32_t& bucket = rows_[row_[source] - 1][static_cast<size_t>((time - origin_) / width_)];
  bucket = add_capped(bucket, weight);
}

std::array<uint32_t, kActivityBuckets> Activity::of(uint32_t source, Instant first, Instant last) const {
  std::array<uint32_t, kActivityBuckets> shown{};
  if (source >= row_.size() || row_[source] == 0) return shown;
  const Row& row = rows_[row_[source] - 1];
  const int64_t begin = has_time(first) ? first.time_since_epoch().count() : origin_;
  const int64_t end =
      has_time(last) ? last.time_since_epoch().count() : origin_ + width_ * static_cast<int64_t>(kFine) - 1;
  const double span = static_cast<double>(std::max<int64_t>(end - begin, 0)) + 1.0;
  for (size_t i = 0; i < kFine; ++i) {
    if (row[i] == 0) continue;
    const int64_t middle = origin_ + width_ * static_cast<int64_t>(i) + width_ / 2;
    const double place = static_cast<double>(middle - begin) / span * static_cast<double>(kActivityBuckets);
    const auto bucket = static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(kActivityBuckets - 1)));
    shown[bucket] = add_capped(shown[bucket], row[i]);
  }
  return shown;
}

}  // namespace mailward
