// The lines that an explanation's events leave out: those of the address's sessions that tell nothing by
// themselves, and those that name it without accusing it. The files are read a second time, so a pipe
// and the journal give none.
#pragma once

#include "judge/explain.h"
#include "log/log_set.h"
#include "session/event_stream.h"
#include "view/explanation.h"

namespace mailward {

// After the logs were read. Trouble with a file was told then, and only ends the search in it here.
// Of the lines in the time that `options` ask for.
OtherLines find_other_lines(OpenedLogs& logs, const Explanation& explanation, const ReadOptions& options);

}  // namespace mailward
