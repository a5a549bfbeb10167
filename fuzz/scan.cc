// The whole of scan over one file of any bytes: header, rules, sessions, judgement, every view.
// Beyond crashes: what comes out is well formed, never holds a byte that a terminal would obey, tells
// the same sums in every format, and depends neither on the number of threads nor on what was passed
// over because nobody asked for it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "grammar/grammar.h"
#include "judge/judge.h"
#include "log/log_set.h"
#include "log/zone.h"
#include "session/event_stream.h"
#include "view/csv.h"
#include "view/event_lines.h"
#include "view/json.h"
#include "view/lists.h"
#include "view/table.h"

namespace {

using namespace mailward;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr KindSet kAll = ~KindSet{0};

const Grammar& grammar(KindSet narrowed) {
  static std::map<KindSet, Grammar> loaded;
  if (const auto known = loaded.find(narrowed); known != loaded.end()) return known->second;
  const std::vector<std::string> folders{MAILWARD_SOURCE_DATA "/rules"};
  auto read = Grammar::load(folders);
  require(read.has_value());
  read->narrow(narrowed);
  return loaded.emplace(narrowed, std::move(*read)).first->second;
}

const PolicySet& policies() {
  static const PolicySet loaded = [] {
    auto read = load_policies(MAILWARD_SOURCE_DATA "/policy/any.toml");
    require(read.has_value());
    return std::move(*read);
  }();
  return loaded;
}

// One log that holds these bytes. A file in memory, because inputs are descriptors everywhere.
std::vector<LogSet> log_of(const uint8_t* data, size_t size) {
  Descriptor file(::memfd_create("fuzz.log", MFD_CLOEXEC));
  require(::write(file.get(), data, size) == static_cast<ssize_t>(size) && ::lseek(file.get(), 0, SEEK_SET) == 0);
  auto source = LogSource::adopt(std::move(file), "fuzz.log");
  std::vector<LogSet> sets;
  if (!source || !source->identify()) return sets;
  LogPart part;
  part.name = "fuzz.log";
  part.source = std::make_unique<LogSource>(std::move(*source));
  part.form = detect_form(part.source->peek(), part.name);
  LogSet& set = sets.emplace_back();
  set.name = part.name;
  set.parts.push_back(std::move(part));
  return sets;
}

bool is_harmless(const std::string& text) {
  for (unsigned char c : text) {
    if ((c < 0x20 && c != '\n') || c == 0x7f) return false;
  }
  return true;
}

struct Seen {
  Report report;
  std::string events;
};

Seen read(const uint8_t* data, size_t size, unsigned threads, KindSet wanted = kAll, KindSet narrowed = kAll) {
  static const Zone zone;
  std::vector<LogSet> logs = log_of(data, size);
  ReadOptions options;
  options.zone = &zone;
  options.now = *parse_rfc3339("2026-03-09T12:00:00Z");
  options.threads = threads;
  options.wanted = wanted;
  JudgeConfig config;
  config.policies = policies();
  Judge judge(std::move(config));
  Seen result;
  EventLines lines({"fuzz.log"});
  const ReadFigures figures = read_events(
      logs, grammar(narrowed), options,
      [&](std::span<const Event> batch) {
        for (const Event& event : batch) lines.append(result.events, event);
        judge.take(batch);
      },
      [](uint64_t, uint64_t) {});
  InputReport input;
  input.files = {"fuzz.log"};
  input.lines = figures.lines;
  input.events = figures.events;
  input.not_understood = figures.not_understood;
  input.first = figures.first;
  input.last = figures.last;
  result.report = judge.finish(std::move(input));
  return result;
}

template <class View, class... Options>
std::string shown_by(const Report& report, Options&&... options) {
  std::string text;
  Output out(text);
  View view(out, std::forward<Options>(options)...);
  show(report, view);
  out.finish();
  return text;
}

void check_views(const Report& report) {
  const std::string document = shown_by<JsonView>(report);
  const auto parsed = nlohmann::json::parse(document, nullptr, false);
  require(!parsed.is_discarded() && parsed["sources"].size() == report.sources.size());
  TableOptions table;
  table.screen = {100, Charset::kUtf8, false};
  for (const std::string& text :
       {document, shown_by<NdjsonView>(report), shown_by<CsvView>(report), shown_by<PlainView>(report),
        shown_by<CountsView>(report), shown_by<TableView>(report, table)}) {
    require(is_harmless(text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Seen one = read(data, size, 1);
  check_views(one.report);
  require(is_harmless(one.events));
  // Slower: for some.
  if (size % 4 == 0) require(one.events == read(data, size, 2).events);
  constexpr KindSet kAskedFor[] = {bit(EventKind::kAuthFailed) | bit(EventKind::kNoTls),
                                   bit(EventKind::kContentRejected) | bit(EventKind::kAccepted),
                                   bit(EventKind::kUnknownRecipient) | bit(EventKind::kRelayDenied)};
  if (size % 4 == 1) {
    const KindSet wanted = kAskedFor[size / 4 % std::size(kAskedFor)];
    require(read(data, size, 1, wanted).events == read(data, size, 1, wanted, wanted).events);
  }
  return 0;
}
