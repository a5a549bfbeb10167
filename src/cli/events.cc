// mailward events: prints each recognised event, one JSON object a line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/reading.h"
#include "view/event_lines.h"
#include "view/totals.h"

namespace mailward {
namespace {

constexpr std::array<std::string_view, 2> kEventFormats{"ndjson", "json"};  // the same: one object a line

// Kinds that are no event of anybody's are counted only.
constexpr KindSet kAllEvents = ~(bit(EventKind::kNone) | bit(EventKind::kAmbiguous));

Outcome<int> events(const GlobalOptions& globals, const LogOptions& options, bool unknown) {
  const Messages messages = globals.messages();
  if (const auto format = choose_format(options.format, "ndjson", kEventFormats); !format)
    return std::unexpected(format.error());
  const auto settings = settle(globals, options);
  if (!settings) return std::unexpected(settings.error());
  auto inputs = open_inputs(*settings, messages);
  if (!inputs) return std::unexpected(inputs.error());
  const bool bar = ::isatty(STDOUT_FILENO) != 1;  // the lines themselves show that something goes on

  ReadOptions reading = read_options(*settings);
  reading.wanted = unknown ? 0 : kAllEvents;
  reading.unexplained = reading.keep_raw = unknown;
  reading.patience = Patience::kWhileItComes;  // somebody may be watching a log that goes on
  Output out(STDOUT_FILENO);
  EventLines lines(inputs->logs.names);
  const ReadFigures figures = read_logs(*inputs, reading, globals, bar, [&](std::span<const Event> batch) {
    lines.write(batch, out);
    if (out.trouble() != Output::Trouble::kNone)
      std::_Exit(finish_output(out, messages, kDone));  // nobody takes the rest
  });
  const int status = finish_output(out, messages, status_of(figures, inputs->logs));
  const InputReport input = input_report(figures, inputs->logs);
  if (unknown) return status;
  tell_mixtures(figures, messages);
  if (const std::string why = why_nothing(input, settings->since, settings->until, local_time(settings->zone));
      !why.empty())
    messages.note(why);
  return status;
}

}  // namespace

Body declare_events(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<LogOptions>();
  declare_files(app, *options);
  declare_log_options(app, *options, "ndjson or json: one JSON object a line", Judged::kNo);
  auto unknown = std::make_shared<bool>(false);
  app.add_flag("--unknown", *unknown, "instead, the lines of known daemons that no rule explains")->group("Output");
  return
      [&globals, options, unknown] { return status_or_end(events(globals, *options, *unknown), globals.messages()); };
}

}  // namespace mailward
