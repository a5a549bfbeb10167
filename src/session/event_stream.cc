#include "session/event_stream.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "session/helpers.h"
#include "session/set_reader.h"

namespace mailward {
namespace {

// One log in the merge: its events, and how far its time has come. A log's own order is kept; two
// logs are interleaved by the latest time that each has reached.
struct Lane {
  std::unique_ptr<SetReader> reader;
  Batch batch;
  size_t at = 0;
  Instant reached = kNoInstant;
  bool ended = false;

  // Makes sure that there is an event to look at, unless the log has ended.
  void fill() {
    while (!ended && at >= batch.events.size()) {
      at = 0;
      ended = !reader->next(batch);
      if (ended) batch.clear();
    }
    if (!ended) reached = std::max(reached, batch.events[at].time);
  }
};

class Merge {
 public:
  Merge(std::vector<Lane>& lanes, const EventSink& take, const std::function<void()>& progress)
      : lanes_(lanes), take_(take), progress_(progress) {}
  uint64_t put_out() const { return helpers_.put_out(); }

  void run() {
    merge();
    helpers_.finish(take_);
  }

 private:
  void merge() {
    if (lanes_.size() == 1) {
      Lane& only = lanes_.front();
      while (only.reader->next(only.batch)) {
        put_out(only.batch.events);
        progress_();
      }
      return;
    }
    for (Lane& lane : lanes_) lane.fill();
    while (Lane* first = earliest(nullptr)) {
      const Lane* second = earliest(first);
      const size_t begin = first->at;
      // As many events as come before the other logs' next one.
      do {
        ++first->at;
        if (first->at >= first->batch.events.size()) break;
        first->reached = std::max(first->reached, first->batch.events[first->at].time);
      } while (!second || first->reached < second->reached || (first->reached == second->reached && first < second));
      put_out(std::span(first->batch.events).subspan(begin, first->at - begin));
      if (first->at >= first->batch.events.size()) {
        first->fill();
        progress_();
      }
    }
  }

  void put_out(std::span<Event> events) {
    if (!events.empty()) helpers_.pass(events, take_);
  }

  Lane* earliest(const Lane* but) {
    Lane* best = nullptr;
    for (Lane& lane : lanes_)
      if (&lane != but && !lane.ended && (!best || lane.reached < best->reached)) best = &lane;
    return best;
  }

  std::vector<Lane>& lanes_;
  const EventSink& take_;
  const std::function<void()>& progress_;
  Helpers helpers_;
};

// Exim writes to its reject log what it writes to its main log, and the message's header. Where both
// were named, the reject log tells nothing new.
bool only_copies(const LogSet& set, const std::vector<LogSet>& all) {
  const size_t at = set.name.rfind("rejectlog");
  if (at == std::string::npos || set.parts.front().form != Form::kExim) return false;
  const std::string main_log = set.name.substr(0, at) + "mainlog";
  return std::any_of(all.begin(), all.end(), [&](const LogSet& other) { return other.name.starts_with(main_log); });
}

uint64_t total_bytes(const std::vector<LogSet>& logs) {
  uint64_t total = 0;
  for (const LogSet& set : logs)
    for (const LogPart& part : set.parts) {
      if (!part.source || part.source->size() == 0) return 0;
      total += part.source->size();
    }
  return total;
}

}  // namespace

ReadFigures read_events(std::vector<LogSet>& logs, const Grammar& grammar, const ReadOptions& options,
                        const EventSink& take, const ProgressSink& progress) {
  const unsigned threads = options.threads ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  std::optional<WorkerPool> pool;
  if (threads > 1) pool.emplace(threads);
  const unsigned ahead =
      logs.size() > 1 ? std::max<unsigned>(1, (threads + 2) / static_cast<unsigned>(logs.size())) : threads + 2;
  std::vector<Lane> lanes;
  for (LogSet& set : logs)
    if (!only_copies(set, logs))
      lanes.emplace_back().reader = std::make_unique<SetReader>(set, grammar, options, pool ? &*pool : nullptr, ahead);

  const uint64_t total = total_bytes(logs);
  auto bytes_read = [&] {
    uint64_t n = 0;
    for (const Lane& lane : lanes) n += lane.reader->bytes_read();
    return n;
  };
  ReadFigures figures;
  if (!lanes.empty()) {
    const std::function<void()> tell = [&] {
      if (progress) progress(bytes_read(), total);
    };
    Merge merge(lanes, take, tell);
    merge.run();
    figures.events += merge.put_out();
  }
  LineFigures lines;
  for (Lane& lane : lanes) {
    lines.add(lane.reader->figures());
    figures.events += lane.reader->tracker_figures().events;
    figures.ambiguous += lane.reader->tracker_figures().ambiguous;
    for (std::string& sentence : lane.reader->trouble()) figures.trouble.push_back(std::move(sentence));
    for (MixedFile& file : lane.reader->mixed()) figures.mixed.push_back(std::move(file));
  }
  figures.bytes = bytes_read();
  figures.lines = lines.lines;
  figures.not_understood = lines.not_understood;
  figures.other_programs = lines.other_programs;
  figures.lost = lines.lost;
  figures.overlong = lines.overlong;
  figures.unheeded = lines.unheeded;
  figures.no_header = lines.no_header;
  figures.unshown = lines.unshown;
  figures.continued = lines.continued;
  figures.untrusted = lines.untrusted;
  figures.first = lines.first;
  figures.last = lines.last;
  return figures;
}

}  // namespace mailward
