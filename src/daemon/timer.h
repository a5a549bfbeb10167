// libuv's timers and signals with an owner: what libuv holds is given back in the next rounds of the loop.
#pragma once

#include <uv.h>

#include <functional>
#include <initializer_list>
#include <utility>
#include <vector>

namespace mailward {

class Timer {
 public:
  Timer(uv_loop_t* loop, std::function<void()> ring) : timer_(new uv_timer_t), ring_(std::move(ring)) {
    uv_timer_init(loop, timer_);
    timer_->data = this;
  }
  ~Timer() {
    uv_close(reinterpret_cast<uv_handle_t*>(timer_), [](uv_handle_t* h) { delete reinterpret_cast<uv_timer_t*>(h); });
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void set(uint64_t ms, uint64_t repeat = 0) {
    uv_timer_start(timer_, [](uv_timer_t* t) { static_cast<Timer*>(t->data)->ring_(); }, ms, repeat);
  }
  void stop() { uv_timer_stop(timer_); }

 private:
  uv_timer_t* timer_;
  std::function<void()> ring_;
};

class Signals {
 public:
  Signals(uv_loop_t* loop, std::initializer_list<int> numbers, std::function<void(int)> take) : take_(std::move(take)) {
    for (const int number : numbers) {
      auto* handle = new uv_signal_t;
      uv_signal_init(loop, handle);
      handle->data = this;
      uv_signal_start(handle, [](uv_signal_t* s, int n) { static_cast<Signals*>(s->data)->take_(n); }, number);
      handles_.push_back(handle);
    }
  }
  ~Signals() {
    for (uv_signal_t* handle : handles_)
      uv_close(reinterpret_cast<uv_handle_t*>(handle),
               [](uv_handle_t* h) { delete reinterpret_cast<uv_signal_t*>(h); });
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  std::function<void(int)> take_;
  std::vector<uv_signal_t*> handles_;
};

}  // namespace mailward
