#include "log/meta.h"

#include <array>

namespace mailward {
namespace {

constexpr size_t kInnerLimit = 800;  // "%.800s" in ratelimit.c of rsyslog

// Numbers at the beginning of `text`, taken off it; false: there is none, or more than nine digits.
bool take_number(std::string_view& text, uint64_t& out) {
  size_t n = 0;
  out = 0;
  while (n < text.size() && n < 10 && text[n] >= '0' && text[n] <= '9')
    out = out * 10 + static_cast<uint64_t>(text[n++] - '0');
  if (n == 0 || n > 9) return false;
  text.remove_prefix(n);
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// "message repeated 3 times: [ text]": the inner text as it stood after the tag.
Meta repeated(std::string_view text) {
  Meta m;
  if (!take(text, "message repeated ") || !take_number(text, m.count) || !take(text, " times: [") ||
      !text.ends_with(']'))
    return {};
  text.remove_suffix(1);
  m.cut = text.size() >= kInnerLimit;
  if (text.starts_with(' ')) text.remove_prefix(1);
  m.inner = text;
  m.kind = Meta::Kind::kRepeatInner;
  return m;
}

// "last message repeated 3 times" (BSD, sysklogd), "Last message 'text' repeated 3 times" is syslog-ng's.
Meta repeated_last(std::string_view text) {
  Meta m;
  if (text.starts_with("Last message '")) {
    const size_t end = text.rfind("' repeated ");
    if (end == std::string_view::npos || end < 14) return {};
    m.inner = text.substr(14, end - 14);
    text.remove_prefix(end + 11);
    if (!take_number(text, m.count) || !text.starts_with(" times")) return {};
    m.kind = Meta::Kind::kRepeatLast;
    m.inner = {};
    return m;
  }
  if (!take(text, "last message repeated ") || !take_number(text, m.count) || !text.starts_with(" time")) return {};
  m.kind = Meta::Kind::kRepeatLast;
  return m;
}

bool writes_logs(std::string_view program) {
  constexpr std::array<std::string_view, 9> kNames = {"rsyslogd",        "rsyslogd-2177", "systemd-journald",
                                                      "systemd-journal", "journal",       "syslogd",
                                                      "syslog-ng",       "sendsyslog",    "kernel"};
  for (const std::string_view name : kNames) {
    if (program == name) return true;
  }
  return false;
}

// The number right before `what`; 0 where none stands there.
uint64_t number_before(std::string_view text, std::string_view what) {
  const size_t at = text.find(what);
  if (at == std::string_view::npos) return 0;
  size_t from = at;
  while (from > 0 && at - from < 9 && text[from - 1] >= '0' && text[from - 1] <= '9') --from;
  uint64_t n = 0;
  std::string_view digits = text.substr(from, at - from);
  return take_number(digits, n) ? n : 0;
}

// Wording: imuxsock.c (rsyslog 5) "imuxsock lost N messages from pid P due to rate-limiting"; ratelimit.c
// (rsyslog 7 and later) "imuxsock[pid P]: begin to drop messages due to rate-limiting", "…: N messages
// lost due to rate-limiting"; journald-server.c (journald-manager.c in later versions) "Suppressed N messages
// from …"; journald-kmsg.c "Missed N kernel messages"; journald-syslog.c "Forwarding to syslog missed N
// messages."; OpenBSD's kernel "sendsyslog: dropped N messages, error …", its syslogd "dropped N messages to …".
// "Missed N entries of the journal" is ours (journal_fields.h).
constexpr std::string_view kPlaces[] = {" messages lost due to rate-limiting",
                                        " messages from ",
                                        " messages.",
                                        " messages,",
                                        " message,",
                                        " messages to ",
                                        " message to ",
                                        " kernel messages",
                                        " entries of the journal"};

Meta lost(std::string_view text) {
  Meta m;
  m.kind = Meta::Kind::kLoss;
  for (const std::string_view place : kPlaces) {
    m.count = number_before(text, place);
    if (m.count != 0) break;
  }
  return m;
}

// What the journal itself lacks.
bool admits_journal_loss(std::string_view text) {
  return text.starts_with("Suppressed ") || text.starts_with("Missed ");
}

bool admits_loss(std::string_view text) {
  return admits_journal_loss(text) || text.find("due to rate-limiting") != std::string_view::npos ||
         text.starts_with("Forwarding to syslog missed ") || text.starts_with("dropped ");
}

// In the journal, any service can take any name; only what journald itself wrote is marked as driver's. And
// what other loggers lost on their way, the journal has.
Meta loss(const Record& record) {
  const bool admitted = record.origin != nullptr
                            ? record.origin->transport == "driver" && admits_journal_loss(record.message)
                            : writes_logs(record.program) && admits_loss(record.message);
  return admitted ? lost(record.message) : Meta{};
}

}  // namespace

Meta classify(const Record& record) {
  const std::string_view text = record.message;
  if (text.size() < 16) return {};
  if (text.front() == 'm') return repeated(text);
  if (text.front() == 'l' || text.front() == 'L') return repeated_last(text);
  return loss(record);
}

}  // namespace mailward
