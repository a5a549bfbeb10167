#include "log/source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "log/codec.h"

namespace mailward {
namespace {

constexpr size_t kInput = 256 << 10;
constexpr size_t kFirstPeek = 64 << 10;
constexpr int kQuietMs = 1000;
constexpr size_t kMagic = 32;

std::string reason(const std::string& name, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return fmt::format("{}: there is no such file; check the name", name);
    case EACCES:
    case EPERM:
      return fmt::format("{}: no permission to read it; run as root or as a member of the group that may", name);
    case EISDIR:
      return fmt::format("{} is a directory; name the files in it", name);
    case EMFILE:
    case ENFILE:
      return fmt::format("{}: too many open files; name fewer, or raise the limit (ulimit -n)", name);
    default:
      return fmt::format("{}: can't be read: {}", name, std::strerror(error));
  }
}

// Empty where a log may be read from it.
std::string refusal(const std::string& name, const struct stat& s) {
  if (S_ISDIR(s.st_mode)) return reason(name, EISDIR);
  if (S_ISSOCK(s.st_mode)) return fmt::format("{} is a socket, not a log; name the file that the logger writes", name);
  if (S_ISBLK(s.st_mode)) return fmt::format("{} is a disk, not a log; name a file", name);
  return {};
}

// Terminals and /dev/null end some time; other devices (/dev/zero, /dev/mem) need not.
bool endless_device(int fd, const struct stat& s) {
  if (!S_ISCHR(s.st_mode) || isatty(fd) == 1) return false;
  struct stat null{};
  return stat("/dev/null", &null) != 0 || null.st_rdev != s.st_rdev;
}

ssize_t read_retrying(int fd, char* out, size_t n) {
  while (true) {
    const ssize_t got = ::read(fd, out, n);
    if (got >= 0 || errno != EINTR) return got;
  }
}

}  // namespace

Compression detect_compression(std::string_view b) {
  if (b.starts_with("\x1f\x8b")) return Compression::kGzip;
  if (b.starts_with(std::string_view("\xfd"
                                     "7zXZ\0",
                                     6))) {
    return Compression::kXz;
  }
  if (b.starts_with("BZh") && b.size() >= 10 && b[3] >= '1' && b[3] <= '9') {
    // A block's or the end's mark: a plain log might begin with "BZh".
    const std::string_view mark = b.substr(4, 6);
    if (mark == "\x31\x41\x59\x26\x53\x59" || mark == "\x17\x72\x45\x38\x50\x90") return Compression::kBzip2;
  }
  if (b.starts_with("\x28\xb5\x2f\xfd")) return Compression::kZstd;
  // A skippable frame: 0x184D2A50 to …5F, little-endian.
  if (b.size() >= 4 && (static_cast<uint8_t>(b[0]) & 0xf0) == 0x50 && b.substr(1, 3) == "\x2a\x4d\x18")
    return Compression::kZstd;
  return Compression::kNone;
}

std::string_view name_of(Compression c) {
  constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "xz", "bzip2", "zstd"};
  return kNames[static_cast<size_t>(c)];
}

LogSource::LogSource() = default;
LogSource::LogSource(LogSource&&) noexcept = default;
LogSource& LogSource::operator=(LogSource&&) noexcept = default;
LogSource::~LogSource() = default;

Result<LogSource> LogSource::open(const std::string& name) {
  if (name == "-") {
    const int fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) return fail("standard input is closed; name a file, or pipe a log in");
    return adopt(Descriptor(fd), "-");
  }
  // Looked at before it is opened: opening alone does things to some devices, and a FIFO waits.
  struct stat before{};
  if (::stat(name.c_str(), &before) != 0) return fail(reason(name, errno));
  if (std::string why = refusal(name, before); !why.empty()) return fail(std::move(why));
  Descriptor fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (fd.get() < 0) return fail(reason(name, errno));
  return adopt(std::move(fd), name);
}

Result<LogSource> LogSource::adopt(Descriptor fd, std::string name) {
  struct stat s{};
  if (::fstat(fd.get(), &s) != 0) return fail(reason(name, errno));
  if (std::string why = refusal(name, s); !why.empty()) return fail(std::move(why));
  if (endless_device(fd.get(), s)) return fail(fmt::format("{} is a device, not a log; name a file", name));
  LogSource source;
  source.name_ = std::move(name);
  source.fd_ = std::move(fd);
  source.device_ = static_cast<uint64_t>(s.st_dev);
  source.inode_ = static_cast<uint64_t>(s.st_ino);
  const bool regular = S_ISREG(s.st_mode);
  if (regular) {
    source.size_ = static_cast<uint64_t>(s.st_size);
    source.modified_ = Instant{std::chrono::seconds{s.st_mtime}};
  }
  // Standard input may begin in the middle of a file; files of /proc have no size.
  source.rewindable_ = regular && source.size_ > 0 && ::lseek(source.fd_.get(), 0, SEEK_CUR) == 0;
  source.seekable_ = source.rewindable_;
  return source;
}

Result<void> LogSource::identify() {
  // Enough to know the codec by; a pipe may give it in pieces.
  input_.resize(kMagic);
  while (input_end_ < kMagic) {
    const ssize_t got = read_retrying(fd_.get(), input_.data() + input_end_, kMagic - input_end_);
    if (got < 0) return fail(reason(name_, errno));
    if (got == 0) {
      at_end_ = true;
      break;
    }
    input_end_ += static_cast<size_t>(got);
  }
  consumed_ = input_end_;
  compression_ = detect_compression({input_.data(), input_end_});
  seekable_ = rewindable_ && compression_ == Compression::kNone;
  rest();
  return {};
}

