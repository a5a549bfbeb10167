#include "log/follow/reading.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "log/follow/text_hash.h"
#include "log/record.h"

namespace mailward {
namespace {

constexpr size_t kMagic = 32;

// As much as there is, up to `n`; an error counts as less.
size_t read_at(int fd, char* out, size_t n, uint64_t offset) {
  size_t have = 0;
  while (have < n) {
    const ssize_t got = ::pread(fd, out + have, n - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

std::string text_at(int fd, size_t n, uint64_t offset) {
  std::string text(n, '\0');
  text.resize(read_at(fd, text.data(), n, offset));
  return text;
}

uint64_t count_lines(std::string_view text) {
  uint64_t lines = 0;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1)) ++lines;
  return lines;
}

// Appends, and drops what is more than `n` from the end on; now and then.
void append_bounded(std::string& window, std::string_view text, size_t n) {
  if (text.size() >= n) {
    window.assign(text.substr(text.size() - n));
    return;
  }
  if (window.size() + text.size() > 2 * n) window.erase(0, window.size() + text.size() - n);
  window.append(text);
}

int64_t nanoseconds(const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

std::string_view last(std::string_view text, size_t n) { return text.size() > n ? text.substr(text.size() - n) : text; }

size_t edge_of(uint64_t offset) { return static_cast<size_t>(std::min<uint64_t>(offset, Place::kEdge)); }

}  // namespace

LineBlock::LineBlock() : data_(new char[kLongest + kBlock + kRecordPadding]) {}

// ---------------------------------------------------------------- places

Result<Reading> Reading::open(Descriptor file, std::string name, bool live) {
  struct stat s{};
  if (::fstat(file.get(), &s) != 0) return fail(fmt::format("{}: can't be read: {}", name, std::strerror(errno)));
  if (!S_ISREG(s.st_mode)) return fail(fmt::format("{} is no regular file; a log that is followed must be one", name));
  Reading reading(std::move(file), std::move(name), live);
  reading.device_ = static_cast<uint64_t>(s.st_dev);
  reading.inode_ = static_cast<uint64_t>(s.st_ino);
  reading.modified_ns_ = nanoseconds(s.st_mtim);
  if (live || detect_compression(text_at(reading.file_.get(), kMagic, 0)) == Compression::kNone) return reading;
  Descriptor second(::fcntl(reading.file_.get(), F_DUPFD_CLOEXEC, 0));
  if (second.get() < 0 || ::lseek(second.get(), 0, SEEK_SET) != 0) {
    return fail(fmt::format("{}: can't be read: {}", reading.name_, std::strerror(errno)));
  }
  Result<LogSource> packed = LogSource::adopt(std::move(second), reading.name_);
  if (!packed) return std::unexpected(packed.error());
  if (const auto known = packed->identify(); !known) return std::unexpected(known.error());
  reading.packed_ = std::make_unique<LogSource>(std::move(*packed));
  return reading;
}

void Reading::restart() {
  offset_ = lines_ = unfinished_ = skipped_ = 0;
  head_.clear();
  window_.clear();
  at_end_ = false;
  trouble_.clear();
  if (packed_) packed_->rest();
}

std::string Reading::first_bytes(size_t n) {
  restart();
  if (!packed_) return text_at(file_.get(), n, 0);
  std::string text(packed_->peek(n));
  packed_->rest();
  return text;
}

// The beginning and what comes before `offset` are read. False, and in the middle, where the text is shorter.
bool Reading::move_to(uint64_t offset, uint64_t lines) {
  restart();
  if (!packed_) {
    const uint64_t from = offset > Position::kTrail ? offset - Position::kTrail : 0;
    head_ = text_at(file_.get(), edge_of(offset), 0);
    window_ = text_at(file_.get(), static_cast<size_t>(offset - from), from);
    if (head_.size() < edge_of(offset) || window_.size() < offset - from) return false;
    offset_ = offset;
  } else {
    std::string room(Position::kTrail, '\0');
    while (offset_ < offset) {
      const size_t want = static_cast<size_t>(std::min<uint64_t>(room.size(), offset - offset_));
      const Result<size_t> got = packed_->read({room.data(), want});
      if (!got || *got == 0) return false;
      take({room.data(), *got}, 0);
    }
  }
  lines_ = lines;
  return true;
}

Reading::Found Reading::place(const Place& place, uint64_t key) {
  const size_t edge = edge_of(place.offset);
  const std::string first = first_bytes(edge);
  if (edge == 0 || first.size() < edge || text_hash(key, first) != place.head) return Found::kOther;
  if (move_to(place.offset, place.lines) && text_hash(key, tail()) == place.tail) return Found::kHere;
  restart();
  return Found::kCut;
}

bool Reading::place_by_trail(const Position& p) {
  if (p.trail.empty() || p.trail_bytes > p.at.offset) return false;
  const uint64_t begin = p.at.offset - p.trail_bytes;
  const bool known = begin < Place::kEdge || text_hash(p.key, first_bytes(Place::kEdge)) == p.at.head;
  std::string text;
  if (known && move_to(begin, 0)) {
    text.resize(static_cast<size_t>(p.trail_bytes));
    size_t have = 0;
    if (!packed_) have = read_at(file_.get(), text.data(), text.size(), begin);
    while (packed_ && have < text.size()) {
      const Result<size_t> got = packed_->read({text.data() + have, text.size() - have});
      if (!got || *got == 0) break;
      have += *got;
    }
    text.resize(have);
  }
  size_t common = 0, used = 0;
  for (const uint32_t hash : p.trail) {
    const size_t end = text.find('\n', used);
    if (end == std::string::npos) break;
    if (static_cast<uint32_t>(text_hash(p.key, std::string_view(text).substr(used, end - used))) != hash) break;
    used = end + 1;
    ++common;
  }
  restart();
  if (common == 0) return false;
  if (move_to(begin + used, p.at.lines - std::min<uint64_t>(p.at.lines, p.trail.size() - common))) return true;
  restart();
  return false;
}

void Reading::describe(Position& p) const {
  p.at = {.device = device_, .inode = inode_, .offset = offset_, .lines = lines_, .modified_ns = modified_ns_};
  p.at.head = text_hash(p.key, head_);
  p.at.tail = text_hash(p.key, tail());
  // Whole lines only: the window begins anywhere.
  std::string_view rest = window();
  if (rest.size() < offset_) rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
  p.trail.clear();
  p.trail_bytes = rest.size();
  uint64_t more = count_lines(rest);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    if (more-- > Position::kTrailLines) {
      p.trail_bytes -= end + 1;
    } else {
      p.trail.push_back(static_cast<uint32_t>(text_hash(p.key, rest.substr(0, end))));
    }
    rest.remove_prefix(end + 1);
  }
}

// ---------------------------------------------------------------- reading

std::string_view Reading::window() const { return last(window_, Position::kTrail); }
std::string_view Reading::tail() const { return last(window_, Place::kEdge); }

void Reading::take(std::string_view text, uint64_t lines) {
  if (head_.size() < Place::kEdge) head_.append(text.substr(0, Place::kEdge - head_.size()));
  append_bounded(window_, text, Position::kTrail);
  offset_ += text.size();
  lines_ += lines;
}

bool Reading::has_more() const {
  if (packed_) return !at_end_;
  struct stat s{};
  return ::fstat(file_.get(), &s) == 0 && static_cast<uint64_t>(s.st_size) > offset_;
}

bool Reading::has_more_than(uint64_t bytes) {
  struct stat s{};
  if (!packed_) return ::fstat(file_.get(), &s) == 0 && static_cast<uint64_t>(s.st_size) > offset_ + bytes;
  std::string room(Position::kTrail, '\0');
  for (uint64_t have = 0; have <= bytes;) {
    const Result<size_t> got = packed_->read(room);
    if (!got || *got == 0) return false;
    have += *got;
  }
  return true;
}

bool Reading::is_still_there() {
  struct stat s{};
  if (::fstat(file_.get(), &s) != 0 || static_cast<uint64_t>(s.st_size) < offset_ + skipped_) return false;
  const int64_t modified = nanoseconds(s.st_mtim);
  const std::string_view before = tail();
  std::array<char, Place::kEdge> now;
  if (read_at(file_.get(), now.data(), before.size(), offset_ - before.size()) < before.size() ||
      std::memcmp(now.data(), before.data(), before.size()) != 0) {
    return false;
  }
  modified_ns_ = modified;
  return true;
}

Reading::Got Reading::read(LineBlock& block, std::string_view& text) {
  return packed_ ? read_packed(block, text) : read_plain(block, text);
}

// Reads from the offset on, each time: what has no end yet is read again.
Reading::Got Reading::read_plain(LineBlock& block, std::string_view& text) {
  while (true) {
    const ssize_t got =
        ::pread(file_.get(), block.data_.get(), LineBlock::kBlock, static_cast<off_t>(offset_ + skipped_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      trouble_ = fmt::format("{}: can't be read: {}", name_, std::strerror(errno));
      return Got::kBroken;
    }
    if (!is_still_there()) return Got::kGone;
    std::string_view look(block.data_.get(), static_cast<size_t>(got));
    unfinished_ = skipped_ + look.size();
    if (look.empty()) return Got::kEnd;
    if (skipped_ > 0) {
      size_t taken = 0;
      if (skip(look, taken)) return Got::kOverlong;
      continue;
    }
    // Who goes on writing at its old offset into a file that was cut to nothing leaves a hole before it.
    if (lines_ == 0 && look[0] == '\0') {
      take(look.substr(0, std::min(look.find_first_not_of('\0'), look.size())), 0);
      continue;
    }
    const size_t end = look.rfind('\n');
    if (end == std::string_view::npos && look.size() < LineBlock::kLongest) return Got::kEnd;
    if (end == std::string_view::npos) {
      begin_skipping(look);
      continue;
    }
    text = look.substr(0, end + 1);
    unfinished_ = 0;
    take(text, count_lines(text));
    return Got::kLines;
  }
}

// Reads on behind what is kept of an unfinished line: a compressed file is read from its beginning to its end.
Reading::Got Reading::read_packed(LineBlock& block, std::string_view& text) {
  char* const data = block.data_.get();
  while (true) {
    if (block.begin_ > 0) std::memmove(data, data + block.begin_, block.end_ - block.begin_);
    block.end_ -= std::exchange(block.begin_, 0);
    std::string_view look(data, block.end_);
    size_t end = look.rfind('\n');  // lines that stood behind an overlong one
    if (end == std::string_view::npos) {
      if (block.end_ >= LineBlock::kLongest) begin_skipping({data, std::exchange(block.end_, 0)});
      const Result<size_t> got = packed_->read({data + block.end_, LineBlock::kBlock});
      unfinished_ = skipped_ + block.end_;
      at_end_ = !got || *got == 0;
      if (!got) trouble_ = got.error().message;
      if (at_end_) return got ? Got::kEnd : Got::kBroken;
      block.end_ += *got;
      look = {data, block.end_};
      end = look.rfind('\n');
    }
    if (skipped_ > 0) {
      if (skip(look, block.begin_)) return Got::kOverlong;
      continue;
    }
    if (end == std::string_view::npos) continue;
    text = look.substr(0, end + 1);
    block.begin_ = end + 1;
    take(text, count_lines(text));
    return Got::kLines;
  }
}

void Reading::begin_skipping(std::string_view look) {
  skip_head_ = look.substr(0, Place::kEdge);
  skip_window_.clear();
  append_bounded(skip_window_, look, Position::kTrail);
  skipped_ = look.size();
}

// More of an overlong line: true where it ends in `look`, and then it counts as read.
bool Reading::skip(std::string_view look, size_t& taken) {
  const size_t end = look.find('\n');
  taken = end == std::string_view::npos ? look.size() : end + 1;
  append_bounded(skip_window_, look.substr(0, taken), Position::kTrail);
  skipped_ += taken;
  if (end == std::string_view::npos) return false;
  if (head_.size() < Place::kEdge) head_.append(skip_head_, 0, Place::kEdge - head_.size());
  append_bounded(window_, skip_window_, Position::kTrail);
  offset_ += std::exchange(skipped_, 0);
  ++lines_;
  unfinished_ = 0;
  return true;
}

void Reading::to_end(LineBlock& block) {
  next_file(block);
  std::string_view text;
  while (true) {
    const Got got = read(block, text);
    if (got != Got::kLines && got != Got::kOverlong) break;
  }
  next_file(block);
}

}  // namespace mailward
