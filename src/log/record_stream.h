// Records one after the other, for every form: the simple way to read a log on one thread, and the
// only one for forms that are not lines with a header (the journal and its JSON and export forms,
// Docker's JSON). For line forms it is the slow, obvious reader beside the parallel one.
//
// Journal forms: SYSLOG_IDENTIFIER, MESSAGE and SYSLOG_PID are the writer's own words; what journald
// itself testifies (_UID, _SYSTEMD_UNIT, _PID, _COMM; systemd.journal-fields(7)) decides whether the
// record is believed: one written by an ordinary user's process (uid of 1000 and more, in a login
// session, a user manager, or no unit at all) is not; see journal_fields.h.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "log/header.h"

namespace mailward {

struct LogPart;  // log_set.h

struct StreamFigures {
  uint64_t lines = 0;      // lines, or entries of a journal, so far; the number of the record just given
  uint64_t bytes = 0;      // decompressed
  uint64_t no_header = 0;  // not understood: no header, broken JSON …
  uint64_t untrusted = 0;  // of the journal: written by a user's process under a daemon's name
  uint64_t continued = 0;  // parts of the record before them, and empty lines
  uint64_t overlong = 0;   // cut at the limit for one line, the rest dropped
};

class RecordStream {
 public:
  virtual ~RecordStream() = default;
  // The next record into `out`, whose views live until the next call; false at the end. An Error says
  // why there will be no more.
  virtual Result<bool> next(Record& out) = 0;
  const StreamFigures& figures() const { return figures_; }

 protected:
  StreamFigures figures_;
};

// The part must outlive the stream. `fold` resolves stamps of line forms. The journal can be read once.
Result<std::unique_ptr<RecordStream>> open_records(LogPart& part, TimeFold fold);

}  // namespace mailward
