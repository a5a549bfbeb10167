// The bar on standard error: only on a terminal, only when the work lasts over a second, and gone
// before the results come.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "view/screen.h"

namespace mailward {

class Progress {
 public:
  // A descriptor below 0: never drawn.
  Progress(int descriptor, Screen screen);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // So many bytes of `total` (0: unknown). Cheap when called often.
  void show(uint64_t bytes, uint64_t total);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  int descriptor_;
  Screen screen_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_ + std::chrono::seconds(1);
  bool drawn_ = false;
};

// One state of the bar, without its line's control characters; fits the screen.
std::string progress_line(uint64_t bytes, uint64_t total, double seconds, const Screen& screen);

}  // namespace mailward
