#include "daemon/log_input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/protocol.h"
#include "log/base_year.h"
#include "log/source.h"

namespace mailward {
namespace {

constexpr uint64_t kVersion = 1;
constexpr size_t kAllLines = SIZE_MAX;

}  // namespace

// The stations that a line passes, for one form.
struct LogInput::Pipeline {
  Pipeline(const ReadingRules& rules, Form form, Instant previous, int base_year, const std::string& name)
      : tracker({rules.options.wanted, rules.options.keep_facts, rules.options.keep_raw}, Tracker::Mode::kInOrder),
        reader(*rules.grammar, tracker, rules.options),
        header(form, TimeFold(*rules.zone, previous, base_year), name) {}
  Tracker tracker;
  LineReader reader;
  HeaderReader header;
};

LogInput::LogInput(const ReadingRules& rules, uint32_t number, std::string name, Position position,
                   std::string_view state)
    : rules_(rules), number_(number), name_(std::move(name)), follower_(std::move(position), Begin::kLive) {
  if (!state.empty() && !restore(state)) trouble_ = "what was left of earlier lines can't be used; sessions begin anew";
}

LogInput::~LogInput() = default;

Instant LogInput::reached() const { return pipeline_ ? pipeline_->header.fold().previous() : kNoInstant; }
uint64_t LogInput::line() const { return pipeline_ ? pipeline_->reader.line_number() : 0; }

void LogInput::make_pipeline(Form form, Instant previous) {
  form_ = form;
  pipeline_ = std::make_unique<Pipeline>(rules_, form, previous, base_year_, name_);
  pipeline_->reader.begin(number_, 0);
}

void LogInput::save(Encoder& out) {
  out.number(kVersion);
  out.fixed(rules_.fingerprint);
  out.number(pipeline_ != nullptr);
  out.number(static_cast<uint64_t>(form_));
  out.integer(base_year_);
  out.time(reached());
  out.text(text_);
  if (!pipeline_) return;
  Encoder tracker, reader;
  pipeline_->reader.save(reader);
  pipeline_->tracker.save(tracker);
  out.text(tracker.take());
  out.text(reader.take());
}

bool LogInput::restore(std::string_view state) {
  Decoder in(state);
  if (in.number() != kVersion) return false;
  const bool same_rules = in.fixed(8) == rules_.fingerprint;
  const bool known = in.number(1) == 1;
  const auto form = static_cast<Form>(in.number(static_cast<uint64_t>(Form::kBare)));
  const int64_t year = in.integer();
  const Instant previous = in.time();
  const std::string_view rest = in.text();
  if (!in.good() || year < 0 || year > 9999) return false;
  base_year_ = static_cast<int>(year);
  kept_.assign(rest);
  kept_.append(kMessagePadding, '\0');
  text_ = std::string_view(kept_).substr(0, rest.size());
  if (!known) return true;
  make_pipeline(form, previous);
  if (!same_rules) return true;
  const std::string_view tracker = in.text(), reader = in.text();
  Decoder tracker_in(tracker), reader_in(reader);
  if (!in.finished()) return false;
  return pipeline_->tracker.restore(tracker_in) && pipeline_->reader.restore(reader_in);
}

bool LogInput::listed(Decoder& in, std::vector<Descriptor>& files) {
  Series series;
  if (!read_series(in, files, series)) return false;
  changed(std::move(series));
  return true;
}

void LogInput::changed(Series series) {
  for (std::string& sentence : series.trouble) trouble_ = std::move(sentence);
  if (series.trouble.empty() && !series.members.empty()) trouble_.clear();
  if (!pipeline_ && text_.empty()) begin(series);
  follower_.changed(std::move(series));
  awake_ = true;
}

// Of a log of which nothing was read yet: its form, and the year of its first line. Where the file is left behind is
// of no account: the follower places it.
void LogInput::begin(const Series& series) {
  const auto live =
      std::find_if(series.members.begin(), series.members.end(), [](const Member& m) { return m.live(); });
  if (live == series.members.end()) return;
  auto source = LogSource::adopt(Descriptor(::dup(live->file.get())), name_);
  if (!source || !source->identify() || source->size() == 0) return;
  const std::string_view first = source->peek();
  if (first.find('\n') == std::string_view::npos) return;
  LogSet set;
  set.name = name_;
  LogPart& part = set.parts.emplace_back();
  part.name = name_;
  part.form = detect_form(first, name_);
  const Instant modified = source->modified();
  part.source = std::make_unique<LogSource>(std::move(*source));
  const Instant present = has_time(modified) ? std::min(modified, rules_.options.now) : rules_.options.now;
  base_year_ = find_base_year(set, *rules_.zone, 0, present).year;
  if (is_line_form(part.form) && !is_without_time(part.form)) make_pipeline(part.form, kNoInstant);
  (void)::lseek(live->file.get(), 0, SEEK_SET);
}

// A log that was empty at first, or one whose writer was set to another form.
void LogInput::look_at_form(std::string_view text) {
  in_doubt_ = false;
  const Form form = detect_form(text.substr(0, 65536), name_);
  if (pipeline_ && form == form_) return;
  if (!is_line_form(form) || is_without_time(form)) {
    trouble_ = is_line_form(form) ? "its lines have no time: it can be scanned, and not be followed"
                                  : fmt::format("its form ({}) can't be followed", name_of(form));
    return;
  }
  trouble_.clear();
  if (base_year_ == 0) {
    const auto stamp = first_stamp(form, text);
    base_year_ = stamp ? year_nearest_before(*rules_.zone, *stamp, rules_.options.now) : 0;
  }
  const uint64_t line_before = line();
  make_pipeline(form, reached());
  pipeline_->reader.begin(number_, line_before);
}

bool LogInput::next_step() {
  Step step = follower_.next();
  switch (step.kind) {
    case Step::Kind::kLines:
      text_ = step.text;
      if (!pipeline_ || in_doubt_) look_at_form(text_);
      return true;
    case Step::Kind::kOverlong:
      if (pipeline_) pipeline_->reader.overlong_line();
      return true;
    case Step::Kind::kFile:
      if (pipeline_) pipeline_->reader.begin(number_, step.lines);
      return true;
    case Step::Kind::kLoss:
      losses_.push_back(std::move(step.loss));
      return true;
    case Step::Kind::kAsk:
      question_ = follower_.asked();
      return true;
    case Step::Kind::kIdle:
      break;
  }
  awake_ = false;
  return false;
}

bool LogInput::work(size_t most_lines, Batch& out) {
  while (text_.empty())
    if (!next_step()) return false;
  const char* const begin = text_.data();
  const char* end = begin + text_.size();
  if (most_lines != kAllLines) {
    const char* at = begin;
    for (size_t n = 0; n < most_lines && at < end; ++n)
      at = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at))) + 1;
    end = at;
  }
  text_.remove_prefix(static_cast<size_t>(end - begin));
  if (pipeline_) read_lines(begin, end, out);
  return true;
}

void LogInput::read_lines(const char* begin, const char* end, Batch& out) {
  pipeline_->reader.lines(begin, end, pipeline_->header, out);
  const LineFigures read = pipeline_->reader.take_figures();
  in_doubt_ = read.lines > 0 && read.no_header == read.lines;
  figures_.add(read);
}

}  // namespace mailward
