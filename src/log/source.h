// Inputs: bytes of one log file, whatever it is wrapped in.
//
// Everything is opened here, before the process locks itself in; afterwards only descriptors are
// read, identify() first. Plain regular files may be read anywhere (pread on fd()); all others from the beginning to
// the end by read(): standard input, FIFOs, and files compressed by gzip, xz, bzip2 or zstd, which
// are known by their first bytes, not by their name; several compressed members in a row are one.
//
// Memory: one input buffer (256 KiB) and what the decompressor needs; an archive that asks for more
// than kMaxWindow is refused. A file that grows or shrinks while it is read gives fewer or more
// bytes, never a crash: nothing is mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/instant.h"
#include "base/result.h"
#include "log/patience.h"

namespace mailward {

enum class Compression : uint8_t { kNone, kGzip, kXz, kBzip2, kZstd };
Compression detect_compression(std::string_view first_bytes);
std::string_view name_of(Compression c);

// xz -9 asks for 64 MiB, zstd --long for 128 MiB.
inline constexpr uint64_t kMaxWindow = uint64_t{128} << 20;

class Decompressor;  // codec.h

class LogSource {
 public:
  // "-" is standard input. Nothing is read yet. The error names the file, the reason, and what to do.
  static Result<LogSource> open(const std::string& name);
  // An open descriptor; `name` is for messages.
  static Result<LogSource> adopt(Descriptor fd, std::string name);
  LogSource(LogSource&&) noexcept;
  LogSource& operator=(LogSource&&) noexcept;
  ~LogSource();

  // Reads as much as tells the compression. To be called once, before all that follows but fd(), size(),
  // and what else the system knows of the file.
  Result<void> identify();

  const std::string& name() const { return name_; }
  Compression compression() const { return compression_; }
  // A plain regular file: may be read by pread on fd(), by several threads, and by read() too.
  bool seekable() const { return seekable_; }
  // Can be read a second time: a regular file, compressed or not.
  bool rewindable() const { return rewindable_; }
  int fd() const { return fd_.get(); }
  uint64_t size() const { return size_; }         // bytes in the file at opening; 0 where not known (pipes)
  Instant modified() const { return modified_; }  // kNoInstant where not known
  uint64_t device() const { return device_; }
  uint64_t inode() const { return inode_; }

  // The first bytes after decompression, at most `most` (and at most kMostPeeked): does not consume
  // them. Fewer: see Patience, or the end, and then `all` becomes true. Trouble counts as the end here, and
  // is told by read() later.
  static constexpr size_t kMostPeeked = 4 << 20;
  std::string_view peek(size_t most = 65536, Patience patience = Patience::kOneLine, bool* all = nullptr);
  // Decompressed bytes into `out`: how many; 0 at the end. An error (broken or cut archive, i/o) comes
  // after all that could be read was given, and comes again if asked again.
  Result<size_t> read(std::span<char> out);
  // Gives back what peek() took of memory, and begins again from the start; a pipe keeps what it has.
  void rest();
  // Bytes of the file itself that were read so far: for progress.
  uint64_t consumed() const { return consumed_; }

 private:
  LogSource();
  Result<size_t> read_raw(std::span<char> out);
  Result<size_t> read_decoded(std::span<char> out);
  bool refill();
  bool more_to_come(Patience patience) const;

  std::string name_;
  Descriptor fd_;
  Compression compression_ = Compression::kNone;
  bool seekable_ = false;
  bool rewindable_ = false;
  uint64_t size_ = 0, device_ = 0, inode_ = 0, consumed_ = 0;
  Instant modified_ = kNoInstant;
  std::string input_;  // raw bytes: [input_at_, input_end_)
  size_t input_at_ = 0, input_end_ = 0;
  std::string peeked_;  // decoded bytes given by peek(), not yet by read()
  size_t peeked_at_ = 0;
  std::string trouble_;  // sticky
  std::unique_ptr<Decompressor> decompressor_;
  bool at_end_ = false;           // of the raw bytes; asked again, a terminal would wait for more
  bool between_members_ = false;  // a member is complete, the next has not begun
  bool any_member_ = false;
};

}  // namespace mailward
