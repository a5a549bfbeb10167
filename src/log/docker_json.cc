#include "log/docker_json.h"

#include "log/json_scan.h"
#include "log/stamp.h"

namespace mailward {
namespace {

struct DockerLine {
  std::string_view log, stream, time;
  bool escaped = false, found = false;
};

bool parse(std::string_view line, DockerLine& out) {
  JsonScanner scanner(line);
  std::string_view key;
  JsonValue value;
  while (scanner.next(key, value)) {
    if (value.kind != JsonValue::Kind::kString) continue;
    if (key == "log") {
      out.log = value.raw;
      out.escaped = value.escaped;
      out.found = true;
    } else if (key == "stream") {
      out.stream = value.raw;
    } else if (key == "time") {
      out.time = value.raw;
    }
  }
  return scanner.good() && out.found;
}

}  // namespace

Form DockerJsonReader::detect_inner(std::string_view first_bytes, std::string_view file_name) {
  std::string inner;
  size_t at = 0;
  while (at < first_bytes.size()) {
    const size_t end = first_bytes.find('\n', at);
    if (end == std::string_view::npos) break;
    DockerLine line;
    if (parse(first_bytes.substr(at, end - at), line) && !unescape_json(line.log, inner)) break;
    at = end + 1;
  }
  const Form form = detect_form(inner, file_name);
  return is_line_form(form) ? form : Form::kBare;
}

Took DockerJsonReader::read(std::string_view line, Record& out) {
  if (line.empty()) return Took::kContinuation;
  DockerLine parsed;
  if (!parse(line, parsed)) return Took::kNoHeader;
  std::string_view text = parsed.log;
  if (parsed.escaped) {
    text_.clear();
    if (!unescape_json(text, text_)) return Took::kNoHeader;
    text = text_;
  }
  const bool complete = text.ends_with('\n');
  if (complete) text.remove_suffix(1);
  if (const Took whole = pieces_.add(parsed.stream == "stderr" ? 1 : 0, complete, text); whole != Took::kRecord)
    return whole;
  const Took took = inner_.read(text, out);
  if (took != Took::kRecord) return took;
  Stamp stamp;
  if (parse_iso_stamp(parsed.time, stamp) != 0) out.time = resolve_stamp(Zone{}, stamp, kNoInstant, 0);
  return took;
}

}  // namespace mailward
