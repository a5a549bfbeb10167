#include "log/journal_entry_systemd.h"

#include <fmt/format.h>

#include <cstdlib>

#include "log/record.h"

namespace mailward {

// Copied: libsystemd may move its windows over the file with the next field.
bool JournalEntry::read(sd_journal* journal) {
  fields_.clear();
  bytes_ = 0;
  const void* data = nullptr;
  size_t size = 0;
  sd_journal_restart_data(journal);
  int more = 0;
  while ((more = sd_journal_enumerate_available_data(journal, &data, &size)) > 0) {
    const std::string_view field(static_cast<const char*>(data), size);
    bytes_ += size;
    const size_t sign = field.find('=');
    if (sign == std::string_view::npos) continue;
    keep(JournalFields::find(field.substr(0, sign)), field.substr(sign + 1));
  }
  uint64_t micros = 0;
  if (sd_journal_get_realtime_usec(journal, &micros) >= 0) keep(JournalFields::kRealtime, fmt::format("{}", micros));
  char* cursor = nullptr;  // sd_journal_get_seqnum(3) came with systemd 254; a cursor has the number as well
  if (sd_journal_get_cursor(journal, &cursor) < 0) return false;
  keep(JournalFields::kCursor, cursor);
  std::free(cursor);
  return more == 0;
}

void JournalEntry::keep(JournalFields::Field field, std::string_view value) {
  if (field == JournalFields::kCount || fields_.present[field]) return;
  std::string& kept = kept_[field];
  kept.assign(value);
  kept.append(kRecordPadding, '\0');
  fields_.set(field, std::string_view(kept).substr(0, value.size()));
}

}  // namespace mailward
