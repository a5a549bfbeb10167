#include "daemon/journal_input.h"

#include <algorithm>
#include <utility>

#include "daemon/protocol.h"

namespace mailward {
namespace {

constexpr uint64_t kVersion = 1;
constexpr size_t kAtOnce = 2048;  // entries of one step
using Clock = std::chrono::steady_clock;

}  // namespace

JournalInput::JournalInput(const ReadingRules& rules, uint32_t number, std::string_view position,
                           std::string_view state)
    : rules_(rules),
      position_(position),
      tracker_({rules.options.wanted, rules.options.keep_facts, rules.options.keep_raw}, Tracker::Mode::kInOrder),
      reader_(*rules.grammar, tracker_, rules.options) {
  reader_.begin(number, 0);
  auto follower = JournalFollower::open(position, Begin::kOldest);
  if (!follower) {
    trouble_ = follower.error().message;
    return;
  }
  follower_ = std::move(*follower);
  seen_ = follower_->figures();
  if (!state.empty() && !restore(state)) trouble_ = "what was left of earlier lines can't be used; sessions begin anew";
}

void JournalInput::save(Encoder& out) {
  Encoder tracker, reader;
  reader_.save(reader);
  tracker_.save(tracker);
  out.number(kVersion);
  out.fixed(rules_.fingerprint);
  out.time(reached_);
  out.text(tracker.take());
  out.text(reader.take());
}

bool JournalInput::restore(std::string_view state) {
  Decoder in(state);
  if (in.number() != kVersion) return false;
  const bool same_rules = in.fixed(8) == rules_.fingerprint;
  reached_ = in.time();
  const std::string_view tracker = in.text(), reader = in.text();
  if (!in.finished()) return false;
  if (!same_rules) return true;
  Decoder tracker_in(tracker), reader_in(reader);
  return tracker_.restore(tracker_in) && reader_.restore(reader_in);
}

bool JournalInput::listed(Decoder& in, std::vector<Descriptor>& files) {
  JournalFiles listed;
  if (!read_journal_files(in, files, listed)) return false;
  awake_ = true;
  if (!follower_) return true;
  trouble_ = listed.trouble.empty() ? "" : listed.trouble.front();
  follower_->changed(std::move(listed));
  return true;
}

int JournalInput::look_again() const {
  return Clock::now() - last_entry_ < JournalFollower::kLookFor ? static_cast<int>(JournalFollower::kLookAgain.count())
                                                                : -1;
}

bool JournalInput::work(size_t most_lines, Batch& out) {
  if (!follower_) return std::exchange(awake_, false);
  for (size_t n = std::min(most_lines, kAtOnce); n > 0; --n) {
    JournalStep step = follower_->next();
    if (!take(step, out)) return n < std::min(most_lines, kAtOnce);
  }
  return true;
}

// False: there is nothing more.
bool JournalInput::take(JournalStep& step, Batch& out) {
  const StreamFigures& now = follower_->figures();
  reader_.skip_lines(seen_, now);
  seen_ = now;
  switch (step.kind) {
    case JournalStep::Kind::kLoss:
      losses_.push_back({step.loss, ""});
      [[fallthrough]];
    case JournalStep::Kind::kRecord:
      if (has_time(step.record.time)) reached_ = step.record.time;
      reader_.record(step.record, step.record.message, out);
      figures_.add(reader_.take_figures());
      last_entry_ = Clock::now();
      return true;
    case JournalStep::Kind::kAsk:
      question_ = follower_->asked();
      return true;
    case JournalStep::Kind::kIdle:
      break;
  }
  awake_ = false;
  return false;
}

}  // namespace mailward
