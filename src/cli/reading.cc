#include "cli/reading.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "cli/progress.h"
#include "cli/terminal.h"
#include "grammar/check.h"
#include "lockdown/lockdown.h"
#include "view/screen.h"

namespace mailward {
namespace {

// Text without a header has no time; a span of time would silently leave it all out.
Outcome<void> refuse_span_without_times(const Settings& settings, const OpenedLogs& logs) {
  if (!has_time(settings.since) && !has_time(settings.until)) return {};
  for (const LogSet& set : logs.sets) {
    for (const LogPart& part : set.parts) {
      if (!is_without_time(part.form)) continue;
      return wrong_usage(fmt::format(
          "{}: its lines have no time, so --since and --until can't be applied; leave them out", part.name));
    }
  }
  return {};
}

// Our own rules were proved before they were installed. What a site adds is proved here, with all that
// it stands beside: an unsound rule could accuse a bystander.
Outcome<void> refuse_unsound_site_rules(const Settings& settings, const Grammar& grammar) {
  if (settings.rule_folders.size() < 2) return {};
  const auto own = Grammar::load(std::span(settings.rule_folders).first(1));
  if (!own) return failed(own.error().message);
  const auto report = check_added_rules(grammar, *own);
  if (!report) return failed(report.error().message);
  for (const ProgramCheck& program : report->programs) {
    if (program.findings.empty()) continue;
    return failed(
        fmt::format("{}; `mailward rules check` shows the line. Nothing was read", program.findings.front().sentence));
  }
  return {};
}

void invite(const OpenedFiles& files, const Messages& messages) {
  const bool typed =
      std::any_of(files.parts.begin(), files.parts.end(), [](const LogPart& part) { return part.name == "-"; });
  if (typed && ::isatty(STDIN_FILENO) == 1) messages.note("reading standard input; end it with Ctrl-D");
}

// `… | mailward scan` reads this machine's log: whoever types it may have meant the pipe.
void warn_of_unread_input(const Messages& messages) {
  struct stat input{};
  if (::fstat(STDIN_FILENO, &input) != 0) return;
  int waiting = 0;
  const bool pipe = S_ISFIFO(input.st_mode) && ::ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting > 0;
  const bool file = S_ISREG(input.st_mode) && input.st_size > ::lseek(STDIN_FILENO, 0, SEEK_CUR);
  if (pipe || file) messages.note("standard input is not read; to read it, name it: mailward scan -");
}

void tell_what_is_read(const OpenedLogs& logs, const Messages& messages) {
  for (const LogSet& set : logs.sets) {
    for (const LogPart& part : set.parts) {
      messages.detail(fmt::format("{}: {}", part.name, name_of(part.form)));
    }
  }
}

}  // namespace

Outcome<Grammar> grammar_of(const Settings& settings) {
  auto grammar = settings.rule_folders.size() == 1 ? Grammar::open(settings.rule_folders[0])
                                                   : Grammar::load(settings.rule_folders);
  if (!grammar) return failed(grammar.error().message);
  if (auto sound = refuse_unsound_site_rules(settings, *grammar); !sound) return std::unexpected(sound.error());
  return std::move(*grammar);
}

Outcome<Inputs> open_inputs(const Settings& settings, const Messages& messages) {
  auto grammar = grammar_of(settings);
  if (!grammar) return std::unexpected(grammar.error());
  OpenedFiles files = open_files(settings.files);
  const auto locked = lock_in();
  if (!locked) return failed(locked.error().message);
  messages.detail(*locked);
  invite(files, messages);
  if (!settings.files_typed) warn_of_unread_input(messages);
  return arrange_inputs(settings, std::move(*grammar), std::move(files), messages);
}

Outcome<Inputs> arrange_inputs(const Settings& settings, Grammar grammar, OpenedFiles files, const Messages& messages) {
  Inputs inputs{std::move(grammar), arrange_logs(std::move(files))};
  for (const std::string& sentence : inputs.logs.trouble) messages.error(sentence);
  if (inputs.logs.sets.empty()) return failed("nothing could be read; name a mail log, or - for standard input");
  if (auto fits = refuse_span_without_times(settings, inputs.logs); !fits) return std::unexpected(fits.error());
  tell_what_is_read(inputs.logs, messages);
  return inputs;
}

ReadOptions read_options(const Settings& settings) {
  ReadOptions options;
  options.zone = &settings.zone;
  options.year = settings.year;
  options.now = settings.now;
  options.threads = settings.threads;
  options.since = settings.since;
  options.until = settings.until;
  return options;
}

ReadFigures read_logs(Inputs& inputs, const ReadOptions& options, const GlobalOptions& globals, bool bar,
                      const EventSink& take) {
  const Messages messages = globals.messages();
  const Surroundings around = surroundings_of(STDERR_FILENO);
  Progress progress(bar && around.is_terminal && !messages.quiet() ? STDERR_FILENO : -1,
                    screen_of(around, ColorChoice::kNever));
  ReadFigures figures = read_events(inputs.logs.sets, inputs.grammar, options, take,
                                    [&](uint64_t bytes, uint64_t total) { progress.show(bytes, total); });
  progress.clear();
  for (const std::string& sentence : figures.trouble) messages.error(sentence);
  return figures;
}

void tell_mixtures(const ReadFigures& figures, const Messages& messages) {
  constexpr size_t kShown = 5;
  for (const MixedFile& file : std::span(figures.mixed).first(std::min(kShown, figures.mixed.size())))
    messages.note(
        fmt::format("{}: {} of {} have another form than most lines of the file, or none, and were not understood; if "
                    "several logs are in it, give each a file of its own",
                    file.name == "-" ? "standard input" : file.name, grouped(file.odd), counted(file.lines, "line")));
  if (figures.mixed.size() > kShown)
    messages.note(fmt::format("{} of such a mixture", counted(figures.mixed.size() - kShown, "more file")));
}

InputReport input_report(const ReadFigures& figures, const OpenedLogs& logs) {
  InputReport input;
  input.files = logs.names;
  input.bytes = figures.bytes;
  input.lines = figures.lines;
  input.events = figures.events;
  input.not_understood = figures.not_understood;
  input.other_programs = figures.other_programs;
  input.ambiguous = figures.ambiguous;
  input.lost = figures.lost;
  input.overlong = figures.overlong;
  input.unheeded = figures.unheeded;
  input.no_header = figures.no_header;
  input.unshown = figures.unshown;
  input.continued = figures.continued;
  input.untrusted = figures.untrusted;
  input.first = figures.first;
  input.last = figures.last;
  return input;
}

int status_of(const ReadFigures& figures, const OpenedLogs& logs) {
  return figures.trouble.empty() && logs.trouble.empty() ? kDone : kFailed;
}

int finish_output(Output& out, const Messages& messages, int status) {
  if (out.finish() != Output::Trouble::kWriteFailed) return status;
  messages.error(fmt::format("standard output: {}; the results are not complete", std::strerror(out.error_number())));
  return kFailed;
}

}  // namespace mailward
