#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/text.h"
#include "view/event_lines.h"
#include "view/explanation.h"
#include "view/json.h"

namespace mailward {
namespace {

void append_string(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out += fmt::format(", \"{}\": ", key);
  append_json(out, value);
}

void append_time(std::string& out, std::string_view key, Instant t) {
  append_string(out, key, format_instant(t, true));
}

void append_evidence(std::string& out, const Evidence& one, const std::vector<std::string>& files) {
  out += fmt::format("{{\"event\": \"{}\"", name_of(one.kind));
  append_time(out, "time", one.time);
  append_string(out, "address", format_address(one.address));
  append_string(out, "user", one.user);
  if (one.file < files.size()) append_string(out, "file", files[one.file]);
  out += fmt::format(", \"line\": {}, \"count\": {}}}", one.line, one.count);
}

void append_verdict(std::string& out, const Verdict& verdict, const std::vector<std::string>& files) {
  out += "{\"policy\": ";
  append_json(out, verdict.name);
  out += fmt::format(", \"broken\": {}", verdict.broken);
  append_string(out, "per", name_of(verdict.policy.per));
  append_string(out, "key", verdict.key);
  append_string(out, "events", describe_kinds(verdict.policy.events));
  if (verdict.policy.when != When::kAny) append_string(out, "when", name_of(verdict.policy.when));
  if (verdict.policy.kinds > 1) out += fmt::format(", \"kinds\": {}", verdict.policy.kinds);
  out += fmt::format(", \"limit\": {}", verdict.policy.limit);
  if (verdict.policy.window > Duration{0}) append_string(out, "window", format_duration(verdict.policy.window));
  out += fmt::format(", \"counted\": {}, \"most\": {}, \"own\": {}, \"spared\": {}", verdict.counted, verdict.most,
                     verdict.own, verdict.spared);
  append_string(out, "ban", format_duration(verdict.policy.ban));
  append_time(out, "from", verdict.from);
  append_time(out, "to", verdict.to);
  append_time(out, "at", verdict.at);
  append_string(out, "excused", verdict.excused);
  append_string(out, "in_words", verdict.in_words);
  if (verdict.login) {
    out += ", \"login\": ";
    append_evidence(out, *verdict.login, files);
  }
  out += ", \"evidence\": [";
  std::string_view comma;
  for (const Evidence& one : verdict.evidence) {
    out += comma;
    append_evidence(out, one, files);
    comma = ", ";
  }
  out += fmt::format("], \"evidence_left_out\": {}}}", verdict.evidence_left_out);
}

// As `mailward events` prints it, and the line itself.
void append_event(std::string& out, const ExplainedEvent& event, EventLines& lines) {
  Event view;
  view.time = event.time;
  view.address = event.address;
  view.kind = event.kind;
  view.count = event.count;
  view.pid = event.pid;
  view.file = event.file;
  view.line = event.line;
  view.mild = event.mild;
  view.daemon = event.daemon;
  for (size_t i = 0; i < kFacts; ++i) view.facts[i] = event.facts[i];
  lines.append(out, view);
  out.resize(out.size() - 2);  // "}\n"
  append_string(out, "raw", event.raw);
  out += '}';
}

}  // namespace

void write_explanation_json(const Explanation& explanation, const OtherLines& others,
                            const std::vector<std::string>& files, Output& out) {
  std::string& text = out.text();
  text += fmt::format("{{\"address\": \"{}\", \"seen\": {}, \"offender\": {}", format_address(explanation.address),
                      explanation.seen, explanation.offender);
  append_string(text, "ignored_by", explanation.ignored_by);
  append_string(text, "hint", explanation.hint);
  text += ",\n \"source\": ";
  append_source_json(text, explanation.source);
  text += ",\n \"verdicts\": [";
  std::string_view comma;
  for (const Verdict& verdict : explanation.verdicts) {
    text += comma;
    append_verdict(text, verdict, files);
    comma = ",\n              ";
  }
  text += "],\n \"events\": [";
  comma = "";
  EventLines lines(files);
  for (const ExplainedEvent& event : explanation.events) {
    text += comma;
    append_event(text, event, lines);
    out.pass_on();
    comma = ",\n            ";
  }
  text += fmt::format("],\n \"events_left_out\": {}, \"cut\": {},\n \"other_lines\": [", explanation.events_left_out,
                      explanation.cut);
  comma = "";
  for (const OtherLines::Line& other : others.lines) {
    text += comma;
    text += fmt::format("{{\"line\": {}", other.line);
    if (other.file < files.size()) append_string(text, "file", files[other.file]);
    append_string(text, "raw", other.text);
    text += '}';
    out.pass_on();
    comma = ",\n                 ";
  }
  text += fmt::format("],\n \"other_lines_left_out\": {}}}\n", others.left_out);
}

}  // namespace mailward
