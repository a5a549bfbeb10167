#include "log/journal_json.h"

#include "log/json_scan.h"

namespace mailward {

bool JournalJsonReader::take(JournalFields::Field field, std::string_view raw, bool escaped) {
  if (escaped) {
    scratch_[field].clear();
    if (!unescape_json(raw, scratch_[field])) return false;
    raw = scratch_[field];
  }
  fields_.set(field, raw);
  return true;
}

bool JournalJsonReader::take_array(JournalFields::Field field, std::string_view array) {
  std::string_view inner = array.substr(1);
  while (inner.starts_with(' ')) inner.remove_prefix(1);
  if (inner.starts_with('"')) {  // several values: the first counts
    const std::string object = "{\"v\":" + std::string(inner.substr(0, inner.size() - 1)) + "}";
    std::string_view key;
    JsonValue value;
    JsonScanner scanner(object);
    if (!scanner.next(key, value) || value.kind != JsonValue::Kind::kString) return false;
    scratch_[field].clear();
    if (!unescape_json(value.raw, scratch_[field])) return false;
  } else if (inner.starts_with('[')) {  // several values, the first of them bytes
    scratch_[field].clear();
    if (!json_bytes(inner.substr(0, inner.find(']') + 1), scratch_[field])) return false;
  } else {
    scratch_[field].clear();
    if (!json_bytes(array, scratch_[field])) return false;
  }
  fields_.set(field, scratch_[field]);
  return true;
}

JournalTook JournalJsonReader::read(std::string_view line, Record& out) {
  fields_.clear();
  JsonScanner scanner(line);
  std::string_view key;
  JsonValue value;
  while (scanner.next(key, value)) {
    const JournalFields::Field field = JournalFields::find(key);
    if (field == JournalFields::kCount || fields_.present[field]) continue;
    if (value.kind == JsonValue::Kind::kString) {
      if (!take(field, value.raw, value.escaped)) return JournalTook::kNothing;
    } else if (value.kind == JsonValue::Kind::kArray) {
      if (!take_array(field, value.raw)) return JournalTook::kNothing;
    } else if (value.raw != "null") {
      fields_.set(field, value.raw);
    }
  }
  if (!scanner.good()) return JournalTook::kNothing;
  return records_.fill(fields_, out);
}

}  // namespace mailward
