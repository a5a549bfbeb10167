#include "daemon/link.h"

#include <utility>

namespace mailward {

Link::Link(uv_loop_t* loop, Channel channel, Take take, std::function<void()> gone)
    : channel_(std::move(channel)), take_(std::move(take)), gone_(std::move(gone)), poll_(new uv_poll_t) {
  uv_poll_init(loop, poll_, channel_.fd());
  poll_->data = this;
  poll();
}

Link::~Link() { end({}); }

void Link::poll() {
  if (!poll_) return;
  const int wanted = (paused_ ? 0 : UV_READABLE) | (channel_.unsent() > 0 ? UV_WRITABLE : 0) | UV_DISCONNECT;
  if (wanted == polled_) return;
  polled_ = wanted;
  uv_poll_start(poll_, wanted, [](uv_poll_t* h, int status, int events) {
    static_cast<Link*>(h->data)->ready(status < 0 ? UV_READABLE : events);
  });
}

void Link::end(std::string trouble) {
  if (!poll_) return;
  trouble_ = std::move(trouble);
  uv_poll_stop(poll_);
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)),
           [](uv_handle_t* h) { delete reinterpret_cast<uv_poll_t*>(h); });
}

void Link::put(Say kind, std::string_view bytes, std::span<const int> files) {
  if (!poll_) return;
  channel_.put(static_cast<uint8_t>(kind), bytes, files);
  if (channel_.flush()) return poll();
  // That it has gone is seen when it is read from: what it said last is heard first.
}

void Link::pause(bool paused) {
  paused_ = paused;
  poll();
}

void Link::ready(int events) {
  if ((events & UV_WRITABLE) != 0) channel_.flush();
  if (paused_ && (events & UV_DISCONNECT) == 0) return poll();
  Channel::Message message;
  const Channel::Got got = channel_.receive();
  while (poll_ && channel_.next(message)) {
    if (take_(static_cast<Say>(message.kind), message)) continue;
    end("what another part of mailward sent can't be understood");
    return gone_();
  }
  if (!poll_) return;
  if (got == Channel::Got::kEnd || !channel_.trouble().empty()) {
    end(channel_.trouble());
    return gone_();
  }
  poll();
}

}  // namespace mailward
