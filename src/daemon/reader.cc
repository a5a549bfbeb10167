#include "daemon/reader.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "daemon/journal_input.h"
#include "daemon/log_input.h"
#include "daemon/protocol.h"

namespace mailward {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long events wait for their mark at most, unless marking takes a share of the work that counts.
constexpr milliseconds kGroup{250};
constexpr int kMarkingShare = 20;  // one part in so many
constexpr milliseconds kLongestGroup{5000};
constexpr size_t kExamples = 4;  // of lines that nobody understood, from one mark to the next
constexpr size_t kLongestExample = 512;
// While several inputs have to be read in the order of time: lines of one, and steps before others are heard.
constexpr size_t kLinesInTurn = 1, kStepsInTurn = 512;

class Reader {
 public:
  Reader(const ReadingRules& rules, const std::vector<std::string>& names, Channel keeper, Channel helper)
      : rules_(rules), names_(names), keeper_(std::move(keeper)), helper_(std::move(helper)) {}

  int run() {
    while (!ended_) {
      if (!wait() || !hear_keeper() || (!ended_ && !hear_helper())) return broken_ ? 1 : 0;
      if (ended_ || inputs_.empty()) continue;
      if (work()) continue;
      if (must_mark()) mark();
    }
    return keeper_.flush_all() ? 0 : 1;
  }

 private:
  struct Watched {
    std::unique_ptr<Followed> input;
    bool listed = true;  // no answer to its question is awaited
    bool begun = false;  // its files were told once
    std::vector<std::string> examples;
  };

  bool has_work() const {
    return std::any_of(inputs_.begin(), inputs_.end(),
                       [](const Watched& w) { return w.listed && w.input->has_work(); });
  }

  // For the others, or for the moment of the next mark.
  bool wait() {
    int timeout = -1;
    if (has_work())
      timeout = 0;
    else if (unmarked_)
      timeout =
          static_cast<int>(std::max<int64_t>(0, std::chrono::ceil<milliseconds>(next_mark_ - Clock::now()).count()));
    int again = -1;  // somebody looks again by himself
    for (const Watched& w : inputs_) again = std::max(again, w.input->look_again());
    const bool looks = again >= 0 && (timeout < 0 || timeout > again);
    if (looks) timeout = again;
    pollfd waits[2] = {{keeper_.fd(), POLLIN, 0}, {helper_.fd(), POLLIN, 0}};
    const int heard = ::poll(waits, 2, timeout);
    if (looks && heard == 0)
      for (const Watched& w : inputs_)
        if (w.input->look_again() >= 0) w.input->grew();
    return heard >= 0 || errno == EINTR;
  }

  bool hear_keeper() {
    if (keeper_.receive() == Channel::Got::kEnd) return false;
    Channel::Message message;
    while (!ended_ && keeper_.next(message)) {
      const auto kind = static_cast<Say>(message.kind);
      if (kind == Say::kBegin && inputs_.empty()) {
        if (!begin(message.bytes)) return broken();
      } else if (kind == Say::kStop) {
        stop();
      } else {
        return broken();
      }
    }
    return keeper_.trouble().empty() || broken();
  }

  void stop() {
    mark();
    keeper_.put(static_cast<uint8_t>(Say::kEnd), {});
    ended_ = true;
  }

  bool hear_helper() {
    if (helper_.receive() == Channel::Got::kEnd) return false;
    Channel::Message message;
    while (helper_.next(message))
      if (!take(message)) return broken();
    return helper_.trouble().empty() || broken();
  }

  bool broken() {
    broken_ = true;
    return false;
  }

  bool begin(std::string_view bytes) {
    Decoder in(bytes);
    for (uint32_t i = 0; i < names_.size(); ++i) {
      const std::string_view position = in.text(), state = in.text();
      if (!in.good() || !add(i, position, state)) return false;
    }
    for (Channel::Message& early : early_)
      if (!take(early)) return false;
    early_.clear();
    return in.finished();
  }

  bool add(uint32_t number, std::string_view position, std::string_view state) {
    Watched& w = inputs_.emplace_back();
    if (is_journal_input(names_[number])) {
      w.input = std::make_unique<JournalInput>(rules_, number, position, state);
      return true;
    }
    auto stored = position_from_text(position);
    if (!stored) return false;
    w.input = std::make_unique<LogInput>(rules_, number, names_[number], std::move(*stored), state);
    return true;
  }

  // Before the beginning, what the helper says is kept.
  bool take(Channel::Message& message) {
    if (inputs_.empty()) {
      kept_.push_back(std::make_unique<std::string>(message.bytes));
      early_.push_back({message.kind, *kept_.back(), std::move(message.files)});
      return early_.size() < 10'000;
    }
    Decoder in(message.bytes);
    switch (static_cast<Say>(message.kind)) {
      case Say::kSeries: {
        const uint64_t number = in.number(inputs_.size() - 1);
        if (!in.good() || !inputs_[number].input->listed(in, message.files)) return false;
        inputs_[number].listed = true;
        // Where a log was begun is to be known before anything else happens to it.
        if (!std::exchange(inputs_[number].begun, true)) unmarked_ = true, next_mark_ = Clock::now();
        return true;
      }
      case Say::kNoSeries: {
        const uint64_t number = in.number(inputs_.size() - 1);
        inputs_[number].listed = true;
        return in.finished();
      }
      case Say::kGrew: {
        const uint64_t number = in.number(inputs_.size() - 1);
        if (!in.finished()) return false;
        inputs_[number].input->grew();
        return true;
      }
      default:
        return false;
    }
  }

