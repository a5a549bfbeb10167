// A Channel on a libuv loop: tells each message as it comes, sends what is put without waiting. One thread, the loop's.
#pragma once

#include <uv.h>

#include <functional>
#include <string>
#include <string_view>

#include "daemon/channel.h"
#include "daemon/protocol.h"

namespace mailward {

class Link {
 public:
  // `take`: false ends it, as a message that is none does. `gone`: the other side, once; the link is silent from then.
  using Take = std::function<bool(Say kind, Channel::Message& message)>;
  Link(uv_loop_t* loop, Channel channel, Take take, std::function<void()> gone);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void put(Say kind, std::string_view bytes = {}, std::span<const int> files = {});
  // Nothing is read while paused: the other side has to wait.
  void pause(bool paused);
  bool is_open() const { return poll_ != nullptr; }
  // Takes what was received or can be without waiting: for one that has gone.
  void drain() {
    if (poll_) ready(UV_READABLE);
  }
  bool flush_all() { return channel_.flush_all(); }
  // Why it ended; empty: the other side has gone.
  const std::string& trouble() const { return trouble_; }

 private:
  void poll();
  void ready(int events);
  void end(std::string trouble);

  Channel channel_;
  Take take_;
  std::function<void()> gone_;
  uv_poll_t* poll_ = nullptr;
  bool paused_ = false;
  int polled_ = 0;
  std::string trouble_;
};

}  // namespace mailward
