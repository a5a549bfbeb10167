// Reads a log that grows and is rotated: every line once, in order, from a stored position on, whatever files the
// text is in by now. Opens nothing; it is given open files (series.h) and says when it needs them anew. What it
// holds on to, and why that loses nothing and reads nothing twice, is in docs/following.md.
//
//   Follower follower(stored, Begin::kLive);
//   on "changed" and on kAsk:  follower.changed(open_series(…))  (elsewhere: with `answers` = asked())
//   then, and on "grew":       while ((step = follower.next()).kind != kIdle) …
//   in the transaction with what the lines meant:  follower.position()
//
// One thread. Memory: one block, 128 KiB of text, what a decompressor needs, and an open file for each that is not
// read yet.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "log/follow/position.h"
#include "log/follow/reading.h"
#include "log/follow/series.h"

namespace mailward {

// Where to begin a log of which nothing was ever read.
enum class Begin : uint8_t {
  kOldest,  // with the oldest rotated file
  kLive,    // with the file that is written to
};

struct Loss {
  std::string reason;  // one sentence
  std::string file;    // where reading goes on
};

struct Step {
  enum class Kind : uint8_t {
    kLines,     // `text`: whole lines; they count as read once next() is called again or position() is stored
    kOverlong,  // one line that was too long to be given
    kFile,      // what follows comes from another file: `file`, of which `lines` were read before
    kLoss,      // `loss`: text may have gone unread
    kAsk,       // a series is needed whose listing begins after this moment, with `answers` = asked()
    kIdle,      // nothing more until the file grows or the series changes
  };
  Kind kind = Kind::kIdle;
  std::string_view text;  // until the next call; 64 bytes more may be read
  std::string file;
  uint64_t lines = 0;
  Loss loss;
};

class Follower {
 public:
  // Without a stored position: one with nothing but a random `key`.
  Follower(Position stored, Begin begin);

  // The files as they are now. One that is unsettled or older than what was asked for is not used.
  void changed(Series series);
  Step next();

  // Behind all that was given.
  Position position() const;
  uint64_t asked() const { return asked_; }
  // How much of a line without its end stands behind the position.
  uint64_t unfinished() const { return current_ ? current_->unfinished() : 0; }

 private:
  using Readings = std::vector<Reading>;  // newest first

  Readings look_at(Series& series);
  void begin_with(Readings files);
  void keep_up_with(Readings files);
  void find_again(Readings files);
  void give_up(const std::string& name);
  void prove(Readings files);
  void tell_unfinished();
  size_t count_unread(Readings& files);
  size_t place_of_current(Readings& files);
  void go_on_at(Readings& files, size_t index);
  void take_newer(Readings& files, size_t count);
  void make_current(Reading reading);
  void go_to_next();
  bool at_end();
  void ask();
  void lose(std::string reason, const std::string& file);

  // Position of what was read before `current_`; all of it where nothing of `current_` was.
  Position last_;
  Begin begin_;
  LineBlock block_;
  std::unique_ptr<Reading> current_;
  std::vector<Place> earlier_;  // Position::earlier while `current_` is read
  Readings newer_;              // not begun; newest first
  Readings passed_;             // after `last_` and before `current_`: without a line
  Readings missed_;             // the place was not in these; of them, as find_cut() and find_place() say:
  size_t missed_cut_ = 0, missed_read_ = 0;
  std::deque<Step> told_;  // to be given before anything else
  std::string trouble_;    // of `current_`, told already
  // The first lines of the live file are held back until it is proven that nothing stands before them.
  enum class Held : uint8_t { kNone, kUnproven, kProven };
  Held held_ = Held::kNone;
  Step held_step_;
  uint64_t left_unfinished_ = 0;  // bytes of a last line without its end, in the file of `last_`
  bool unfinished_told_ = false;
  uint64_t asked_ = 0;
  bool gone_ = false;            // the text of `current_` is not in its file any more
  bool newer_had_data_ = false;  // before the last look at the end of `current_`
};

}  // namespace mailward
