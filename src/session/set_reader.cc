#include "session/set_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

namespace mailward {
namespace {

// Large enough that what a piece costs in itself does not show, small enough that the events of
// some pieces in flight stay small.
constexpr uint64_t kPiece = 2 << 20;
constexpr size_t kRecordsAtOnce = 4096;

TrackerOptions tracker_options(const ReadOptions& o) { return {o.wanted, o.keep_facts, o.keep_raw, o.since, o.until}; }

}  // namespace

// A piece that is read before its turn, with an empty table of sessions and a guess of the time.
struct SetReader::Job {
  Job(const Grammar& grammar, const ReadOptions& options)
      : tracker(tracker_options(options), Tracker::Mode::kAhead), reader(grammar, tracker, options) {}
  uint64_t begin = 0, end = 0;
  Instant guess = kNoInstant;
  std::optional<HeaderReader> header;
  Tracker tracker;
  LineReader reader;
  LineBuffer buffer;
  Batch batch;
  std::string trouble;
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
};

// Decompression on a thread of its own: blocks go round between it and the reader.
struct SetReader::Feeder {
  static constexpr size_t kBlocks = 4;
  struct Block {
    std::unique_ptr<char[]> data{new char[LineBuffer::kBlock]};
    size_t size = 0;
  };
  explicit Feeder(LogSource& s) : source(s), thread([this] { run(); }) {}
  ~Feeder() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    thread.join();
  }
  // The next block; null at the end.
  Block* front() {
    std::unique_lock lock(mutex);
    wake.wait(lock, [this] { return filled > 0 || ended; });
    return filled > 0 ? &blocks[first] : nullptr;
  }
  // Of the file, for the blocks so far.
  uint64_t bytes() {
    const std::lock_guard lock(mutex);
    return consumed;
  }
  void pop() {
    {
      std::lock_guard lock(mutex);
      first = (first + 1) % kBlocks;
      --filled;
    }
    wake.notify_all();
  }
  void run() {
    for (size_t at = 0;; at = (at + 1) % kBlocks) {
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return filled < kBlocks || stop; });
        if (stop) return;
      }
      auto n = source.read({blocks[at].data.get(), LineBuffer::kBlock});
      std::lock_guard lock(mutex);
      if (!n) trouble = n.error().message;
      if (!n || *n == 0) {
        ended = true;
        wake.notify_all();
        return;
      }
      blocks[at].size = *n;
      ++filled;
      consumed = source.consumed();
      wake.notify_all();
    }
  }

  LogSource& source;
  std::mutex mutex;
  std::condition_variable wake;
  Block blocks[kBlocks];
  size_t first = 0, filled = 0;
  bool ended = false, stop = false;
  uint64_t consumed = 0;
  std::string trouble;
  std::thread thread;
};

SetReader::SetReader(LogSet& set, const Grammar& grammar, const ReadOptions& options, WorkerPool* pool, unsigned ahead)
    : set_(set),
      grammar_(grammar),
      options_(options),
      pool_(pool),
      ahead_(ahead),
      tracker_(tracker_options(options), Tracker::Mode::kInOrder),
      reader_(grammar, tracker_, options) {
  base_ = find_base_year(set_, *options_.zone, options_.year, options_.now, options_.patience);
  base_year_ = base_.year;
}

SetReader::~SetReader() {
  // Jobs that are under way refer to themselves: wait for them.
  for (const auto& job : jobs_) {
    std::unique_lock lock(job->mutex);
    job->ready.wait(lock, [&] { return job->done; });
  }
}

bool SetReader::next(Batch& out) {
  out.clear();
  if (last_) idle_.push_back(std::move(last_));
  if (part_ >= set_.parts.size()) return false;
  if (!begun_) begin_part();
  const bool more = !records_ && !header_                        ? false  // could not be opened
                    : records_                                   ? next_records(out)
                    : part().source && part().source->seekable() ? next_piece(out)
                                                                 : next_block(out);
  if (!more) end_part(out);
  return true;
}

