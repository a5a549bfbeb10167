// The grammar in words for a terminal: `mailward rules`. Rule files are the site's own, but may come
// from anywhere: their text is escaped like a log's.
#pragma once

#include <string>
#include <vector>

#include "grammar/prove.h"
#include "grammar/rule_file.h"
#include "session/samples.h"
#include "view/output.h"
#include "view/screen.h"

namespace mailward {

// One line a daemon: name, versions, number of lines known.
void write_daemons(const std::vector<RuleFile>& files, const Screen& screen, Output& out);

// One daemon with every line that is known of it, and what each tells.
void write_daemon(const RuleFile& file, const Screen& screen, Output& out);

// Why two rules can't stand together, with the line that shows it and the bytes that each reading
// takes for the address (a) and the session's key (k) under it.
void write_finding(const std::string& path, const std::string& program, const Finding& finding, const Screen& screen,
                   Output& out);

// What the samples showed: failures, then how much of the grammar they cover. Quiet: failures only.
void write_samples(const SampleReport& report, const Screen& screen, bool quiet, Output& out);

}  // namespace mailward
