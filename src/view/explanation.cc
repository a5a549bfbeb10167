#include "view/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "view/sources.h"

namespace mailward {
namespace {

constexpr size_t kLongestLine = 4000;  // of a log line in words
constexpr size_t kMostNames = 20;      // of logins in words

// What ties lines together for a reader: the session's id, else the process.
using SessionName = std::tuple<std::string, uint32_t, std::string>;
SessionName session_of(const ExplainedEvent& event) {
  const std::string& id = event.fact(Fact::kSession);
  return {event.daemon, id.empty() ? event.pid : 0, id};
}

class Words {
 public:
  Words(const Explanation& explanation, const OtherLines& others, const ExplanationText& how, Output& out)
      : explanation_(explanation), others_(others), how_(how), screen_(how.screen), out_(out) {}

  void write() {
    verdict();
    if (explanation_.seen) {
      history();
      for (const bool broken : {true, false})
        for (const Verdict& each : explanation_.verdicts)
          if (each.broken == broken) policy(each);
      sessions();
    }
    other_lines();
  }

 private:
  std::string safe(std::string_view text, size_t columns = kLongestLine) const {
    return for_screen(text, columns, screen_.charset);
  }
  std::string time(Instant t) const { return format_local(t, how_.time, 19); }
  std::string place(uint32_t file, uint64_t line) const {
    return fmt::format("{}:{}", file < how_.files.size() ? safe(how_.files[file], 200) : "?", line);
  }
  void line(std::string_view text, std::string_view indent = "", Style style = Style::kPlain) {
    const std::string body = wrapped(text, screen_.width - std::min(screen_.width - 20, indent.size()), indent);
    out_.text() += std::string(indent) + styled(body, style, screen_) + '\n';
    out_.pass_on();
  }

  void verdict() {
    const std::string address = format_address(explanation_.address);
    if (!explanation_.seen && !how_.outside.empty()) line(how_.outside, "", Style::kCaution);
    if (!explanation_.seen)
      return line(
          address + (how_.in_span
                         ? " does nothing in the time asked for: no line of that time that is understood names it."
                         : " does nothing in these logs: no line that is understood names it."),
          "", Style::kBold);
    std::string text = address + (explanation_.offender ? " is an offender" : " is no offender");
    text += fmt::format(" under the policy {}", safe(how_.policy, 60));
    if (!explanation_.source.policies.empty())
      text += fmt::format(": {}", safe(fmt::format("{}", fmt::join(explanation_.source.policies, ", "))));
    line(text + '.', "", explanation_.offender ? Style::kAlarm : Style::kBold);
    if (!explanation_.ignored_by.empty())
      line(fmt::format("It is never an offender: {} is ignored.", safe(explanation_.ignored_by)));
    if (!explanation_.hint.empty()) line(explanation_.hint);
    if (explanation_.cut)
      line("More lines touch it than can be kept; what follows rests on a part of them.", "", Style::kCaution);
  }

  void history() {
    const SourceReport& source = explanation_.source;
    if (has_time(source.first)) {
      line(fmt::format("Seen from {} to {} ({}).", time(source.first), time(source.last), safe(how_.time.zone, 40)));
    }
    std::string told;
    for (size_t kind = 0; kind < kEventKinds; ++kind) {
      if (source.events[kind] == 0 || is_frame(static_cast<EventKind>(kind))) continue;
      told += fmt::format("{}{} {}", told.empty() ? "" : ", ", kEventKindInfo[kind].name, grouped(source.events[kind]));
    }
    line(told.empty() ? "It connected, and nothing more." : "Events: " + told + '.');
    if (!source.users.empty()) line("Logins tried: " + names() + '.');
  }

