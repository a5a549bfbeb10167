#include "cli/rules_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace mailward {
namespace {

constexpr size_t kAnyLength = 4096;  // of a pattern or a witness, never cut in practice

std::string events_of_rule(const Rule& rule) {
  if (rule.events.empty()) return "-";
  std::string text;
  for (EventKind kind : rule.events) {
    if (!text.empty()) text += ", ";
    text += name_of(kind);
  }
  return text;
}

// A witness and its marks as they stand below each other: what is escaped takes several columns.
std::pair<std::string, std::string> aligned(const std::string& witness, const std::string& marks) {
  std::pair<std::string, std::string> rows;
  for (size_t i = 0; i < witness.size(); ++i) {
    const std::string shown = for_screen(std::string_view(witness).substr(i, 1), kAnyLength, Charset::kAscii);
    rows.first += shown;
    rows.second.append(shown.size(), i < marks.size() && marks[i] != '.' ? marks[i] : ' ');
  }
  rows.second.resize(rows.second.find_last_not_of(' ') + 1);
  return rows;
}

// Where a daemon's rules stand.
std::string files_of(const Grammar& grammar, const std::string& daemon) {
  std::string paths;
  for (const auto& file : grammar.files()) {
    if (file->daemon == daemon) paths += (paths.empty() ? "" : ", ") + file->path;
  }
  return paths;
}

void write_finding(const std::string& files, const ProgramCheck& program, const Finding& finding, const Screen& screen,
                   Output& out) {
  const auto place = [&](const Rule& rule) {
    return fmt::format("{} ({}line {})", rule.name, rule.path == files ? "" : rule.path + " ", rule.at_line);
  };
  std::string rules = place(*finding.first);
  if (finding.second && finding.second != finding.first) rules += " and " + place(*finding.second);
  const std::string title = fmt::format("{}: {}: {}", files, program.program, rules);
  out.text() += styled(for_screen(title, kAnyLength, screen.charset), Style::kAlarm, screen) + '\n';
  out.text() += "  " + wrapped(for_screen(finding.sentence, kAnyLength, screen.charset), screen.width - 2, "  ") + '\n';
  const auto first = aligned(finding.witness, finding.first_marks);
  const auto second = aligned(finding.witness, finding.second_marks);
  out.text() += "    line    " + first.first + '\n';
  if (!first.second.empty()) out.text() += "    one     " + first.second + '\n';
  if (!second.second.empty()) out.text() += "    other   " + second.second + '\n';
  out.pass_on();
}

}  // namespace

void write_daemons(const std::vector<RuleFile>& files, const Screen& screen, bool cut, Output& out) {
  const size_t longest_name = cut ? 20 : kAnyLength, longest_versions = cut ? 30 : kAnyLength;
  size_t name_width = 6, versions_width = 8;
  for (const RuleFile& file : files) {
    name_width = std::max(name_width, width_of(for_screen(file.daemon, longest_name, screen.charset)));
    versions_width = std::max(versions_width, width_of(for_screen(file.versions, longest_versions, screen.charset)));
  }
  // On a narrow screen the versions give way.
  const bool versions_too = !cut || name_width + versions_width + 30 <= screen.width;
  const auto row = [&](const std::string& daemon, const std::string& versions, const std::string& lines,
                       const std::string& about) {
    const std::string middle = versions_too ? padded(versions, versions_width) + "  " : "";
    const std::string left = padded(daemon, name_width) + "  " + middle + lines + "  ";
    const size_t room = cut ? screen.width - std::min(screen.width, width_of(left)) : kAnyLength;
    return left + for_screen(about, room, screen.charset);
  };
  out.text() += styled(row("DAEMON", "VERSIONS", "RULES", "ABOUT"), Style::kBold, screen) + '\n';
  size_t lines = 0;
  for (const RuleFile& file : files) {
    out.text() += row(for_screen(file.daemon, longest_name, screen.charset),
                      for_screen(file.versions, longest_versions, screen.charset),
                      fmt::format("{:5}", file.rules.size()), file.about);
    out.text() += '\n';
    lines += file.rules.size();
  }
  const std::string daemon = files.empty() ? "DAEMON" : for_screen(files.front().daemon, 40, screen.charset);
  out.text() += '\n' +
                wrapped(fmt::format("{} of {}. Those of one: mailward rules list {}", counted(lines, "rule"),
                                    counted(files.size(), "daemon"), daemon),
                        screen.width, "  ") +
                '\n';
}

void write_daemon(const RuleFile& file, const Screen& screen, Output& out) {
  const auto text = [&](std::string_view raw) { return for_screen(raw, kAnyLength, screen.charset); };
  out.text() += styled(text(file.daemon + " " + file.versions), Style::kBold, screen) + '\n';
  out.text() += wrapped(text(file.about), screen.width, "") + '\n';
  out.text() += wrapped("Evidence: " + text(file.evidence), screen.width, "  ") + '\n';
  for (const Rule& rule : file.rules) {
    out.text() += fmt::format(
        "\n{}  {}  {}\n  {}\n", styled(text(rule.name), Style::kBold, screen), events_of_rule(rule),
        styled(text(fmt::format("{}", fmt::join(rule.programs, " "))), Style::kDim, screen), text(rule.text));
    out.pass_on();
  }
}

void write_check(const CheckReport& report, const Grammar& grammar, const Screen& screen, Output& out) {
  for (const std::string& complaint : report.complaints) {
    out.text() += styled(for_screen(complaint, kAnyLength, screen.charset), Style::kAlarm, screen) + '\n';
  }
  for (const ProgramCheck& program : report.programs) {
    for (const Finding& finding : program.findings)
      write_finding(files_of(grammar, program.daemon), program, finding, screen, out);
  }
}

void write_samples(const SampleReport& report, const Screen& screen, bool quiet, Output& out) {
  for (const std::string& failure : report.failures) {
    out.text() += styled(for_screen(failure, kAnyLength, screen.charset), Style::kAlarm, screen) + '\n';
    out.pass_on();
  }
  if (quiet) return;
  for (const std::string& rule : report.without_sample) {
    out.text() += styled(for_screen(rule, kAnyLength, screen.charset), Style::kCaution, screen) + '\n';
    out.pass_on();
  }
  size_t width = 6;
  for (const auto& daemon : report.daemons)
    width = std::max(width, width_of(for_screen(daemon.name, 20, screen.charset)));
  out.text() +=
      styled(padded("DAEMON", width) + "  RULES  WITH SAMPLE  SAMPLES  NEGATIVE  STORIES", Style::kBold, screen) + '\n';
  size_t samples = 0;
  for (const auto& daemon : report.daemons) {
    out.text() +=
        fmt::format("{}  {:5}  {:11}  {:7}  {:8}  {:7}\n", padded(for_screen(daemon.name, 20, screen.charset), width),
                    daemon.rules, daemon.rules_with_sample, daemon.samples, daemon.negatives, daemon.stories);
    samples += daemon.samples + daemon.negatives + daemon.stories;
  }
  out.text() += fmt::format("\n{}, {}.\n", counted(samples, "sample"), counted(report.failures.size(), "failure"));
}

}  // namespace mailward
