#include "log/source.h"

#include <fcntl.h>
#include <fmt/format.h>
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
constexpr size_t kPeek = 64 << 10;
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

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() { return std::exchange(fd_, -1); }

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
  // Enough to know the codec by; a pipe may give it in pieces.
  source.input_.resize(kMagic);
  while (source.input_end_ < kMagic) {
    const ssize_t got =
        read_retrying(source.fd_.get(), source.input_.data() + source.input_end_, kMagic - source.input_end_);
    if (got < 0) return fail(reason(source.name_, errno));
    if (got == 0) break;
    source.input_end_ += static_cast<size_t>(got);
  }
  source.consumed_ = source.input_end_;
  source.compression_ = detect_compression({source.input_.data(), source.input_end_});
  source.seekable_ = source.rewindable_ && source.compression_ == Compression::kNone;
  source.rest();
  return source;
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
  const ssize_t got = read_retrying(fd_.get(), out.data(), out.size());
  if (got < 0) {
    trouble_ = reason(name_, errno);
    return fail(trouble_);
  }
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

std::string_view LogSource::peek(size_t most) {
  most = std::min(most, kPeek);
  if (peeked_.size() - peeked_at_ < most) {
    peeked_.erase(0, peeked_at_);
    peeked_at_ = 0;
    size_t have = peeked_.size();
    peeked_.resize(most);
    while (have < most) {
      const std::span<char> room(peeked_.data() + have, most - have);
      const Result<size_t> got = compression_ != Compression::kNone ? read_decoded(room) : read_raw(room);
      if (!got || *got == 0) break;
      have += *got;
      // What a pipe has given so far must do, if it is a line: the rest may come in an hour.
      if (!rewindable_ && std::memchr(peeked_.data(), '\n', have) != nullptr) break;
    }
    peeked_.resize(have);
  }
  return std::string_view(peeked_).substr(peeked_at_, most);
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
