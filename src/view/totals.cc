#include "view/totals.h"

#include <fmt/format.h>

#include <string>

namespace mailward {
namespace {

// "0.4 %"; never "0 %" of something, nor "100 %" of less than all.
std::string percent(uint64_t part, uint64_t whole) {
  if (part == 0 || whole == 0) return "0 %";
  if (part >= whole) return "100 %";
  const double share = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (share < 0.1) return "under 0.1 %";
  if (share > 99.9) return "over 99.9 %";
  return fmt::format("{:.1f} %", share);
}

std::string found(const ReportHead& head, const Totals& totals, Charset charset) {
  const std::string offenders = totals.offenders == 0 ? "No offenders" : counted(totals.offenders, "offender");
  std::string text = fmt::format("{} among {} (policy: {})", offenders, counted(totals.sources, "source"),
                                 for_screen(head.policy, 60, charset));
  // Both numbers: with the offenders they make all sources.
  const uint64_t quiet = totals.sources - totals.offenders - totals.others;
  if (totals.others > 0)
    text += fmt::format("; {} broke no policy", counted(totals.others, totals.offenders > 0 ? "other" : "source"));
  if (quiet > 0)
    text += fmt::format("{} {} did nothing hostile or weak", totals.others > 0 ? " and" : ";", grouped(quiet));
  return text + '.';
}

std::string name_of_input(const InputReport& input, Charset charset) {
  return input.files.front() == "-" ? "standard input" : for_screen(input.files.front(), 60, charset);
}

bool is_empty(const InputReport& input) { return input.lines == 0 && !input.files.empty(); }

std::string emptiness(const InputReport& input, Charset charset) {
  if (input.files.size() > 1) return fmt::format("All {} files are empty.", input.files.size());
  std::string text = name_of_input(input, charset) + " is empty.";
  if (input.files.front() == "-") text.front() = 'S';
  return text;
}

std::string read(const InputReport& input, const LocalTime& time, Charset charset) {
  std::string text = fmt::format("{} in {} ({})", counted(input.events, "event"), counted(input.lines, "line"),
                                 format_bytes(input.bytes));
  if (input.files.size() == 1) {
    text += " of " + name_of_input(input, charset);
  } else {
    text += fmt::format(" of {}", counted(input.files.size(), "file"));
  }
  if (has_time(input.first)) {
    text += fmt::format(", {} to {} ({})", format_local(input.first, time, 16), format_local(input.last, time, 16),
                        for_screen(time.zone, 40, charset));
  }
  return text + '.';
}

// "Not understood: 0.4 % of the lines (12). …"
std::string doubts(const InputReport& input) {
  std::string text = fmt::format("Not understood: {} of the lines", percent(input.not_understood, input.lines));
  if (input.not_understood > 0) text += fmt::format(" ({})", grouped(input.not_understood));
  if (input.other_programs > 0)
    text += fmt::format("; of other programs: {}", percent(input.other_programs, input.lines));
  if (input.continued > 0)
    text += fmt::format("; empty, or part of the line before: {}", percent(input.continued, input.lines));
  text += '.';
  if (input.ambiguous > 0) {
    text += fmt::format(" {} could be read as two addresses: charged to nobody.", counted(input.ambiguous, "line"));
  }
  if (input.untrusted > 0)
    text += fmt::format(" {} not believed: an ordinary user wrote {}.",
                        input.untrusted == 1 ? "1 line is" : grouped(input.untrusted) + " lines are",
                        input.untrusted == 1 ? "it" : "them");
  if (input.lost > 0) text += fmt::format(" The log admits {} where lines are missing.", counted(input.lost, "gap"));
  if (input.overlong > 0)
    text += fmt::format(" {} longer than can be and cut.",
                        input.overlong == 1 ? "1 line was" : grouped(input.overlong) + " lines were");
  return text;
}

std::string unknown_hint(const TableOptions& options) {
  const bool again = !options.read_once && !options.same_input.empty();
  return "mailward events --unknown" + (again ? ' ' + options.same_input : "");
}

std::string hint(const Totals& totals, const TableOptions& options) {
  if (totals.worst.empty() || options.read_once) return "";
  const std::string words = options.same_input.empty() ? "" : ' ' + options.same_input;
  return fmt::format("mailward explain {}{}", format_address(totals.worst), words);
}

}  // namespace

std::string why_nothing(const InputReport& input, Instant since, Instant until, const LocalTime& time) {
  if (has_time(since) && has_time(input.last) && input.last < since)
    return fmt::format("Nothing lies in the time asked for: the log ends at {}, before --since.",
                       format_local(input.last, time, 16));
  if (has_time(until) && has_time(input.first) && input.first >= until)
    return fmt::format("Nothing lies in the time asked for: the log begins at {}, not before --until.",
                       format_local(input.first, time, 16));
  if (input.lines > 0 && input.events == 0 && input.ambiguous == 0 && input.unheeded == 0)
    return "No line of it tells of a client; `mailward rules list` names the daemons whose lines are known.";
  return "";
}

void write_totals(const ReportHead& head, const Totals& totals, const TableOptions& options, Output& out) {
  const Screen& screen = options.screen;
  const auto line = [&](const std::string& text, Style style) {
    if (!text.empty()) out.text() += styled(wrapped(text, screen.width, "  "), style, screen) + '\n';
  };
  // On a line of its own, however long: what is pasted must be one command.
  const auto command = [&](std::string_view title, const std::string& text) {
    if (text.empty()) return;
    line(std::string(title), Style::kDim);
    out.text() += "  " + styled(text, Style::kDim, screen) + '\n';
  };
  line(found(head, totals, screen.charset), Style::kBold);
  if (is_empty(head.input)) return line(emptiness(head.input, screen.charset), Style::kCaution);
  line(read(head.input, options.time, screen.charset), Style::kPlain);
  const bool much = head.input.not_understood * 20 > head.input.lines;
  line(doubts(head.input), much ? Style::kCaution : Style::kPlain);
  if (much && options.hints && head.input.not_understood > head.input.unshown)
    command("The lines that were not understood:", unknown_hint(options));
  line(why_nothing(head.input, options.since, options.until, options.time), Style::kCaution);
  if (options.hints) command(totals.offenders > 0 ? "Why:" : "Why not:", hint(totals, options));
}

}  // namespace mailward
