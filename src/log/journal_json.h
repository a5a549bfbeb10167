// journalctl -o json: one object a line; a field is a string, a list of byte values where it is no
// UTF-8, a list of either where it occurs several times, or null where it was too long to print.
#pragma once

#include <string>
#include <string_view>

#include "log/journal_fields.h"

namespace mailward {

class JournalJsonReader {
 public:
  // The record's views live until the next call, or point into `line`. kNothing: no JSON, no message …
  JournalTook read(std::string_view line, Record& out);
  // After kLoss: the entry itself, while `line` is still there.
  JournalTook read_again(Record& out) { return records_.fill(fields_, out); }

 private:
  bool take(JournalFields::Field field, std::string_view raw, bool escaped);
  bool take_array(JournalFields::Field field, std::string_view array);

  JournalFields fields_;
  std::string scratch_[JournalFields::kCount];  // of fields that had to be unescaped
  JournalRecords records_{Holes::kAfterAWholeRun};
};

}  // namespace mailward
