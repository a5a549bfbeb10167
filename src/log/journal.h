// The systemd journal itself, through libsystemd where it was built in (journal_systemd.cc), else a
// sentence that says so (journal_none.cc).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "log/record_stream.h"

namespace mailward {

// `where`: empty for the system's journal, else a folder of journal files or one file.
Result<void> can_read_journal(const std::string& where);
// Opens it, from its first entry on. Files of the journal are opened here, none later.
Result<std::unique_ptr<RecordStream>> open_journal(const std::string& where);

}  // namespace mailward
