#include "log/cri.h"

#include <algorithm>
#include <string>

#include "log/stamp.h"

namespace mailward {

bool parse_cri(std::string_view line, CriLine& out) {
  const size_t n = line.size() > 10 && line[10] == 'T' ? parse_iso_stamp(line, out.stamp) : 0;
  if (n == 0 || n >= line.size()) return false;
  std::string_view rest = line.substr(n + 1);
  out.error = rest.starts_with("stderr ");
  if (!out.error && !rest.starts_with("stdout ")) return false;
  rest.remove_prefix(7);
  const size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view tag = rest.substr(0, std::min(rest.substr(0, end).find(':'), end));
  out.last = tag == "F";
  out.text = rest.substr(std::min(end + 1, rest.size()));
  return out.last || tag == "P";
}

Form CriReader::detect_inner(std::string_view first_bytes, std::string_view file_name) {
  std::string inner;
  size_t at = 0;
  while (at < first_bytes.size()) {
    const size_t end = first_bytes.find('\n', at);
    if (end == std::string_view::npos) break;
    CriLine line;
    if (parse_cri(first_bytes.substr(at, end - at), line)) {
      inner += line.text;
      if (line.last) inner += '\n';
    }
    at = end + 1;
  }
  const Form form = detect_form(inner, file_name);
  return is_line_form(form) ? form : Form::kBare;
}

Took CriReader::read(std::string_view line, Record& out) {
  if (line.empty()) return Took::kContinuation;
  CriLine parsed;
  if (!parse_cri(line, parsed)) return Took::kNoHeader;
  std::string_view text = parsed.text;
  if (const Took whole = pieces_.add(parsed.error ? 1 : 0, parsed.last, text); whole != Took::kRecord) return whole;
  const Took took = inner_.read(text, out);
  if (took == Took::kRecord) out.time = resolve_stamp(zone_, parsed.stamp, kNoInstant, 0);
  return took;
}

}  // namespace mailward