void LogSource::rest() {
  if (!rewindable_ || ::lseek(fd_.get(), 0, SEEK_SET) != 0) return;
  input_ = {};
  peeked_ = {};
  decompressor_.reset();
  input_at_ = input_end_ = peeked_at_ = 0;
  consumed_ = 0;
  trouble_.clear();
  at_end_ = between_members_ = any_member_ = false;
}

Result<size_t> LogSource::read_raw(std::span<char> out) {
  if (input_at_ < input_end_) {
    const size_t n = std::min(out.size(), input_end_ - input_at_);
    std::memcpy(out.data(), input_.data() + input_at_, n);
    input_at_ += n;
    return n;
  }
  if (!trouble_.empty()) return fail(trouble_);
  if (at_end_ && !rewindable_) return 0;
  const ssize_t got = read_retrying(fd_.get(), out.data(), out.size());
  if (got < 0) {
    trouble_ = reason(name_, errno);
    return fail(trouble_);
  }
  at_end_ = got == 0;
  consumed_ += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

// Fills `input_`; false at the end of the file.
bool LogSource::refill() {
  if (input_.size() < kInput) input_.resize(kInput);
  const ssize_t got = read_retrying(fd_.get(), input_.data(), input_.size());
  input_at_ = 0;
  input_end_ = got > 0 ? static_cast<size_t>(got) : 0;
  consumed_ += input_end_;
  if (got < 0) trouble_ = reason(name_, errno);
  return got > 0;
}

Result<size_t> LogSource::read_decoded(std::span<char> out) {
  if (!decompressor_) decompressor_ = make_decompressor(compression_);
  while (true) {
    if (!trouble_.empty()) return fail(trouble_);
    if (input_at_ == input_end_ && !at_end_) at_end_ = !refill();
    if (!trouble_.empty()) return fail(trouble_);
    if (between_members_) {
      // Some archives are padded with zeros to a block of a tape.
      while (input_at_ < input_end_ && input_[input_at_] == '\0') ++input_at_;
      if (input_at_ == input_end_ && at_end_) return 0;
      if (input_at_ == input_end_) continue;
    }
    const Decompressor::Step s = decompressor_->step({input_.data() + input_at_, input_end_ - input_at_}, out);
    input_at_ += s.taken;
    switch (s.state) {
      case Decompressor::State::kMemberEnd:
        between_members_ = true;
        any_member_ = true;
        break;
      case Decompressor::State::kBroken:
        trouble_ =
            any_member_ && between_members_
                ? fmt::format("{}: something that is not compressed follows its compressed part; that was left out",
                              name_)
                : fmt::format("{} {}; what came before was read", name_, decompressor_->explain());
        break;
      case Decompressor::State::kRunning:
        if (s.taken > 0 || s.given > 0) between_members_ = false;
        if (s.given == 0 && s.taken == 0 && (at_end_ || input_at_ < input_end_)) {
          trouble_ = fmt::format("{} is cut short in the middle of its compression; what came before was read", name_);
        }
        break;
    }
    if (s.given > 0) return s.given;
  }
}

// Is it worth asking for more than has been peeked at?
bool LogSource::more_to_come(Patience patience) const {
  if (rewindable_ || patience == Patience::kToTheEnd) return true;
  const bool has_line = std::memchr(peeked_.data(), '\n', peeked_.size()) != nullptr;
  if (!has_line || input_at_ < input_end_) return true;  // waiting is all that can be done; nothing is waited for
  if (patience == Patience::kOneLine) return false;      // the rest may come in an hour
  pollfd wait{fd_.get(), POLLIN, 0};
  return ::poll(&wait, 1, kQuietMs) > 0;
}

std::string_view LogSource::peek(size_t most, Patience patience, bool* all) {
  most = std::min(most, kMostPeeked);
  bool ended = false;
  if (peeked_at_ > 0) peeked_.erase(0, std::exchange(peeked_at_, 0));
  size_t have = peeked_.size();
  while (have < most && more_to_come(patience)) {
    peeked_.resize(std::min(most, std::max(kFirstPeek, have * 2)));
    const std::span<char> room(peeked_.data() + have, peeked_.size() - have);
    const Result<size_t> got = compression_ != Compression::kNone ? read_decoded(room) : read_raw(room);
    ended = !got || *got == 0;
    have += ended ? 0 : *got;
    peeked_.resize(have);
    if (ended) break;
  }
  if (all != nullptr) *all = ended;
  return std::string_view(peeked_).substr(0, most);
}

Result<size_t> LogSource::read(std::span<char> out) {
  if (peeked_at_ < peeked_.size()) {
    const size_t n = std::min(out.size(), peeked_.size() - peeked_at_);
    std::memcpy(out.data(), peeked_.data() + peeked_at_, n);
    peeked_at_ += n;
    if (peeked_at_ == peeked_.size()) {
      peeked_ = {};
      peeked_at_ = 0;
    }
    return n;
  }
  return compression_ != Compression::kNone ? read_decoded(out) : read_raw(out);
}

}  // namespace mailward
