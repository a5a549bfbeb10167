#include "view/json.h"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

#include "base/text.h"
#include "view/sources.h"

namespace mailward {
namespace {

void append_count(std::string& out, std::string_view name, uint64_t count) {
  fmt::format_to(std::back_inserter(out), ", \"{}\": {}", name, count);
}

void append_times(std::string& out, Instant first, Instant last) {
  if (has_time(first)) out += ", \"first\": \"" + format_instant(first, false) + '"';
  if (has_time(last)) out += ", \"last\": \"" + format_instant(last, false) + '"';
}

template <class List>
void append_strings(std::string& out, const List& texts) {
  out += '[';
  std::string_view comma;
  for (const std::string& text : texts) {
    out += comma;
    append_json(out, text);
    comma = ", ";
  }
  out += ']';
}

void append_input(std::string& out, const InputReport& input) {
  out += "{\"files\": ";
  append_strings(out, input.files);
  append_count(out, "bytes", input.bytes);
  append_count(out, "lines", input.lines);
  append_count(out, "events", input.events);
  append_count(out, "not_understood", input.not_understood);
  append_times(out, input.first, input.last);
  if (input.ambiguous > 0) append_count(out, "ambiguous", input.ambiguous);
  if (input.lost > 0) append_count(out, "lost", input.lost);
  if (input.other_programs > 0) append_count(out, "other_programs", input.other_programs);
  if (input.continued > 0) append_count(out, "continued", input.continued);
  if (input.untrusted > 0) append_count(out, "untrusted", input.untrusted);
  out += '}';
}

}  // namespace

void append_source_json(std::string& out, const SourceReport& source) {
  out += "{\"address\": \"" + format_address(source.address) + "\", \"events\": {";
  std::string_view comma;
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    if (source.events[kind] == 0 || is_frame(static_cast<EventKind>(kind))) continue;
    fmt::format_to(std::back_inserter(out), "{}\"{}\": {}", comma, kEventKindInfo[kind].name, source.events[kind]);
    comma = ", ";
  }
  out += "}, \"users\": {";
  comma = "";
  for (const auto& [name, count] : users_of(source)) {
    out += comma;
    append_json(out, name);
    fmt::format_to(std::back_inserter(out), ": {}", count);
    comma = ", ";
  }
  out += '}';
  append_times(out, source.first, source.last);
  out += source.offender ? ", \"offender\": true" : ", \"offender\": false";
  out += ", \"policies\": ";
  append_strings(out, source.policies);
  out += ", \"networks\": ";
  append_strings(out, source.networks);
  out += '}';
}

void JsonView::begin(const ReportHead& head) {
  out_.text() += "{\"input\": ";
  append_input(out_.text(), head.input);
  out_.text() += ",\n \"sources\": [";
}

void JsonView::source(SourceReport&& source) {
  out_.text() += comma_;
  append_source_json(out_.text(), source);
  out_.pass_on();
  comma_ = ",\n             ";
}

void JsonView::end() { out_.text() += "]}\n"; }

void NdjsonView::source(SourceReport&& source) {
  append_source_json(out_.text(), source);
  out_.text() += '\n';
  out_.pass_on();
}

}  // namespace mailward
