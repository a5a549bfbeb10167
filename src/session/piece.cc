#include "session/piece.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mailward {

LineBuffer::LineBuffer() : data_(new char[kMaxLine + kBlock + kMessagePadding]) {}

void LineBuffer::filled(size_t n, LineReader& reader, HeaderReader& header, Batch& out) {
  const char* begin = data_.get();
  const char* end = begin + kept_ + n;
  if (dropping_) {
    const char* stop = static_cast<const char*>(std::memchr(begin, '\n', static_cast<size_t>(end - begin)));
    kept_ = 0;
    if (!stop) return;
    dropping_ = false;
    begin = stop + 1;
  }
  const char* rest = reader.lines(begin, end, header, out);
  kept_ = static_cast<size_t>(end - rest);
  if (kept_ > kMaxLine) {
    reader.overlong_line();
    dropping_ = true;
    kept_ = 0;
    return;
  }
  std::memmove(data_.get(), rest, kept_);
}

void LineBuffer::end(LineReader& reader, HeaderReader& header, Batch& out) {
  if (kept_ > 0 && !dropping_) reader.line(data_.get(), data_.get() + kept_, header, out);
  clear();
}

Result<void> read_piece(int fd, uint64_t begin, uint64_t end, LineBuffer& buffer, LineReader& reader,
                        HeaderReader& header, Batch& out) {
  buffer.clear();
  uint64_t at = begin;
  if (begin > 0) {
    // The line that holds the byte before this piece belongs to the piece before.
    --at;
    buffer.begin_inside_line();
  }
  for (;;) {
    // A line that begins behind the end is the next piece's; one that began before is ours to its end.
    const uint64_t line_begin = at - buffer.kept();
    if (at >= end && (buffer.dropping() || line_begin >= end)) return {};
    const bool last = at >= end;
    // Up to the end all lines are ours; behind it we look for the end of the last one.
    const size_t want = last ? size_t{4096} : static_cast<size_t>(std::min<uint64_t>(LineBuffer::kBlock, end - at));
    const ssize_t n = pread(fd, buffer.room(), want, static_cast<off_t>(at));
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail(fmt::format("reading stopped: {}", std::strerror(errno)));
    }
    if (n == 0) {
      buffer.end(reader, header, out);
      return {};
    }
    size_t take = static_cast<size_t>(n);
    bool finished = false;
    if (last) {
      if (const void* stop = std::memchr(buffer.room(), '\n', take)) {
        take = static_cast<size_t>(static_cast<const char*>(stop) - buffer.room()) + 1;
        finished = true;
      }
    }
    buffer.filled(take, reader, header, out);
    at += take;
    if (finished) return {};
  }
}

}  // namespace mailward
