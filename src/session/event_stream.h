// From logs to events: the whole left half of the house behind one call. Records are read in
// parallel, matched, tied to their sessions, and the events come out in one order, the same for
// any number of threads: by time over different logs, as written within one.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/event.h"
#include "base/result.h"
#include "log/patience.h"

namespace mailward {

class Grammar;
class Zone;
struct LogSet;

struct ReadOptions {
  const Zone* zone = nullptr;               // what stamps without an offset mean; must be given
  int year = 0;                             // of the last line, where stamps have none; 0: nearest before `now`
  Instant now = kNoInstant;                 // must be given
  Patience patience = Patience::kToTheEnd;  // with a pipe whose stamps have no year, before its first event
  unsigned threads = 0;                     // 0: all cores
  KindSet wanted = ~KindSet{0};             // other kinds are counted, not delivered
  bool keep_facts = true;    // false: only the user's name is delivered, of logins (auth_failed, auth_ok, auth_aborted)
  bool keep_raw = false;     // deliver Event::raw
  bool unexplained = false;  // deliver lines that are not understood as well, as kNone with Event::raw
  Instant since = kNoInstant;  // events before are not delivered (sessions are followed all the same)
  Instant until = kNoInstant;  // events at or after are not delivered
};

// A file that holds many lines of another form than most of its lines.
struct MixedFile {
  std::string name;
  uint64_t odd = 0, lines = 0;
};

// About what was read; judge's InputReport is filled from it.
struct ReadFigures {
  uint64_t bytes = 0, lines = 0, events = 0, not_understood = 0, other_programs = 0;
  uint64_t ambiguous = 0, lost = 0, overlong = 0;
  uint64_t unheeded = 0;   // lines that tell nothing that the grammar was narrowed to
  uint64_t no_header = 0;  // of `not_understood`: not of the form that most lines of the file have
  uint64_t unshown = 0;    // of `not_understood`: can't be delivered by `unexplained`
  uint64_t continued = 0;  // no lines of their own: parts of the one before, and empty ones
  uint64_t untrusted = 0;  // of a journal: an ordinary user's process wrote them
  Instant first = kNoInstant, last = kNoInstant;
  std::vector<std::string> trouble;  // files that could not be read to their end: one sentence each
  std::vector<MixedFile> mixed;      // one line in twenty of them, or more
};

// `batch` and all its views live until `take` returns. Called on one thread.
using EventSink = std::function<void(std::span<const Event> batch)>;
// Told now and then, on the same thread: bytes read so far of bytes in all (0: unknown).
using ProgressSink = std::function<void(uint64_t bytes, uint64_t total)>;

ReadFigures read_events(std::vector<LogSet>& logs, const Grammar& grammar, const ReadOptions& options,
                        const EventSink& take, const ProgressSink& progress);

}  // namespace mailward