  // While several inputs have text, the one goes on whose time is the earliest.
  Watched* next_input(bool& alone) {
    Watched* first = nullptr;
    size_t busy = 0;
    for (Watched& w : inputs_) {
      if (!w.listed || !w.input->has_work()) continue;
      ++busy;
      if (!first || w.input->reached() < first->input->reached()) first = &w;
    }
    alone = busy < 2;
    return first;
  }

  // Some steps. False: nothing to do.
  bool work() {
    Encoder events;
    bool any = false;
    for (size_t step = 0; step < kStepsInTurn; ++step) {
      bool alone = true;
      Watched* w = next_input(alone);
      if (!w) break;
      const bool in_turn = !alone && !caught_up_;
      batch_.clear();
      const bool read = w->input->work(in_turn ? kLinesInTurn : SIZE_MAX, batch_);
      encode(*w, events);
      ask(*w);
      any |= read;
      if (!in_turn || !read) break;
    }
    tell(events);
    if (!any) return false;
    note_unmarked();
    if (Clock::now() >= next_mark_) mark();
    return true;
  }

  void ask(Watched& w) {
    if (const uint64_t question = w.input->take_question()) {
      Encoder out;
      out.number(static_cast<uint64_t>(&w - inputs_.data()));
      out.number(question);
      w.listed = false;
      helper_.put(static_cast<uint8_t>(Say::kAsk), out.take());
      helper_.flush_all();
    }
    for (const Loss& loss : w.input->take_losses()) {
      Encoder out;
      out.number(static_cast<uint64_t>(&w - inputs_.data()));
      out.text(loss.reason);
      out.text(loss.file);
      keeper_.put(static_cast<uint8_t>(Say::kLoss), out.take());
      keeper_.flush_all();
    }
  }

  void encode(Watched& w, Encoder& out) {
    for (const Event& e : batch_.events) {
      if (e.kind != EventKind::kNone)
        write_event(e, out);
      else if (w.examples.size() < kExamples)
        w.examples.emplace_back(e.raw.substr(0, kLongestExample));
    }
  }

  void tell(Encoder& events) {
    const std::string bytes = events.take();
    if (bytes.empty()) return;
    keeper_.put(static_cast<uint8_t>(Say::kEvents), bytes);
    ended_ |= !keeper_.flush_all();
  }

  void note_unmarked() {
    if (unmarked_) return;
    unmarked_ = true;
    next_mark_ = std::max(next_mark_, Clock::now() + (caught_up_ ? milliseconds(0) : kGroup));
  }

  bool all_idle() const {
    return std::all_of(inputs_.begin(), inputs_.end(),
                       [](const Watched& w) { return w.listed && !w.input->has_work(); });
  }

  bool must_mark() const {
    if (!caught_up_ && all_idle()) return true;
    return unmarked_ && Clock::now() >= next_mark_;
  }

  void mark() {
    if (inputs_.empty()) return;
    const auto begin = Clock::now();
    Encoder out;
    for (Watched& w : inputs_) {
      MarkOfInput m;
      Encoder state;
      w.input->save(state);
      m.position = w.input->position();
      m.offset = w.input->offset();
      m.state = state.take();
      m.line = w.input->line();
      m.reached = w.input->reached();
      const LineFigures& f = w.input->figures();
      m.lines = f.lines;
      m.not_understood = f.not_understood;
      m.lost = f.lost;
      m.trouble = w.input->trouble();
      m.examples = std::exchange(w.examples, {});
      write_mark(m, out);
    }
    keeper_.put(static_cast<uint8_t>(Say::kMark), out.take());
    unmarked_ = false;
    if (!caught_up_ && all_idle()) {
      caught_up_ = true;
      keeper_.put(static_cast<uint8_t>(Say::kCaughtUp), {});
    }
    ended_ |= !keeper_.flush_all();
    const auto now = Clock::now();
    next_mark_ = now + std::clamp<Clock::duration>((now - begin) * kMarkingShare, kGroup, kLongestGroup);
  }

  const ReadingRules& rules_;
  const std::vector<std::string>& names_;
  Channel keeper_, helper_;
  std::vector<Watched> inputs_;
  std::vector<Channel::Message> early_;
  std::vector<std::unique_ptr<std::string>> kept_;
  Batch batch_;
  bool unmarked_ = false, caught_up_ = false, ended_ = false, broken_ = false;
  Clock::time_point next_mark_{};
};

}  // namespace

int run_reader(const ReadingRules& rules, const std::vector<std::string>& inputs, Channel keeper, Channel helper) {
  return Reader(rules, inputs, std::move(keeper), std::move(helper)).run();
}

}  // namespace mailward
