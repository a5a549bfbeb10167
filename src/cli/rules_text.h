// The grammar in words for a terminal: `mailward rules`. Rule files are the site's own, but may come
// from anywhere: their text is escaped like a log's.
#pragma once

#include <string>
#include <vector>

#include "grammar/check.h"
#include "grammar/rule_file.h"
#include "session/samples.h"
#include "view/output.h"
#include "view/screen.h"

namespace mailward {

// One line a daemon: name, versions, number of lines known. `cut`: to the screen's width.
void write_daemons(const std::vector<RuleFile>& files, const Screen& screen, bool cut, Output& out);

// One daemon with every line that is known of it, and what each tells.
void write_daemon(const RuleFile& file, const Screen& screen, Output& out);

// Complaints, then why rules can't stand together: each with the line that shows it, and under it the
// bytes that either reading takes for the address (a) and for the session's key (k).
void write_check(const CheckReport& report, const Grammar& grammar, const Screen& screen, Output& out);

// What the samples showed: failures, rules without a sample, then how much of the grammar they cover. Quiet: failures
// only.
void write_samples(const SampleReport& report, const Screen& screen, bool quiet, Output& out);

}  // namespace mailward
