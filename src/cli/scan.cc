// mailward scan: reads whole logs and prints who attacks.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/reading.h"
#include "judge/judge.h"
#include "view/csv.h"
#include "view/json.h"
#include "view/lists.h"
#include "view/table.h"

namespace mailward {
namespace {

// A format, and what it needs to know: less to remember makes a scan lighter.
struct Format {
  std::string_view name;
  Told told;
  bool users, activity;
  bool totals;  // what was read, and how much of it was understood
};

constexpr std::array<Format, 6> kFormats{{
    {"table", Told::kAll, true, true, true},
    {"plain", Told::kOffenders, false, false, false},
    {"counts", Told::kHostile, false, false, false},
    {"csv", Told::kAll, true, false, true},
    {"json", Told::kAll, true, false, true},
    {"ndjson", Told::kAll, true, false, true},
}};

Outcome<Format> choose_view(const std::string& typed, bool terminal) {
  std::array<std::string_view, kFormats.size()> names;
  for (size_t i = 0; i < kFormats.size(); ++i) names[i] = kFormats[i].name;
  const auto name = choose_format(typed, terminal ? "table" : "plain", names);
  if (!name) return std::unexpected(name.error());
  return *std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& format) { return format.name == *name; });
}

bool is_pipe(const LogPart& part) { return part.name == "-" || (part.source && !part.source->rewindable()); }

TableOptions table_options(const GlobalOptions& globals, const LogOptions& options, const Settings& settings,
                           const OpenedLogs& logs) {
  TableOptions table;
  table.screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  table.time = local_time(settings.zone);
  table.hints = globals.quiet == 0;
  table.same_input = same_words(globals, options, table.screen.charset);
  table.since = settings.since;
  table.until = settings.until;
  for (const LogSet& set : logs.sets)
    table.read_once = table.read_once || std::any_of(set.parts.begin(), set.parts.end(), is_pipe);
  return table;
}

std::unique_ptr<ReportView> make_view(std::string_view format, Output& out, const TableOptions& table) {
  if (format == "plain") return std::make_unique<PlainView>(out);
  if (format == "counts") return std::make_unique<CountsView>(out);
  if (format == "csv") return std::make_unique<CsvView>(out);
  if (format == "json") return std::make_unique<JsonView>(out);
  if (format == "ndjson") return std::make_unique<NdjsonView>(out);
  return std::make_unique<TableView>(out, table);
}

Judge make_judge(const Settings& settings, const Format& format) {
  JudgeConfig config;
  config.policies = settings.policies;
  config.local_domains = settings.local_domains;
  config.ignore = settings.ignore;
  config.told = format.told;
  config.keep_users = format.users;
  config.keep_activity = format.activity;
  return Judge(std::move(config));
}

Outcome<int> scan(const GlobalOptions& globals, const LogOptions& options) {
  const Messages messages = globals.messages();
  const auto format = choose_view(options.format, ::isatty(STDOUT_FILENO) == 1);
  if (!format) return std::unexpected(format.error());
  const auto settings = settle(globals, options);
  if (!settings) return std::unexpected(settings.error());
  auto inputs = open_inputs(*settings, messages);
  if (!inputs) return std::unexpected(inputs.error());
  const TableOptions table = table_options(globals, options, *settings, inputs->logs);
  Judge judge = make_judge(*settings, *format);

  ReadOptions reading = read_options(*settings);
  reading.wanted = judge.needed_kinds();
  if (!format->totals) inputs->grammar.narrow(reading.wanted);
  reading.keep_facts = false;
  const ReadFigures figures =
      read_logs(*inputs, reading, globals, true, [&](std::span<const Event> batch) { judge.take(batch); });

  Output out(STDOUT_FILENO);
  const std::unique_ptr<ReportView> view = make_view(format->name, out, table);
  const InputReport input = input_report(figures, inputs->logs);
  view->begin({input, settings->policies.name});
  judge.finish(input, [&](SourceReport&& source) { view->source(std::move(source)); });
  view->end();
  tell_mixtures(figures, messages);
  // A table says it itself.
  if (const std::string why = why_nothing(input, settings->since, settings->until, table.time);
      !why.empty() && format->name != "table")
    messages.note(why);
  return finish_output(out, messages, status_of(figures, inputs->logs));
}

}  // namespace

Body declare_scan(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<LogOptions>();
  declare_files(app, *options);
  declare_log_options(app, *options, "table, plain, counts, csv, json or ndjson");
  return [&globals, options] { return status_or_end(scan(globals, *options), globals.messages()); };
}

}  // namespace mailward
