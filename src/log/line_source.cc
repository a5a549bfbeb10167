#include "log/line_source.h"

#include <algorithm>
#include <cstring>

#include "log/byte_order_mark.h"

namespace mailward {
namespace {

constexpr size_t kBlock = 128 << 10;

}  // namespace

// Reads behind what is still there; false at the end.
Result<bool> LineSource::refill() {
  if (at_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
  }
  if (buffer_.size() - end_ < kBlock / 2) buffer_.resize(std::max(buffer_.size() * 2, kBlock));
  const Result<size_t> got = source_.read({buffer_.data() + end_, buffer_.size() - end_});
  if (!got) return std::unexpected(got.error());
  end_ += *got;
  return *got > 0;
}

Result<bool> LineSource::line(std::string_view& out) {
  const bool first = given_ == 0;
  const Result<bool> more = next_line(out);
  if (first && more && *more) take_byte_order_mark(out);
  return more;
}

Result<bool> LineSource::next_line(std::string_view& out) {
  bool skipping = false;
  size_t looked = 0;
  while (true) {
    const char* begin = buffer_.data() + at_;
    const size_t have = end_ - at_;
    const void* found = looked < have ? std::memchr(begin + looked, '\n', have - looked) : nullptr;
    const size_t length = found != nullptr ? static_cast<size_t>(static_cast<const char*>(found) - begin) : have;
    if (found != nullptr || skipping || length > max_line_) {
      at_ += length + (found != nullptr ? 1 : 0);
      given_ += length + (found != nullptr ? 1 : 0);
      if (found != nullptr && !skipping && length <= max_line_) {
        out = {begin, length};
        return true;
      }
      if (!skipping) ++overlong_;
      skipping = found == nullptr;
      looked = 0;
    } else {
      looked = have;
    }
    if (found != nullptr) continue;
    const Result<bool> more = refill();
    if (more && *more) continue;
    // The last line may have no end; trouble is told after it.
    const size_t rest = end_ - at_;
    if (rest == 0 || skipping) return more;
    out = {buffer_.data() + at_, rest};
    at_ = end_;
    given_ += rest;
    return true;
  }
}

Result<bool> LineSource::bytes(uint64_t n, std::string* keep) {
  while (n > 0) {
    const size_t part = static_cast<size_t>(std::min<uint64_t>(n, end_ - at_));
    if (keep != nullptr) keep->append(buffer_, at_, part);
    at_ += part;
    given_ += part;
    n -= part;
    if (n == 0) break;
    const Result<bool> more = refill();
    if (!more || !*more) return more;
  }
  return true;
}

}  // namespace mailward
