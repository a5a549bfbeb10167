#include "log/follow/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

namespace mailward {
namespace {

constexpr size_t kNowhere = SIZE_MAX;

// The newest of the files that hold one of the places, for the first place that any of them holds. That file is
// left there.
size_t find_place(std::span<Reading> files, std::span<const Place> places, uint64_t key) {
  for (const Place& place : places) {
    for (size_t i = 0; i < files.size(); ++i) {
      if (files[i].place(place, key) == Reading::Found::kHere) return i;
    }
  }
  return kNowhere;
}

// The newest file that lost its end, left behind what can be told of it to have been read.
size_t find_cut(std::span<Reading> files, const Position& position, LineBlock& block) {
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].place_by_trail(position)) return i;
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].place(position.at, position.key) != Reading::Found::kCut) continue;
    files[i].to_end(block);
    return i;
  }
  return kNowhere;
}

// How many of them, from the newest on, were written to after the position was taken. The live file was.
size_t count_written_since(const std::vector<Reading>& files, const Position& position) {
  size_t count = !files.empty() && files.front().live() ? 1 : 0;
  while (count < files.size() && files[count].modified_ns() >= position.at.modified_ns) ++count;
  return count;
}

void remember(std::vector<Place>& places, const Place& place) {
  if (std::find(places.begin(), places.end(), place) == places.end()) places.insert(places.begin(), place);
  if (places.size() > Position::kEarlier) places.resize(Position::kEarlier);
}

}  // namespace

Follower::Follower(Position stored, Begin begin) : last_(std::move(stored)), begin_(begin) { ask(); }

Position Follower::position() const {
  if (!current_ || current_->lines() == 0 || held_ != Held::kNone) return last_;
  Position p = last_;
  p.earlier = earlier_;
  current_->describe(p);
  return p;
}

void Follower::ask() {
  ++asked_;
  told_.push_back({.kind = Step::Kind::kAsk});
}

void Follower::lose(std::string reason, const std::string& file) {
  told_.push_back({.kind = Step::Kind::kLoss, .loss = {std::move(reason), file}});
}

// ---------------------------------------------------------------- which files

void Follower::changed(Series series) {
  if (series.answers < asked_) return;
  if (!series.settled) return ask();
  Readings files = look_at(series);
  std::erase_if(passed_, [&](const Reading& p) {
    return std::none_of(files.begin(), files.end(), [&](const Reading& f) { return f.is_same_file(p); });
  });
  if (current_ && (current_->lines() == 0 || held_ != Held::kNone)) {
    prove(std::move(files));
  } else if (current_ && !gone_) {
    keep_up_with(std::move(files));
  } else if (last_.at.offset > 0) {
    find_again(std::move(files));
  } else {
    begin_with(std::move(files));
  }
}

// One file of each age: where one is a compressed copy of the other, both begin alike, and the plain one, which
// comes first, is whole.
Follower::Readings Follower::look_at(Series& series) {
  Readings files;
  const Member* kept = nullptr;
  for (Member& m : series.members) {
    Result<Reading> file = Reading::open(std::move(m.file), m.name, m.live());
    if (!file) {
      lose(file.error().message, m.name);
      continue;
    }
    if (kept != nullptr && kept->dated == m.dated && kept->rank == m.rank) {
      const std::string a = files.back().first_bytes(Place::kEdge), b = file->first_bytes(Place::kEdge);
      if (a.starts_with(b) || b.starts_with(a)) continue;
    }
    kept = &m;
    files.push_back(std::move(*file));
  }
  return files;
}

// Nothing was ever read. What is older than the live file is passed over by beginning behind the last line of it:
// a place that will be known again when the live file has moved on.
void Follower::begin_with(Readings files) {
  if (files.empty()) return;
  const bool all = begin_ == Begin::kOldest || last_.begun;
  last_.begun = true;
  for (size_t i = 1; i < files.size() && !all; ++i) {
    files[i].to_end(block_);
    if (files[i].lines() > 0) return go_on_at(files, i);
  }
  take_newer(files, files.size());
}

