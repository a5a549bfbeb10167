// Lines that a container's logger wrote in pieces, put together. What stdout and stderr write may alternate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "log/took.h"

namespace mailward {

class Pieces {
 public:
  // `text` is the next piece of its channel (0 or 1), and becomes the whole line when it was the last one:
  // a view of itself, or of this object until the next call. kContinuation: there is no whole line yet, or
  // it is too long to be kept.
  Took add(size_t channel, bool last, std::string_view& text) {
    Channel& c = channels_[channel];
    if (c.given) c = {};
    if (last && c.text.empty() && !c.too_long) return Took::kRecord;
    if (c.text.size() + text.size() > kMaxLine) c.too_long = true;
    if (!c.too_long) c.text.append(text);
    if (!last) return Took::kContinuation;
    c.given = true;
    text = c.text;
    if (!c.too_long) return Took::kRecord;
    ++overlong_;
    return Took::kContinuation;
  }
  uint64_t overlong() const { return overlong_; }

 private:
  static constexpr size_t kMaxLine = 1 << 20;

  struct Channel {
    std::string text;
    bool too_long = false;
    bool given = false;  // the whole line was: clear before the next piece
  };
  Channel channels_[2];  // of stdout, stderr
  uint64_t overlong_ = 0;
};

}  // namespace mailward
