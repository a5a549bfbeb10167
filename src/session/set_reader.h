// All events of one log (a rotated set), in the order of its lines, whatever number of threads
// reads it.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "log/base_year.h"
#include "log/log_set.h"
#include "log/record_stream.h"
#include "session/line_reader.h"
#include "session/piece.h"
#include "session/worker_pool.h"

namespace mailward {

class SetReader {
 public:
  // `pool` may be null: then everything is read on the calling thread. `ahead`: how many pieces may
  // be read before their turn. All must outlive the reader.
  SetReader(LogSet& set, const Grammar& grammar, const ReadOptions& options, WorkerPool* pool, unsigned ahead);
  ~SetReader();

  // The next events, if any yet, replace those of `out`. False at the end of the log.
  bool next(Batch& out);

  // Of the files, as they stand there; grows while a file is read.
  uint64_t bytes_read() const { return bytes_ + streamed_; }
  const LineFigures& figures() const { return figures_; }
  const TrackerFigures& tracker_figures() const { return tracker_.figures(); }
  std::vector<std::string>& trouble() { return trouble_; }
  std::vector<MixedFile>& mixed() { return mixed_; }

 private:
  struct Job;
  struct Feeder;
  void begin_part();
  bool next_piece(Batch& out);
  bool next_block(Batch& out);
  bool next_records(Batch& out);
  void end_part(Batch& out);
  void look_for_mixture();
  void plan();
  void submit(uint64_t begin, uint64_t end);
  Instant sample_before(uint64_t offset, Instant previous) const;
  void join(Job& job, Batch& out);
  void read_in_order(uint64_t begin, uint64_t end, Batch& out);
  LogPart& part() { return set_.parts[part_]; }

  LogSet& set_;
  const Grammar& grammar_;
  const ReadOptions& options_;
  WorkerPool* pool_;
  unsigned ahead_;
  BaseYear base_;
  int base_year_ = 0;
  Tracker tracker_;
  LineReader reader_;
  LineBuffer buffer_;
  std::unique_ptr<HeaderReader> header_;  // of the part that is read
  std::shared_ptr<RecordStream> records_;
  std::unique_ptr<Feeder> feeder_;
  StreamFigures stream_seen_;
  Instant previous_ = kNoInstant;  // of the last record: the state of the fold of time
  size_t part_ = 0;
  bool begun_ = false;
  uint64_t offset_ = 0;                    // where the next piece begins
  Instant sampled_ = kNoInstant;           // guess of the time there
  std::deque<std::unique_ptr<Job>> jobs_;  // in order
  std::vector<std::unique_ptr<Job>> idle_;
  std::unique_ptr<Job> last_;  // its texts live until the next call
  uint64_t bytes_ = 0;         // of pieces, and of parts that are done
  uint64_t streamed_ = 0;      // of a part that is read as a stream
  LineFigures figures_, before_part_;
  std::vector<MixedFile> mixed_;
  std::vector<std::string> trouble_;
  std::string scratch_;
};

}  // namespace mailward