void SetReader::begin_part() {
  begun_ = true;
  offset_ = 0;
  sampled_ = previous_;
  LogPart& p = part();
  reader_.begin(p.index, 0);
  buffer_.clear();
  const TimeFold fold(*options_.zone, previous_, base_year_);
  if (!is_line_form(p.form)) {
    stream_seen_ = {};
    auto stream = open_records(p, fold);
    if (stream)
      records_ = std::move(*stream);
    else
      trouble_.push_back(fmt::format("{}: {}", p.name, stream.error().message));
    return;
  }
  header_ = std::make_unique<HeaderReader>(p.form, fold, p.name);
  if (!p.source->seekable() && pool_) feeder_ = std::make_unique<Feeder>(*p.source);
}

void SetReader::end_part(Batch& out) {
  if (header_) previous_ = header_->fold().previous();
  const bool in_pieces = header_ && part().source && part().source->seekable();
  if (part().source && !in_pieces) bytes_ += part().source->consumed();
  streamed_ = 0;
  look_for_mixture();
  feeder_.reset();
  header_.reset();
  records_.reset();
  begun_ = false;
  if (++part_ < set_.parts.size()) return;
  if (base_.contradicted(*options_.zone, previous_))
    trouble_.push_back(
        fmt::format("{}: its stamps have no years, and it crosses New Year so late that its times are a year late; "
                    "name the log as a file, not through a pipe",
                    set_.name));
  tracker_.finish(out);
}

void SetReader::look_for_mixture() {
  constexpr uint64_t kFew = 10, kShare = 20;  // one line in twenty
  figures_.add(reader_.take_figures());
  const uint64_t odd = figures_.no_header - before_part_.no_header, lines = figures_.lines - before_part_.lines;
  if (odd >= kFew && odd * kShare >= lines) mixed_.push_back({part().name, odd, lines});
  before_part_ = figures_;
}

// ---------------------------------------------------------------- plain files

bool SetReader::next_piece(Batch& out) {
  const uint64_t size = part().source->size();
  if (!pool_ || size <= kPiece / 4) {
    if (offset_ >= size && offset_ > 0) return false;
    const uint64_t end = std::min(offset_ + kPiece, size);
    read_in_order(offset_, end, out);
    bytes_ += end - offset_;
    offset_ = end;
    return offset_ < size;
  }
  plan();
  if (jobs_.empty()) return false;
  std::unique_ptr<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  {
    std::unique_lock lock(job->mutex);
    job->ready.wait(lock, [&] { return job->done; });
  }
  join(*job, out);
  bytes_ += job->end - job->begin;
  last_ = std::move(job);
  plan();
  return !jobs_.empty();
}

void SetReader::plan() {
  const uint64_t size = part().source->size();
  while (offset_ < size && jobs_.size() < ahead_) {
    const uint64_t end = std::min(offset_ + kPiece, size);
    sampled_ = sample_before(offset_, sampled_);
    submit(offset_, end);
    offset_ = end;
  }
}

// The time of the line before an offset, as well as it can be told from that line alone.
Instant SetReader::sample_before(uint64_t offset, Instant previous) const {
  char text[4096 + kMessagePadding];
  const uint64_t from = offset > 4096 ? offset - 4096 : 0;
  const LogPart& p = set_.parts[part_];
  const ssize_t n = offset ? pread(p.source->fd(), text, offset - from, static_cast<off_t>(from)) : 0;
  if (n <= 0) return previous;
  std::string_view rest(text, static_cast<size_t>(n));
  const size_t end = rest.rfind('\n');
  const size_t begin = end == std::string_view::npos || end == 0 ? std::string_view::npos : rest.rfind('\n', end - 1);
  if (begin == std::string_view::npos) return previous;
  HeaderReader header(p.form, TimeFold(*options_.zone, previous, base_year_), p.name);
  Record r;
  const bool read = header.read(rest.substr(begin + 1, end - begin - 1), r) == Took::kRecord && has_time(r.time);
  return read ? r.time : previous;
}

