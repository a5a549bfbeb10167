// The journal's export form (systemd.io/JOURNAL_EXPORT_FORMATS): fields as "NAME=value" lines, or, for
// values that hold odd bytes, NAME, a line feed, eight bytes of length (little-endian), the bytes, a
// line feed; an empty line ends an entry.
//
// A stream whose head was cut off begins in the middle of an entry, of a value even. It is read from the
// first entry on that begins as journalctl begins them (behind an empty line); what stands before is one
// entry that was not understood.
#pragma once

#include <memory>
#include <string_view>

#include "log/record_stream.h"
#include "log/source.h"

namespace mailward {

// Does an entry begin here; does one begin further on, behind an empty line?
bool begins_export_entry(std::string_view text);
bool holds_export_entry(std::string_view text);
// "NAME=value".
bool is_export_field(std::string_view line);

std::unique_ptr<RecordStream> open_journal_export(LogSource& source);

}  // namespace mailward
