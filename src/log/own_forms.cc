#include "log/own_forms.h"

#include <algorithm>
#include <array>

#include "log/stamp.h"

namespace mailward {
namespace {

// "[1234] ": how long it is, and the number; 0 where it isn't there.
size_t read_pid(std::string_view text, uint32_t& pid) {
  if (text.empty() || text[0] != '[') return 0;
  uint64_t value = 0;
  size_t n = 1;
  while (n < text.size() && n <= 10 && is_digit(text[n])) value = value * 10 + static_cast<uint64_t>(text[n++] - '0');
  if (n == 1 || value > UINT32_MAX || !text.substr(n).starts_with("] ")) return 0;
  pid = static_cast<uint32_t>(value);
  return n + 2;
}

// "[2\10] " or "[2/3] " with a first number above one.
bool is_later_piece(std::string_view text) {
  if (text.size() < 6 || text[0] != '[' || !is_digit(text[1])) return false;
  size_t n = 1;
  while (n < text.size() && n < 7 && is_digit(text[n])) ++n;
  const bool first = n == 2 && text[1] == '1';
  if (first || n >= text.size() || (text[n] != '\\' && text[n] != '/')) return false;
  const size_t second = ++n;
  while (n < text.size() && n < second + 6 && is_digit(text[n])) ++n;
  return n > second && text.substr(n).starts_with("] ");
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 48) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.' ||
           c == '/';
  });
}

// "name: text" or "name[12]: text".
bool split_tag(std::string_view text, Record& out) {
  const size_t end = text.find_first_of(": [");
  if (end == std::string_view::npos || !is_name(text.substr(0, end))) return false;
  std::string_view after = text.substr(end);
  uint32_t pid = 0;
  if (after[0] == '[') {
    const size_t close = after.find("]: ");
    if (close == std::string_view::npos || close < 2 || close > 10) return false;
    for (const char c : after.substr(1, close - 1)) {
      if (!is_digit(c)) return false;
      pid = pid * 10 + static_cast<uint32_t>(c - '0');
    }
    after.remove_prefix(close + 1);
  }
  if (!after.starts_with(": ")) return false;
  out.program = text.substr(0, end);
  out.pid = pid;
  out.message = after.substr(2);
  return true;
}

// ".../qmail-smtpd/current", ".../qmail-smtpd/log/main/current": the service's folder.
std::string program_of_folder(std::string_view path) {
  while (true) {
    const size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {};
    path = path.substr(0, slash);
    const std::string_view name = path.substr(path.rfind('/') + 1);
    if (name != "main" && name != "log" && name != "current" && !name.empty())
      return is_name(name) ? std::string(name) : "";
  }
}

}  // namespace

OwnForms::OwnForms(Form form, std::string_view file_name) : form_(form) {
  if (form == Form::kTai64n) folder_program_ = program_of_folder(file_name);
}

// Every form has its row, so that the compiler names one that was forgotten.
Took OwnForms::read(std::string_view line, Stamp& stamp, Record& out) {
  switch (form_) {
    case Form::kExim:
      return read_exim(line, stamp, out);
    case Form::kDovecot:
      return read_dovecot(line, stamp, out);
    case Form::kTai64n:
      return read_tai64(line, stamp, out);
    case Form::kBare:
      if (line.empty()) return Took::kContinuation;
      out.program = {};
      out.message = line;
      return Took::kRecord;
    case Form::kTagged:
      return read_tagged(line, out);
    case Form::kSyslog:  // HeaderReader's own
    case Form::kUptime:
    case Form::kJournalJson:
    case Form::kJournalExport:
    case Form::kDockerJson:
    case Form::kCri:
    case Form::kJournal:  // no lines with a header: record_stream.h
      break;
  }
  return Took::kNoHeader;
}