  std::string names() const {
    std::vector<std::pair<std::string, uint64_t>> users = explanation_.source.users;
    std::stable_sort(users.begin(), users.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text;
    for (size_t i = 0; i < std::min(kMostNames, users.size()); ++i) {
      text += fmt::format("{}{} {}", i == 0 ? "" : ", ", login_for_screen(users[i].first, 60, screen_.charset),
                          grouped(users[i].second));
    }
    if (users.size() > kMostNames) text += fmt::format(" and {} more", users.size() - kMostNames);
    return text;
  }

  void policy(const Verdict& each) {
    out_.text() += '\n';
    const std::string_view mark = each.broken ? "broken" : "kept";
    line(fmt::format("{}: {}", safe(each.name, 100), mark), "", each.broken ? Style::kAlarm : Style::kBold);
    line(safe(each.in_words), "  ");
    if (each.broken || !each.excused.empty()) evidence(each);
    if (each.login) {
      line("the login:", "  ", Style::kDim);
      evidence_line(*each.login);
    }
  }

  void evidence(const Verdict& each) {
    constexpr size_t kShown = 10;
    const size_t skipped = each.evidence.size() - std::min(kShown, each.evidence.size());
    if (skipped + each.evidence_left_out > 0)
      line(fmt::format("({} before these)", counted(skipped + each.evidence_left_out, "line")), "    ", Style::kDim);
    for (size_t i = skipped; i < each.evidence.size(); ++i) evidence_line(each.evidence[i]);
  }

  void evidence_line(const Evidence& one) {
    std::string text = fmt::format("{}  {}  {}", time(one.time), place(one.file, one.line), name_of(one.kind));
    if (one.count > 1) text += fmt::format(" ({} at once)", one.count);
    if (one.address != explanation_.address) text += "  " + format_address(one.address);
    if (!one.user.empty()) text += "  " + login_for_screen(one.user, 60, screen_.charset);
    out_.text() += "    " + text + '\n';
    out_.pass_on();
  }

  // Sessions in the order of their first line, each with its lines.
  void sessions() {
    const auto& events = explanation_.events;
    const size_t first = events.size() - std::min(how_.most_lines, events.size());
    std::map<SessionName, size_t> open;  // into `order`
    std::vector<std::vector<size_t>> order;
    for (size_t i = first; i < events.size(); ++i) {
      const auto [at, is_new] = open.try_emplace(session_of(events[i]), order.size());
      if (!is_new && begins_another(order[at->second], events[i])) at->second = order.size();
      if (at->second == order.size()) order.emplace_back();
      order[at->second].push_back(i);
    }
    out_.text() += '\n';
    const uint64_t left_out = explanation_.events_left_out + first;
    line(left_out > 0
             ? fmt::format("Its last {} (--format json shows more; {} before):", counted(events.size() - first, "line"),
                           grouped(left_out))
             : "Its log lines:",
         "", Style::kBold);
    for (const auto& list : order) session(list);
  }

  // The numbers of processes are used again, and one process serves one client after the other. (An event that its
  // session owed is told at its end, with the place of its own line.)
  bool begins_another(const std::vector<size_t>& list, const ExplainedEvent& event) const {
    const auto is = [&](size_t i, EventKind kind) { return explanation_.events[i].kind == kind; };
    const ExplainedEvent& last = explanation_.events[list.back()];
    const bool behind = event.file != last.file || event.line > last.line;
    if (last.kind == EventKind::kDisconnect && behind && event.fact(Fact::kSession).empty()) return true;
    return event.kind == EventKind::kConnect &&
           std::any_of(list.begin(), list.end(), [&](size_t i) { return is(i, EventKind::kConnect); });
  }

  void session(const std::vector<size_t>& list) {
    const ExplainedEvent& head = explanation_.events[list.front()];
    std::string title = safe(head.daemon, 40);
    if (!head.fact(Fact::kService).empty()) title += ' ' + safe(head.fact(Fact::kService), 40);
    if (!head.fact(Fact::kSession).empty()) {
      title += ", session " + safe(head.fact(Fact::kSession), 60);
    } else if (head.pid != 0) {
      title += fmt::format(", process {}", head.pid);
    }
    line(fmt::format("{}  {}", time(head.time), title), "  ", Style::kDim);
    for (const size_t i : list) {
      const ExplainedEvent& event = explanation_.events[i];
      out_.text() +=
          fmt::format("    {}  {}", place(event.file, event.line),
                      styled(name_of(event.kind),
                             severity_of(event.kind) == Severity::kHostile ? Style::kAlarm : Style::kPlain, screen_));
      if (event.count > 1) out_.text() += fmt::format(" x{}", event.count);
      out_.text() += '\n';
      if (!event.raw.empty()) out_.text() += "      " + safe(event.raw) + '\n';
      out_.pass_on();
    }
  }

  void other_lines() {
    constexpr size_t kShown = 40;
    if (others_.lines.empty()) return;
    const size_t shown = std::min(kShown, others_.lines.size());
    const uint64_t more = others_.lines.size() - shown + others_.left_out;
    out_.text() += '\n';
    line(std::string(explanation_.seen ? "Lines of its sessions, or that hold its address, and count for nothing"
                                       : "Lines that hold its address, and count for nothing") +
             (more > 0 ? fmt::format(" (the first {}; {} more):", shown, grouped(more)) : ":"),
         "", Style::kBold);
    for (size_t i = 0; i < shown; ++i) {
      const OtherLines::Line& other = others_.lines[i];
      out_.text() += fmt::format("    {}\n      {}\n", place(other.file, other.line), safe(other.text));
      out_.pass_on();
    }
  }

  const Explanation& explanation_;
  const OtherLines& others_;
  const ExplanationText& how_;
  const Screen& screen_;
  Output& out_;
};

}  // namespace

void write_explanation(const Explanation& explanation, const OtherLines& others, const ExplanationText& how,
                       Output& out) {
  Words(explanation, others, how, out).write();
}

}  // namespace mailward
