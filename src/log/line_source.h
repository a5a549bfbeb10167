// A source in pieces: lines, or so many bytes. Memory is bounded: a line longer than the limit is not
// given, only counted, up to its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/source.h"

namespace mailward {

class LineSource {
 public:
  static constexpr size_t kMaxLine = 1 << 20;

  explicit LineSource(LogSource& source, size_t max_line = kMaxLine) : source_(source), max_line_(max_line) {}

  // The next line without its line feed, also a last one that has none; false at the end. A byte order mark
  // before the first one is left out. The view
  // lives until the next call.
  Result<bool> line(std::string_view& out);
  // Exactly `n` bytes (appended to `keep` where it isn't null); false if the end comes before.
  Result<bool> bytes(uint64_t n, std::string* keep);

  uint64_t given() const { return given_; }        // bytes so far, line feeds included
  uint64_t overlong() const { return overlong_; }  // lines left out

 private:
  Result<bool> next_line(std::string_view& out);
  Result<bool> refill();

  LogSource& source_;
  size_t max_line_;
  std::string buffer_;
  size_t at_ = 0, end_ = 0;
  uint64_t given_ = 0, overlong_ = 0;
};

}  // namespace mailward
