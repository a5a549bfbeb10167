// One file of a log that is followed, plain or compressed: read line by line from a place on, and asked whether it
// still is, or also is, the text that was read. Opens nothing: it is given a descriptor and uses only read, pread,
// lseek and fstat on it.
//
// A plain file may change while it is read. What was read is therefore believed only if the text before it stands
// there afterwards too: were the file cut to nothing and written anew before the reading, it would not.
//
// Owns its descriptor. One thread. Memory: the last 64 to 128 KiB of the text; a decompressor's where it is
// compressed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"
#include "log/follow/position.h"
#include "log/source.h"

namespace mailward {

// Room for whole lines, reused for each block.
class LineBlock {
 public:
  static constexpr size_t kBlock = 256 << 10;
  static constexpr size_t kLongest = 64 << 10;  // a longer line is passed over, and counted

  LineBlock();

 private:
  friend class Reading;
  std::unique_ptr<char[]> data_;
  size_t begin_ = 0, end_ = 0;  // of a compressed file: decompressed, and not given yet
};

class Reading {
 public:
  // `live`: the file that is written to, which is plain whatever its first bytes look like. An error where the
  // system can't say what it is; other files than regular ones are refused.
  static Result<Reading> open(Descriptor file, std::string name, bool live);

  enum class Found : uint8_t {
    kHere,   // the place is in this file; reading goes on from there
    kCut,    // it begins as the text did, and the place is not in it
    kOther,  // another text
  };
  // Where the answer is not kHere, reading begins at the beginning.
  Found place(const Place& place, uint64_t key);
  // Behind the last line that the trail of the position and this file have in common; false where there is none.
  bool place_by_trail(const Position& position);

  enum class Got : uint8_t {
    kLines,     // `text`: whole lines, each with its line feed; lives until the next call
    kOverlong,  // one line was passed over
    kEnd,       // nothing but, maybe, the beginning of a line: unfinished()
    kGone,      // the text that was read is not there any more, nor can what follows it be
    kBroken,    // trouble() says why; what comes before it was given
  };
  // 64 bytes behind the text may be read (kRecordPadding). A block belongs to one file until next_file().
  Got read(LineBlock& block, std::string_view& text);
  static void next_file(LineBlock& block) { block.begin_ = block.end_ = 0; }
  void to_end(LineBlock& block);

  const std::string& name() const { return name_; }
  const std::string& trouble() const { return trouble_; }
  uint64_t device() const { return device_; }
  uint64_t inode() const { return inode_; }
  bool live() const { return live_; }
  bool is_same_file(const Reading& other) const { return device_ == other.device_ && inode_ == other.inode_; }
  uint64_t offset() const { return offset_; }
  uint64_t lines() const { return lines_; }
  uint64_t unfinished() const { return unfinished_; }
  // The file's own time when it was last seen to hold what was read.
  int64_t modified_ns() const { return modified_ns_; }
  // Is there something behind what was read? Of a compressed file: was it not read to its end?
  bool has_more() const;
  // More than so many bytes? Of a compressed file these are read, and lost.
  bool has_more_than(uint64_t bytes);
  // The first bytes of the text, at most `n` (Place::kEdge); reading begins at the beginning again.
  std::string first_bytes(size_t n);

  // What was read so far; `at` and the trail of a position.
  void describe(Position& position) const;

 private:
  Reading(Descriptor file, std::string name, bool live) : file_(std::move(file)), name_(std::move(name)), live_(live) {}
  void restart();
  bool move_to(uint64_t offset, uint64_t lines);
  bool is_still_there();
  Got read_plain(LineBlock& block, std::string_view& text);
  Got read_packed(LineBlock& block, std::string_view& text);
  void begin_skipping(std::string_view look);
  bool skip(std::string_view look, size_t& taken);
  void take(std::string_view text, uint64_t lines);
  std::string_view window() const;
  std::string_view tail() const;

  Descriptor file_;
  std::unique_ptr<LogSource> packed_;  // owns a second descriptor of the same file
  std::string name_;
  bool live_;
  uint64_t device_ = 0, inode_ = 0;
  int64_t modified_ns_ = 0;
  uint64_t offset_ = 0, lines_ = 0;
  std::string head_;    // the first bytes before the offset
  std::string window_;  // the last ones
  uint64_t unfinished_ = 0;
  uint64_t skipped_ = 0;  // of an overlong line, which begins at the offset
  std::string skip_head_, skip_window_;
  bool at_end_ = false;  // of a compressed file
  std::string trouble_;
};

}  // namespace mailward
