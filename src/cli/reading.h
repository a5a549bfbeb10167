// From settings to events: opens everything, locks the process in, reads. The order is the point:
// nothing is opened any more when the process has locked itself in, and before no byte of a log is
// looked at.
#pragma once

#include <string>
#include <vector>

#include "cli/outcome.h"
#include "cli/settings.h"
#include "grammar/grammar.h"
#include "judge/report.h"
#include "log/log_set.h"
#include "session/event_stream.h"
#include "view/output.h"

namespace mailward {

struct Inputs {
  Grammar grammar;
  OpenedLogs logs;
};

// Reads the rules, opens the inputs, locks the process in, and only then looks what they are. Inputs that
// can't be opened are said and left out; none is left: a refusal.
Outcome<Inputs> open_inputs(const Settings& settings, const Messages& messages);

// The rules alone: the program's own, and the site's, which are proved to be sound with all that they stand beside.
Outcome<Grammar> grammar_of(const Settings& settings);
// The last step of open_inputs(), in a process that is locked in: looks what the files are.
Outcome<Inputs> arrange_inputs(const Settings& settings, Grammar grammar, OpenedFiles files, const Messages& messages);

// Fills in what every command wants the same: zone, year, present, span, threads.
ReadOptions read_options(const Settings& settings);

// With a progress bar where standard error is a terminal; `bar` false: never. Says what could not be
// read to its end.
ReadFigures read_logs(Inputs& inputs, const ReadOptions& options, const GlobalOptions& globals, bool bar,
                      const EventSink& take);

// Names the files that hold many lines of another form than most of theirs.
void tell_mixtures(const ReadFigures& figures, const Messages& messages);

InputReport input_report(const ReadFigures& figures, const OpenedLogs& logs);

// The exit status so far: was everything read?
int status_of(const ReadFigures& figures, const OpenedLogs& logs);

// Writes what is left and tells trouble with standard output; the exit status, `status` if all went well.
int finish_output(Output& out, const Messages& messages, int status);

}  // namespace mailward
