// Sessions over time: lines find each other, an event without an address gets its session's, and a
// login attempt that several lines tell of is put out once (docs/sessions.md).
//
// A tracker reads lines in order and appends events to a Batch. It works in one of two ways:
//  - in order: all lines of the log came to this tracker. What has no session has none.
//  - ahead: a part of the log is read before the parts in front of it. Lines of sessions that were
//    not seen to open here are kept in the batch as questions; join() puts them to the tracker that
//    read what stood before, and hands it the sessions that are still open. The events that come
//    out are the same, in the same order.
// Not thread-safe; one tracker is used by one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/encoding.h"
#include "base/event.h"
#include "grammar/grammar.h"
#include "log/record.h"
#include "session/session_table.h"

namespace mailward {

// Where an explained message comes from. The record lives as long as the line.
struct LineContext {
  const Record* record;
  uint64_t line = 0;
  uint32_t file = 0;
  uint32_t repeat = 1;  // "message repeated N times"
  uint32_t host = 0;    // hash of the host's name (hash_host())
  bool cut = false;     // at a length at which loggers cut: what stands right of free text is not believed
  std::string_view raw{};
  std::string_view service{};
};

struct TrackerOptions {
  KindSet wanted = ~KindSet{0};
  bool keep_facts = true;
  bool keep_raw = false;
  Instant since = kNoInstant;
  Instant until = kNoInstant;
};

struct TrackerFigures {
  uint64_t events = 0;     // frames included, wanted or not
  uint64_t ambiguous = 0;  // lines that could not be charged to one address
};

// A line that waits for an answer, with everything that take() was given. Texts lie in the arena.
struct Question {
  enum class Kind : uint8_t { kLine, kLoss } kind = Kind::kLine;
  uint32_t position = 0;  // before this event of the batch
  uint32_t host = 0;      // kLoss
  uint32_t events = 0;    // kLoss: so many of the batch, from `position` on, were left behind by sessions that it ended
  const RuleMeaning* meaning = nullptr;
  Record record;
  LineContext where{&record};
  Match match;
  Question() = default;
  Question(Question&& other) noexcept
      : kind(other.kind),
        position(other.position),
        host(other.host),
        events(other.events),
        meaning(other.meaning),
        record(other.record),
        where(other.where),
        match(other.match) {
    where.record = &record;
  }
  Question& operator=(Question&&) = delete;
};

// A session began in a part that was read ahead: one of the same key that began before it ends here.
struct Opening {
  uint64_t key;
  uint32_t position;   // as Question::position
  uint32_t questions;  // after so many questions
};

struct Batch {
  std::vector<Event> events;
  std::vector<Question> questions;
  std::vector<Opening> openings;
  Arena texts;
  void clear() {
    events.clear();
    questions.clear();
    openings.clear();
    texts.clear();
  }
};

class Tracker {
 public:
  enum class Mode : uint8_t { kInOrder, kAhead };
  Tracker(const TrackerOptions& options, Mode mode) : options_(options), mode_(mode) {}

  // A line that a rule explains.
  void take(const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out);
  // A line that no rule explains, for who wants to see it: an event of kind kNone, and nobody's.
  void show(const LineContext& where, Batch& out);
  // The log admits that lines of this host are missing: its sessions by pid can't be trusted further.
  void lose(std::string_view host, Batch& out);
  // Appends the events of `part` (read ahead, by `ahead`) to `out`, questions answered; takes over the
  // sessions of `ahead`. Lines of the part are counted from `first_line`.
  void join(Batch& part, Tracker& ahead, uint64_t first_line, Batch& out);
  // The log ends: what was only announced is put out.
  void finish(Batch& out);

  // False: joined, `ahead` might tell other events than a tracker that read all in order, because the
  // bound of some table could have been met on the way. The part must then be read again, in order.
  bool can_join(const Batch& part, const Tracker& ahead) const;
  const TrackerFigures& figures() const { return figures_; }
  const TrackerOptions& options() const { return options_; }
  bool ahead() const { return mode_ == Mode::kAhead; }
  void reset();

  // See saving.h.
  void save(Encoder& out);
  bool restore(Decoder& in);

 private:
  struct Kept {  // an event that waits
    Event event;
    std::string texts;
    uint32_t next = kNothing;
  };

  void lose_host(uint32_t host, Batch& out);
  std::vector<uint64_t> announced(const std::function<bool(const Session&)>& whose);
  bool is_copy(const LineContext& where, const RuleMeaning& meaning, Batch& out, bool& unknown);
  static bool is_over(const Session& s, const LineContext& where);
  Session* live(uint64_t key, const LineContext& where, Batch& out);
  void pass(uint64_t key, const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out);
  Session& open(uint64_t key, const LineContext& where, KeyKind kind, Batch& out);
  void close(Session* s, Batch& out);
  void make_room(Batch& out);
  static bool goes_on(const Session& s, Instant time);
  bool tells(const RuleMeaning& meaning, const Match& match) const;
  void count(Session* s, const RuleMeaning& meaning, bool charged);
  void take_any(const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out);
  void tell(Session* s, const LineContext& where, const RuleMeaning& meaning, const Match& match, bool in_line,
            Batch& out);
  void tell_each(Session* s, const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out);
  void tell_and_close(Session* s, const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out);
  static bool owes(const Session& s);
  void settle(Session& s);
  void announce(Session& s, const Event& event);
  void wait(Session& s, const Event& event);
  void answer_waiting(Session& s, Batch& out);
  void ask(const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out);
  void fill(Event& event, EventKind kind, const LineContext& where, const RuleMeaning& meaning,
            const Match& match) const;
  void decode_fact(Event& e, Fact f) const;
  bool delivers(EventKind kind, Instant time) const;
  bool within(Instant time) const;
  void keep_texts(Event& event, Batch& out) const;
  void emit(const Event& event, Batch& out);
  uint32_t keep(const Event& event);
  void drop(uint32_t kept);

  TrackerOptions options_;
  Mode mode_;
  SessionTable table_;
  TrackerFigures figures_;
  size_t most_sessions_ = 0, most_kept_ = 0, kept_used_ = 0;
  mutable std::array<std::string, kFacts> decoded_;  // texts of the event that is being made
  std::deque<Kept> kept_;
  std::vector<uint32_t> free_kept_;
};

}  // namespace mailward
