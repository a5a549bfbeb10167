#include "daemon/channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace mailward {
namespace {

constexpr size_t kHead = 8;  // length (4), kind, number of descriptors, two bytes that are always the same
constexpr uint16_t kMark = 0x4d57;
constexpr size_t kBlock = size_t{256} << 10;

std::string head_of(uint8_t kind, size_t length, size_t files) {
  std::string head(kHead, '\0');
  const auto size = static_cast<uint32_t>(length);
  const auto number = static_cast<uint8_t>(files);
  std::memcpy(head.data(), &size, 4);
  std::memcpy(head.data() + 4, &kind, 1);
  std::memcpy(head.data() + 5, &number, 1);
  std::memcpy(head.data() + 6, &kMark, 2);
  return head;
}

}  // namespace

Result<std::pair<Descriptor, Descriptor>> Channel::pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail(fmt::format("no channel between processes: {}", std::strerror(errno)));
  // A batch of events should go in one piece, so that its writer seldom waits.
  for (const int end : ends) {
    const int size = 1 << 20;
    (void)::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

void Channel::put(uint8_t kind, std::string_view bytes, std::span<const int> files) {
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  }
  std::vector<Descriptor> copies;
  for (const int fd : files.first(std::min(files.size(), kMostFiles)))
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const std::string head = head_of(kind, bytes.size(), copies.size());
  if (!copies.empty()) passed_.push_back({out_.size(), std::move(copies)});
  out_ += head;
  out_ += bytes;
}

// One call of sendmsg: descriptors go with the first byte of their message, and nothing before it in that call.
bool Channel::send_some(bool& blocked) {
  const bool with_files = !passed_.empty() && passed_.front().at == sent_;
  const size_t next = passed_.empty() ? out_.size() : with_files ? out_.size() : passed_.front().at;
  size_t end = next;
  if (with_files && passed_.size() > 1) end = passed_[1].at;
  iovec part{out_.data() + sent_, end - sent_};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostFiles)];
  if (with_files) {
    const auto& files = passed_.front().files;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * files.size());
    std::memset(control, 0, message.msg_controllen);
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * files.size());
    for (size_t i = 0; i < files.size(); ++i) {
      const int fd = files[i].get();
      std::memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  const ssize_t n = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  blocked = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (n < 0) return blocked || errno == EINTR;
  if (with_files && n > 0) passed_.pop_front();
  sent_ += static_cast<size_t>(n);
  return true;
}

bool Channel::flush() {
  bool blocked = false;
  while (sent_ < out_.size() && !blocked)
    if (!send_some(blocked)) return false;
  if (sent_ == out_.size()) {
    if (out_.capacity() > 4 * kBlock) std::string().swap(out_);
    out_.clear();
    sent_ = 0;
  }
  return true;
}

bool Channel::flush_all() {
  while (true) {
    if (!flush()) return false;
    if (unsent() == 0) return true;
    pollfd wait{socket_.get(), POLLOUT, 0};
    if (::poll(&wait, 1, -1) < 0 && errno != EINTR) return false;
  }
}

Channel::Got Channel::receive() {
  if (!trouble_.empty()) return Got::kEnd;
  if (taken_ > 0) {
    in_.erase(0, taken_);
    taken_ = 0;
    if (in_.empty() && in_.capacity() > 8 * kBlock) std::string().swap(in_);
  }
  bool any = false;
  for (int i = 0; i < 4; ++i) {  // others want their turn too
    const size_t had = in_.size();
    in_.resize(had + kBlock);
    iovec part{in_.data() + had, kBlock};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 253)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    in_.resize(had + (n > 0 ? static_cast<size_t>(n) : 0));
    for (cmsghdr* c = n >= 0 ? CMSG_FIRSTHDR(&message) : nullptr; c; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
        came_.emplace_back(fd);
      }
    }
    if (n == 0) return any ? Got::kSome : Got::kEnd;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return errno != EAGAIN && errno != EWOULDBLOCK ? (any ? Got::kSome : Got::kEnd)
             : any                                   ? Got::kSome
                                                     : Got::kNothing;
    any = true;
    if (static_cast<size_t>(n) < kBlock) break;
  }
  return Got::kSome;
}

bool Channel::next(Message& message) {
  const std::string_view rest = std::string_view(in_).substr(taken_);
  if (rest.size() < kHead || !trouble_.empty()) return false;
  uint32_t length = 0;
  uint8_t files = 0;
  uint16_t mark = 0;
  std::memcpy(&length, rest.data(), 4);
  std::memcpy(&message.kind, rest.data() + 4, 1);
  std::memcpy(&files, rest.data() + 5, 1);
  std::memcpy(&mark, rest.data() + 6, 2);
  if (mark != kMark || length > kLongest || files > kMostFiles) {
    trouble_ = "what another part of mailward sent is no message";
    return false;
  }
  if (rest.size() - kHead < length) return false;
  if (came_.size() < files) {
    trouble_ = "descriptors are missing that another part of mailward sent";
    return false;
  }
  message.bytes = rest.substr(kHead, length);
  message.files.clear();
  for (; files > 0; --files) {
    message.files.push_back(std::move(came_.front()));
    came_.pop_front();
  }
  taken_ += kHead + length;
  return true;
}

}  // namespace mailward
