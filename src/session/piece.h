// A piece of a plain file: the lines that begin in a range of its bytes. Pieces of one file can be
// read by several threads; together they are all its lines, each once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "session/line_reader.h"

namespace mailward {

// Bytes of a log in the order in which they come, cut into whole lines for a LineReader.
class LineBuffer {
 public:
  LineBuffer();
  // Where the next bytes go, and how many may come.
  char* room() { return data_.get() + kept_; }
  static constexpr size_t kBlock = 256 * 1024;
  // `n` bytes were put into room(): reads the whole lines among them.
  void filled(size_t n, LineReader& reader, HeaderReader& header, Batch& out);
  // No more bytes come: what is left is a line without its end.
  void end(LineReader& reader, HeaderReader& header, Batch& out);
  // The next bytes continue a line that began earlier: drop it, uncounted.
  void begin_inside_line() { dropping_ = true; }
  void clear() {
    kept_ = 0;
    dropping_ = false;
  }
  size_t kept() const { return kept_; }
  bool dropping() const { return dropping_; }

 private:
  std::unique_ptr<char[]> data_;
  size_t kept_ = 0;        // bytes of an unfinished line at the front
  bool dropping_ = false;  // the rest of this line is not wanted
};

// Reads the lines of `fd` that begin in [begin, end). An error where the file can't be read.
Result<void> read_piece(int fd, uint64_t begin, uint64_t end, LineBuffer& buffer, LineReader& reader,
                        HeaderReader& header, Batch& out);

}  // namespace mailward
