// The journal's export form (systemd.io/JOURNAL_EXPORT_FORMATS): fields as "NAME=value" lines, or, for
// values that hold odd bytes, NAME, a line feed, eight bytes of length (little-endian), the bytes, a
// line feed; an empty line ends an entry.
#pragma once

#include <memory>

#include "log/record_stream.h"
#include "log/source.h"

namespace mailward {

std::unique_ptr<RecordStream> open_journal_export(LogSource& source);

}  // namespace mailward
