// mailward import logs: the ledger is filled from archives. What sources did is counted, with its lines; nobody is
// banned for it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/text.h"
#include "cli/by_hand.h"
#include "cli/command.h"
#include "cli/reading.h"
#include "ledger/ledger.h"
#include "lockdown/lockdown.h"
#include "log/follow/position.h"
#include "log/follow/text_hash.h"

namespace mailward {
namespace {

constexpr size_t kGroup = 100'000;  // events of one transaction
constexpr size_t kHead = 65536;     // bytes that a file is known by
constexpr std::chrono::milliseconds kWaitForAnother{10'000};

// A file is known again by its first bytes and its size.
std::string name_of_import(LogPart& part) {
  const std::string_view head = part.source->peek(kHead);
  return fmt::format("import:{:016x}{:016x}", text_hash(1, head), text_hash(2 + part.source->size(), head));
}

// Did the daemon read this file, or is it just reading it?
Result<bool> was_followed(Ledger& ledger, const LogPart& part) {
  auto inputs = ledger.inputs();
  if (!inputs) return std::unexpected(inputs.error());
  for (const InputRow& row : *inputs) {
    auto position = position_from_text(row.position);
    if (!position) continue;
    std::vector<Place> places = position->earlier;
    places.push_back(position->at);
    for (const Place& place : places) {
      Position one = *position;
      one.at = place;
      one.earlier.clear();
      if (place.offset > 0 && matches(part.source->fd(), one)) return true;
    }
  }
  return false;
}

// What was begun must be ended with the same files, for how far it came is counted over all of them.
constexpr std::string_view kBegun = "begun", kDoneWith = "done";

struct Import {
  std::vector<InputRow> files;
  InputRow set;       // `lines`: events that are stored
  uint64_t skip = 0;  // of them, from an attempt that was cut off
};

// Leaves out of `files` what is known already.
Outcome<Import> choose(Ledger& ledger, OpenedFiles& files, const Messages& messages) {
  Import import;
  std::vector<std::string> begun_with;
  std::vector<LogPart> wanted;
  uint64_t id = 1;
  for (LogPart& part : files.parts) {
    if (!part.source)
      return failed(fmt::format("{}: the journal can't be imported; `mailward run` follows it", part.name));
    if (auto known = part.source->identify(); !known) {
      files.trouble.push_back(known.error().message);
      continue;
    }
    const std::string name = name_of_import(part);
    const auto before = ledger.input(name);
    const auto followed = was_followed(ledger, part);
    if (!before) return failed(before.error().message);
    if (!followed) return failed(followed.error().message);
    if (*followed || (*before && (*before)->state == kDoneWith)) {
      messages.note(fmt::format("{}: was {} already, and is left out", part.name,
                                *followed ? "read by `mailward run`" : "imported"));
      continue;
    }
    if (*before) begun_with.push_back((*before)->position);
    id = text_hash(id, name);
    import.files.push_back({name, "", std::string(kBegun), 0, 0, kNoInstant});
    wanted.push_back(std::move(part));
  }
  files.parts = std::move(wanted);
  import.set.name = fmt::format("import-set:{:016x}", id);
  for (InputRow& row : import.files) row.position = import.set.name;
  for (const std::string& set : begun_with)
    if (set != import.set.name)
      return failed(
          "some of these files were begun to be imported together with others; name exactly those again, to end it");
  const auto set = ledger.input(import.set.name);
  if (!set) return failed(set.error().message);
  if (*set) import.skip = (*set)->lines;
  return import;
}

// All events, in groups; each group is stored with how far it came.
Result<uint64_t> take_events(Ledger& ledger, Inputs& inputs, const ReadOptions& reading, const GlobalOptions& globals,
                             Import& import, ReadFigures& figures) {
  std::string trouble;
  uint64_t events = 0;
  const auto store = [&] {
    import.set.lines = events;
    ledger.note(import.set);
    for (const InputRow& row : import.files) ledger.note(row);
    if (auto done = ledger.commit(); !done) trouble = done.error().message;
  };
  figures = read_logs(inputs, reading, globals, true, [&](std::span<const Event> batch) {
    for (const Event& e : batch)
      if (++events > import.skip) ledger.note(e, inputs.logs.names[e.file]);
    if (ledger.waiting() >= kGroup && trouble.empty()) store();
  });
  for (InputRow& row : import.files) row.state = kDoneWith;
  if (trouble.empty()) store();
  if (!trouble.empty()) return fail(trouble);
  return events;
}

Outcome<int> import_logs(const GlobalOptions& globals, const LogOptions& options) {
  const Messages messages = globals.messages();
  if (options.files.empty()) return wrong_usage("name the logs to import: mailward import logs /var/log/mail.log.*");
  const auto settings = settle(globals, options);
  if (!settings) return std::unexpected(settings.error());
  const auto site = site_of(globals, options.timezone);
  if (!site) return std::unexpected(site.error());
  auto grammar = grammar_of(*settings);
  if (!grammar) return std::unexpected(grammar.error());
  if (auto made = make_folder_of(site->ledger, 0700); !made) return std::unexpected(made.error());
  const auto lock = lock_ledger(site->ledger, kWaitForAnother);
  if (!lock) return failed(lock.error().message + "; end it first (a daemon counts its logs by itself)");
  auto ledger = Ledger::open(site->ledger);
  if (!ledger) return failed(ledger.error().message);

  OpenedFiles files = open_files(settings->files);
  const auto locked = lock_in_keeper({std::filesystem::path(site->ledger).parent_path().string(), {}});
  if (!locked) return failed(locked.error().message);
  auto import = choose(*ledger, files, messages);
  if (!import) return std::unexpected(import.error());
  if (files.parts.empty() && files.trouble.empty()) return kDone;
  auto inputs = arrange_inputs(*settings, std::move(*grammar), std::move(files), messages);
  if (!inputs) return std::unexpected(inputs.error());
  ReadOptions reading = read_options(*settings);
  reading.keep_raw = true;
  reading.keep_facts = false;
  ReadFigures figures;
  const auto events = take_events(*ledger, *inputs, reading, globals, *import, figures);
  if (!events) return failed(events.error().message);
  messages.note(fmt::format("{} read, {} counted; nobody was banned for it", counted(figures.lines, "line"),
                            counted(*events - std::min(*events, import->skip), "event")));
  return status_of(figures, inputs->logs);
}

}  // namespace

Body declare_import(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<LogOptions>();
  app.require_subcommand(0, 1);
  CLI::App* logs = app.add_subcommand("logs", "old logs: what their sources did is counted");
  logs->group("Commands");
  logs->footer("")->allow_extras();
  declare_files(*logs, *options);
  declare_import_options(*logs, *options);
  declare_globals(*logs, globals);
  return [&globals, options] { return status_or_end(import_logs(globals, *options), globals.messages()); };
}

}  // namespace mailward