// The file that we read is open, so its inode is nobody else's. It may have another name by now, or none: then a
// compressed copy stands for it.
size_t Follower::place_of_current(Readings& files) {
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].is_same_file(*current_)) return i;
  }
  const Place place = position().at;
  return find_place(files, std::span(&place, 1), last_.key);
}

void Follower::keep_up_with(Readings files) {
  if (const size_t here = place_of_current(files); here != kNowhere) return take_newer(files, here);
  // It has gone; what it held is read to its end all the same. What came after it is newer than what was read before.
  const size_t read = find_place(files, earlier_, last_.key);
  if (read != kNowhere) return take_newer(files, read == 0 && files[0].live() ? 1 : read);
  const size_t count = count_written_since(files, position());
  if (count > 1) {
    lose(fmt::format("{} is gone, and so may be files between it and those that are there", current_->name()),
         files[count - 1].name());
  }
  take_newer(files, count);
}

// The place is looked for in all files: they were renamed, copied, compressed, or cut since.
void Follower::find_again(Readings files) {
  if (files.empty()) return;
  const std::string name = current_ ? current_->name() : files.front().name();
  earlier_ = last_.earlier;
  if (const size_t here = find_place(files, std::span(&last_.at, 1), last_.key); here != kNowhere) {
    return go_on_at(files, here);
  }
  if (!files.front().live()) return;  // moved away, and back some day
  // The live file may have been copied and cut between the listing and this search. Then a later listing has other
  // files: those of the last search are open still, so none of the new ones has the inode of one of them.
  const auto same = [](const Reading& a, const Reading& b) { return a.is_same_file(b); };
  if (std::equal(files.begin(), files.end(), missed_.begin(), missed_.end(), same)) return give_up(name);
  missed_ = std::move(files);
  missed_cut_ = find_cut(missed_, last_, block_);
  missed_read_ = missed_cut_ == kNowhere ? find_place(missed_, last_.earlier, last_.key) : kNowhere;
  ask();
}

// The place is in no file: reading goes on behind what else is known to have been read.
void Follower::give_up(const std::string& name) {
  Readings files = std::exchange(missed_, {});
  if (missed_cut_ != kNowhere) {
    const Reading& cut = files[missed_cut_];
    lose(fmt::format("{0} holds {1} of the {2} bytes that were read; the rest of it, and what followed, may be lost",
                     cut.name(), cut.offset(), last_.at.offset),
         cut.name());
    return go_on_at(files, missed_cut_);
  }
  const bool known = missed_read_ != kNowhere;
  const size_t count = known ? missed_read_ : count_written_since(files, last_);
  lose(fmt::format(
           "the place in {} where reading stopped (byte {}, line {}) is in no file any more; what followed it may "
           "be lost",
           name, last_.at.offset, last_.at.lines),
       files[count > 0 ? count - 1 : 0].name());
  remember(earlier_, last_.at);
  if (known) return go_on_at(files, count);
  take_newer(files, count);
  current_.reset();
  gone_ = false;
}

// How many, from the newest on, come after what was read.
size_t Follower::count_unread(Readings& files) {
  if (last_.at.offset == 0) return files.size();
  size_t read = find_place(files, std::span(&last_.at, 1), last_.key);
  if (read == kNowhere) read = find_place(files, last_.earlier, last_.key);
  return read == kNowhere ? count_written_since(files, last_) : read;
}

