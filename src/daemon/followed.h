// An input that the reader follows, whatever it is: a log in files (log_input.h) or a journal (journal_input.h). A pure
// function of what it is given; what it left behind can be saved after any line and gone on with by another process.
// One thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "daemon/channel.h"
#include "grammar/grammar.h"
#include "log/follow/follower.h"
#include "session/event_stream.h"
#include "session/line_reader.h"
#include "session/tracker.h"

namespace mailward {

// What all inputs are read by. All must outlive them.
struct ReadingRules {
  const Grammar* grammar = nullptr;
  const Zone* zone = nullptr;
  ReadOptions options;       // `wanted`; zone and present filled in
  uint64_t fingerprint = 0;  // of the rules: a state that was saved by others loses its open sessions
};

class Followed {
 public:
  virtual ~Followed() = default;

  // The answer to a question, or to a change: the files as the helper listed them. False: it is none.
  virtual bool listed(Decoder& in, std::vector<Descriptor>& files) = 0;
  void grew() { awake_ = true; }
  // There may be something to do: more text, or a listing of files to be asked for.
  virtual bool has_work() const { return awake_; }
  // May more have come that nobody told of? Then grew() is due so many milliseconds from now; negative: no.
  virtual int look_again() const { return -1; }

  // The time of the last record.
  virtual Instant reached() const = 0;
  // Reads at most so many lines, fewer where a block ends; appends what they tell. False: nothing was there.
  virtual bool work(size_t most_lines, Batch& out) = 0;

  // Listings that are wanted, once each. 0: none.
  uint64_t take_question() { return std::exchange(question_, 0); }
  std::vector<Loss> take_losses() { return std::exchange(losses_, {}); }
  const std::string& trouble() const { return trouble_; }
  const LineFigures& figures() const { return figures_; }

  // Behind all lines that were read, and what they left behind: fit to be stored together. Text.
  virtual std::string position() const = 0;
  virtual void save(Encoder& out) = 0;
  virtual uint64_t line() const = 0;
  virtual uint64_t offset() const { return 0; }

 protected:
  bool awake_ = true;
  uint64_t question_ = 0;
  std::vector<Loss> losses_;
  std::string trouble_;
  LineFigures figures_;
};

}  // namespace mailward