// The rejectlog has the header of a refused message below an entry, and a rule of dashes: none of it
// begins with a stamp, for every header line is written behind a letter and a blank. What begins with
// another log's stamp is another log's line.
Took OwnForms::read_exim(std::string_view line, Stamp& stamp, Record& out) {
  const size_t n = line.size() > 10 && line[10] == ' ' ? parse_iso_stamp(line, stamp) : 0;
  if (n == 0 || n >= line.size())
    return n == 0 && read_stamp(Form::kSyslog, line, stamp) ? Took::kNoHeader : Took::kContinuation;
  out.program = "exim";
  out.message = line.substr(n + 1);
  out.message.remove_prefix(read_pid(out.message, out.pid));
  return Took::kRecord;
}

DovecotLevel find_dovecot_level(std::string_view text) {
  constexpr std::array<std::string_view, 6> kLevels = {
      "Info: ", "Warning: ", "Error: ", "Debug: ", "Fatal: ", "Panic: "};
  constexpr int kWords = 4;  // the level is behind the first colon or two
  size_t at = 0;
  for (int i = 0; i < kWords; ++i) {
    for (const std::string_view level : kLevels) {
      if (text.substr(at).starts_with(level)) return {at, level.size(), level == kLevels[0]};
    }
    const size_t colon = text.find(": ", at);
    if (colon == std::string_view::npos) break;
    at = colon + 2;
  }
  return {};
}

Took OwnForms::read_dovecot(std::string_view line, Stamp& stamp, Record& out) {
  if (line.empty()) return Took::kContinuation;
  size_t n = parse_traditional_stamp(line, stamp);
  if (n == 0) n = parse_iso_stamp(line, stamp);
  if (n == 0 || n + 1 >= line.size()) return Took::kNoHeader;
  out.program = "dovecot";
  out.message = line.substr(n + 1);
  const DovecotLevel level = find_dovecot_level(out.message);
  if (level.info) {
    joined_.assign(out.message.substr(0, level.at));
    joined_.append(out.message.substr(level.at + level.length));
    const size_t length = joined_.size();
    joined_.append(kRecordPadding, '\0');
    out.message = std::string_view(joined_).substr(0, length);
  }
  return Took::kRecord;
}

Took OwnForms::read_tai64(std::string_view line, Stamp& stamp, Record& out) {
  if (line.empty()) return Took::kContinuation;
  const size_t n = parse_tai64_stamp(line, stamp);
  if (n == 0 || n + 1 >= line.size()) return Took::kNoHeader;
  const std::string_view text = line.substr(n + 1);
  if (split_tag(text, out)) return Took::kRecord;
  const size_t blank = text.find(' ');
  if (blank != std::string_view::npos && is_name(text.substr(0, blank)) && split_tag(text.substr(blank + 1), out) &&
      out.pid != 0) {
    out.host = text.substr(0, blank);
    return Took::kRecord;
  }
  out.program = folder_program_;
  out.pid = 0;
  out.message = text;
  return Took::kRecord;
}

Took OwnForms::read_tagged(std::string_view line, Record& out) {
  if (line.empty()) return Took::kContinuation;
  return split_tag(line, out) ? Took::kRecord : Took::kNoHeader;
}

bool has_tag_and_pid(std::string_view line) {
  Record record;
  return split_tag(line, record) && record.pid != 0;
}

Took strip_exim_stamp(Record& record) {
  std::string_view& text = record.message;
  if (text.empty()) return Took::kRecord;
  if (is_digit(text[0])) {
    Stamp own;
    const size_t n = text.size() > 10 && text[10] == ' ' ? parse_iso_stamp(text, own) : 0;
    if (n != 0 && n < text.size()) text.remove_prefix(n + 1);
  }
  uint32_t pid = 0;
  if (const size_t n = read_pid(text, pid); n != 0) {
    if (record.pid == 0) record.pid = pid;
    text.remove_prefix(n);
  }
  return is_later_piece(text) ? Took::kContinuation : Took::kRecord;
}

}  // namespace mailward