void SetReader::submit(uint64_t begin, uint64_t end) {
  std::unique_ptr<Job> job;
  if (idle_.empty()) {
    job = std::make_unique<Job>(grammar_, options_);
  } else {
    job = std::move(idle_.back());
    idle_.pop_back();
  }
  job->begin = begin;
  job->end = end;
  job->guess = sampled_;
  job->done = false;
  job->trouble.clear();
  job->header.emplace(part().form, TimeFold(*options_.zone, sampled_, base_year_), part().name);
  Job* j = job.get();
  jobs_.push_back(std::move(job));
  pool_->submit([j, fd = part().source->fd(), file = part().index] {
    j->tracker = Tracker(j->tracker.options(), Tracker::Mode::kAhead);
    j->reader.forget();
    j->reader.begin(file, 0);
    j->batch.clear();
    auto ok = read_piece(fd, j->begin, j->end, j->buffer, j->reader, *j->header, j->batch);
    if (!ok) j->trouble = ok.error().message;
    std::lock_guard lock(j->mutex);
    j->done = true;
    j->ready.notify_all();
  });
}

// A piece that was read ahead is believed if its guess of the time led to the same reading as the
// truth does, and no bound of a table could have been met; else it is read again, in order.
void SetReader::join(Job& job, Batch& out) {
  const Instant truth = header_->fold().previous();
  const Stamp* open = job.header->first_open_stamp();
  const bool same_stamp = !open || resolve_stamp(*options_.zone, *open, truth, base_year_) ==
                                       resolve_stamp(*options_.zone, *open, job.guess, base_year_);
  const bool same_time = truth == job.guess || (same_stamp && !job.header->lent_previous());
  if (!same_time || job.reader.wants_previous() || !tracker_.can_join(job.batch, job.tracker)) {
    read_in_order(job.begin, job.end, out);
    return;
  }
  if (!job.trouble.empty()) trouble_.push_back(fmt::format("{}: {}", part().name, job.trouble));
  const uint64_t first_line = reader_.line_number();
  tracker_.join(job.batch, job.tracker, first_line, out);
  reader_.skip_to(first_line + job.reader.line_number(), job.reader);
  figures_.add(job.reader.take_figures());
  if (job.header->read_a_stamp()) header_->restart(job.header->fold().previous());
}

void SetReader::read_in_order(uint64_t begin, uint64_t end, Batch& out) {
  auto ok = read_piece(part().source->fd(), begin, end, buffer_, reader_, *header_, out);
  if (!ok) trouble_.push_back(fmt::format("{}: {}", part().name, ok.error().message));
}

// ---------------------------------------------------------------- streams

bool SetReader::next_block(Batch& out) {
  if (feeder_) {
    if (Feeder::Block* block = feeder_->front()) {
      std::memcpy(buffer_.room(), block->data.get(), block->size);
      const size_t size = block->size;
      feeder_->pop();
      streamed_ = feeder_->bytes();
      buffer_.filled(size, reader_, *header_, out);
      return true;
    }
    if (!feeder_->trouble.empty()) trouble_.push_back(feeder_->trouble);
  } else {
    auto n = part().source->read({buffer_.room(), LineBuffer::kBlock});
    if (n && *n > 0) {
      streamed_ = part().source->consumed();
      buffer_.filled(*n, reader_, *header_, out);
      return true;
    }
    if (!n) trouble_.push_back(n.error().message);
  }
  buffer_.end(reader_, *header_, out);
  return false;
}

bool SetReader::next_records(Batch& out) {
  Record r;
  for (size_t i = 0; i < kRecordsAtOnce; ++i) {
    auto more = records_->next(r);
    if (!more) trouble_.push_back(fmt::format("{}: {}", part().name, more.error().message));
    const StreamFigures& f = records_->figures();
    reader_.skip_lines(stream_seen_, f);
    stream_seen_ = f;
    if (!more || !*more) return false;
    if (has_time(r.time)) previous_ = r.time;
    // The walk reads a few bytes past the message: give it a copy that has them.
    scratch_.assign(r.message);
    scratch_.append(kMessagePadding, '\0');
    const std::string_view raw = r.message;
    r.message = {scratch_.data(), raw.size()};
    reader_.record(r, r.message, out);
  }
  if (part().source) streamed_ = part().source->consumed();
  return true;
}

}  // namespace mailward
