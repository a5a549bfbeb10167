// Messages between the daemon's processes, over a socket pair: a kind, bytes, and open descriptors. Whole messages
// in order; nothing is interpreted here. What comes is bounded: a length or number beyond the bounds ends the channel.
// One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace mailward {

class Channel {
 public:
  static constexpr size_t kLongest = size_t{64} << 20;  // bytes of one message: a reader's state
  static constexpr size_t kMostFiles = 200;             // of one message; the kernel allows 253 (SCM_MAX_FD)

  // Two ends that are each other's; closed on exec, not blocking.
  static Result<std::pair<Descriptor, Descriptor>> pair();

  Channel() = default;
  explicit Channel(Descriptor socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }

  // Appends a message to what is to be sent. The descriptors are duplicated.
  void put(uint8_t kind, std::string_view bytes, std::span<const int> files = {});
  // Sends what can be sent without waiting. False: the other side has gone.
  bool flush();
  // Sends all of it, waiting as long as that takes. False: the other side has gone.
  bool flush_all();
  size_t unsent() const { return out_.size() - sent_; }

  struct Message {
    uint8_t kind = 0;
    std::string_view bytes;  // until the next receive()
    std::vector<Descriptor> files;
  };
  enum class Got : uint8_t { kSome, kNothing, kEnd };
  // Reads what is there, without waiting. kEnd: the other side has gone, or sent what is no message.
  Got receive();
  // The next whole message of what was received.
  bool next(Message& message);
  // Why it ended; empty: the other side has gone.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Passed {  // descriptors that go with the byte at this place of out_
    size_t at;
    std::vector<Descriptor> files;
  };
  bool send_some(bool& blocked);

  Descriptor socket_;
  std::string out_;
  size_t sent_ = 0;
  std::deque<Passed> passed_;
  std::string in_;
  size_t taken_ = 0;
  std::deque<Descriptor> came_;
  std::string trouble_;
};

}  // namespace mailward
