// Reads a systemd journal that grows, is rotated and vacuumed: every entry once, in the journal's own order, from a
// stored position on. Opens nothing; it is given open files (journal_files.h) and says when it needs them anew. What is
// promised, and what can't be, is in docs/following.md.
//
//   auto follower = JournalFollower::open(stored, Begin::kLive);
//   on "changed" and on kAsk:  follower->changed(open_journal_files(…))  (elsewhere: with `answers` = asked())
//   then, and on "grew":       while ((step = follower->next()).kind != kIdle) …
//   in the transaction with what the entries meant:  follower->position()
//
// journald tells watchers that its file grew only some 250 to 500 ms after an entry. While entries come, whoever
// wants them sooner calls next() every kLookAgain until none came for kLookFor: a look that finds nothing costs some
// microseconds, and when nothing happens nothing runs.
//
// One thread, and one process: not over a fork(2). Journal files are read by mmap(2). Where a file system can't
// punch holes, a file that is vacuumed while it is read may end the process by SIGBUS; it may start again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/follow/follower.h"
#include "log/follow/journal_files.h"
#include "log/record.h"
#include "log/record_stream.h"

namespace mailward {

struct JournalStep {
  enum class Kind : uint8_t {
    kRecord,  // `record`: LineReader::record(record, record.message, …)
    kLoss,    // `loss`: entries may have gone unread; and `record`, which says so to the reader of lines: as kRecord
    kAsk,     // files are needed whose listing begins after this moment, with `answers` = asked()
    kIdle,    // nothing more until the journal grows or its files change
  };
  Kind kind = Kind::kIdle;
  Record record;     // until the next call; kRecordPadding bytes behind the message may be read
  std::string loss;  // one sentence
};

class JournalFollower {
 public:
  static constexpr std::chrono::milliseconds kLookAgain{5}, kLookFor{1000};

  // `stored`: empty, or what position() said. An error: it is none; or this build has no libsystemd.
  static Result<std::unique_ptr<JournalFollower>> open(std::string_view stored, Begin begin);
  virtual ~JournalFollower() = default;

  // The files as they are now. Ones that are older than what was asked for are not used.
  virtual void changed(JournalFiles files) = 0;
  virtual JournalStep next() = 0;

  // Behind all that was given: one line of text without a blank at its ends, at most 5 KiB.
  virtual std::string position() const = 0;
  virtual uint64_t asked() const = 0;
  // `lines` counts entries, over restarts too; the rest since open(). LineReader::skip_lines() takes it.
  virtual const StreamFigures& figures() const = 0;
};

}  // namespace mailward