// Nothing was given of the current file yet. Between the listing that named it and the reading of its first lines it
// may have been copied and cut to nothing: then what stood in it first is in a copy that we don't know of. And the copy
// that was read before may have grown: it was not whole yet. These files were listed after the reading.
void Follower::prove(Readings files) {
  const size_t count = count_unread(files);
  if (count < files.size() && files[count].lines() > 0 && files[count].has_more_than(left_unfinished_)) {
    held_ = Held::kNone;
    return find_again(std::move(files));
  }
  const auto was_passed = [&](const Reading& file) {
    return std::any_of(passed_.begin(), passed_.end(),
                       [&](Reading& p) { return p.is_same_file(file) && !p.has_more_than(p.unfinished()); });
  };
  const bool is_next = count > 0 && files[0].is_same_file(*current_) &&
                       std::all_of(files.begin() + 1, files.begin() + static_cast<std::ptrdiff_t>(count), was_passed);
  if (!is_next) {
    held_ = Held::kNone;
    current_.reset();
    return take_newer(files, count);
  }
  if (held_ == Held::kNone) return;
  held_ = Held::kProven;
  tell_unfinished();
}

// Of the file before.
void Follower::tell_unfinished() {
  if (left_unfinished_ == 0 || std::exchange(unfinished_told_, true)) return;
  lose(fmt::format("the last line of the file before {} has no end and was left out", current_->name()),
       current_->name());
}

void Follower::take_newer(Readings& files, size_t count) {
  newer_.clear();
  std::move(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(count), std::back_inserter(newer_));
  newer_had_data_ = false;
}

void Follower::go_on_at(Readings& files, size_t index) {
  missed_.clear();
  take_newer(files, index);
  make_current(std::move(files[index]));
}

void Follower::make_current(Reading reading) {
  current_ = std::make_unique<Reading>(std::move(reading));
  Reading::next_file(block_);
  gone_ = newer_had_data_ = false;
  trouble_.clear();
  told_.push_back({.kind = Step::Kind::kFile, .file = current_->name(), .lines = current_->lines()});
}

// ---------------------------------------------------------------- reading

Step Follower::next() {
  while (true) {
    if (!told_.empty()) {
      Step first = std::move(told_.front());
      told_.pop_front();
      return first;
    }
    if (held_ == Held::kProven) {
      held_ = Held::kNone;
      return std::move(held_step_);
    }
    if (gone_ || held_ != Held::kNone || (!current_ && newer_.empty())) return {};
    if (!current_) {
      go_to_next();
      continue;
    }
    Step step;
    const bool first_of_live = current_->live() && current_->lines() == 0;
    switch (current_->read(block_, step.text)) {
      case Reading::Got::kLines:
      case Reading::Got::kOverlong:
        step.kind = step.text.empty() ? Step::Kind::kOverlong : Step::Kind::kLines;
        newer_had_data_ = false;
        if (!first_of_live) return step;
        held_step_ = std::move(step);
        held_ = Held::kUnproven;
        ask();
        continue;
      case Reading::Got::kGone:
        last_ = position();
        gone_ = true;
        ask();
        continue;
      case Reading::Got::kBroken:
        if (std::exchange(trouble_, current_->trouble()) != current_->trouble()) lose(trouble_, current_->name());
        [[fallthrough]];
      case Reading::Got::kEnd:
        if (!at_end()) return {};
    }
  }
}

// False: there is nothing to be done. The writer goes on with the next file only when it is done with this one; so
// this one is looked at once more after the next was seen to have data.
bool Follower::at_end() {
  if (std::none_of(newer_.begin(), newer_.end(), [](const Reading& r) { return r.has_more(); })) return !told_.empty();
  if (!std::exchange(newer_had_data_, true)) return true;
  if (current_->lines() > 0) {
    left_unfinished_ = current_->unfinished();
    unfinished_told_ = false;
    last_ = position();
    remember(earlier_, last_.at);
    passed_.clear();
  } else {
    passed_.push_back(std::move(*current_));
  }
  go_to_next();
  return true;
}

void Follower::go_to_next() {
  Reading next = std::move(newer_.back());
  newer_.pop_back();
  // A file that was read before, and was moved away and back.
  for (const Place& place : earlier_) {
    if (next.place(place, last_.key) == Reading::Found::kHere) break;
  }
  make_current(std::move(next));
  if (!current_->live() && current_->lines() == 0) tell_unfinished();
}

}  // namespace mailward
