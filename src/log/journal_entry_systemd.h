// The fields of one entry, copied out of an open journal (within this station; libsystemd only).
#pragma once

#include <systemd/sd-journal.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "log/journal_fields.h"

namespace mailward {

struct CloseJournal {
  void operator()(sd_journal* j) const { sd_journal_close(j); }
};
using Journal = std::unique_ptr<sd_journal, CloseJournal>;

class JournalEntry {
 public:
  // The entry that `journal` stands at. False: it can't be read as a whole (its file is damaged, or is being
  // deleted); what it says of its writer may be missing, so it must not be believed.
  bool read(sd_journal* journal);
  // Until the next read(). kRecordPadding bytes behind the message may be read.
  const JournalFields& fields() const { return fields_; }
  std::string_view cursor() const { return fields_.values[JournalFields::kCursor]; }
  uint64_t bytes() const { return bytes_; }  // of all its fields

 private:
  void keep(JournalFields::Field field, std::string_view value);

  JournalFields fields_;
  std::array<std::string, JournalFields::kCount> kept_;
  uint64_t bytes_ = 0;
};

}  // namespace mailward
