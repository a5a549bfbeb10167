// Text that must outlive the block it was read from: copied into chunks that are freed together.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace mailward {

class Arena {
 public:
  std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    char* at = room(text.size());
    std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }

  // Forgets all texts; keeps the first chunk for the next ones.
  void clear() {
    if (chunks_.size() > 1) chunks_.resize(1);
    used_ = 0;
    large_.clear();
  }

 private:
  static constexpr size_t kChunk = 64 * 1024;

  char* room(size_t n) {
    if (n > kChunk / 4) {
      large_.push_back(std::make_unique<char[]>(n));
      return large_.back().get();
    }
    if (chunks_.empty() || used_ + n > kChunk) {
      chunks_.push_back(std::make_unique<char[]>(kChunk));
      used_ = 0;
    }
    used_ += n;
    return chunks_.back().get() + used_ - n;
  }

  std::vector<std::unique_ptr<char[]>> chunks_, large_;
  size_t used_ = 0;
};

}  // namespace mailward
