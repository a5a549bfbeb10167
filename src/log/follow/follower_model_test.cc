// Any order of writing, rotating, crashing and reading: each line that stayed readable until it was read is read
// once, in order. Real files; one thread plays all parts, so that each interleaving is a seed and can be repeated:
// rotation is cut into its single system calls, and what the reader knows of the folder is as old as it may be.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "base/test_folder.h"
#include "log/follow/follower.h"
#include "log/follow/test_packer.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> whole_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    lines.push_back(text.substr(at, end - at));
  }
  return lines;
}

std::string unpacked(const std::string& path) {
  Result<LogSource> source = LogSource::open(path);
  std::string text;
  if (!source || !source->identify()) return text;
  std::string room(1 << 16, '\0');
  for (Result<size_t> got = source->read(room); got && *got > 0; got = source->read(room)) text.append(room, 0, *got);
  return text;
}

struct Habits {
  bool copy_and_cut = false;
  bool dated = false;
  bool from_zero = false;  // maillog.0 is the youngest
  bool delay = false;      // of compression, by one rotation
  Compression how = Compression::kNone;
  int keep = 50;
  bool power_cuts = false;
  bool moves_away = false;
};

class World {
 public:
  World(const std::string& folder, uint64_t seed, Habits habits)
      : folder_(folder), live_(folder + "/mail.log"), random_(seed), habits_(habits) {
    open_writer();
    Position nothing;
    nothing.key = seed * 0x9e3779b97f4a7c15ULL;
    start_reader(std::move(nothing));
    commit();
  }

  void act() {
    switch (roll(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return write_some();
      case 4:
      case 5:
        return rotate_a_step();
      case 6:
      case 7:
        return list();
      case 8:
      case 9:
        return tell();
      case 10:
      case 11:
      case 12:
        return read(1 + roll(4));
      case 13:
        return commit();
      case 14:
        if (roll(4) == 0) crash();
        return;
      default:
        if (habits_.moves_away && steps_.empty()) move_away_or_back();
        if (habits_.power_cuts && steps_.empty() && roll(6) == 0) power_cut();
    }
  }

  // Everything comes to rest, and what was read is compared with what was written.
  void finish() {
    if (away_) move_away_or_back();
    finish_line();
    while (!steps_.empty()) rotate_a_step();
    for (int i = 0; i < 60; ++i) {
      listed_.clear();
      list();
      tell();
      read(1000);
    }
    compare();
  }

 private:
  size_t roll(size_t n) { return static_cast<size_t>(random_() % n); }

  // ---- the writer
  void open_writer() { writer_ = Descriptor(::open(live_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)); }
  void put(const std::string& text) {
    if (::write(writer_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) ADD_FAILURE();
  }
  void finish_line() {
    if (rest_.empty()) return;
    put(rest_);
    rest_.clear();
    written_.push_back(begun_);
    if (!glued_.empty()) {
      excused_.insert(begun_);
      odd_.insert(std::exchange(glued_, "") + begun_);
    }
  }
  void write_some() {
    finish_line();
    const size_t n = roll(6);
    for (size_t i = 0; i < n; ++i) {
      const size_t length = roll(40) == 0 ? 3000 + roll(3000) : roll(60);
      begun_ = fmt::format("L{} {}", serial_++, std::string(length, static_cast<char>('a' + roll(26))));
      rest_ = begun_ + "\n";
      if (i + 1 < n || roll(3) > 0) {
        finish_line();
      } else {
        const size_t part = 1 + roll(rest_.size() - 1);
        put(rest_.substr(0, part));
        rest_.erase(0, part);
      }
    }
  }

  // ---- the rotation
  std::string rotated(int i) const {
    if (habits_.dated) return fmt::format("{}-{}", live_, 1'700'000'000 + i);
    return fmt::format("{}.{}", live_, i - (habits_.from_zero ? 1 : 0));
  }
  static std::string with_ending(const std::string& plain) {
    for (const char* end : {"", ".gz", ".xz", ".bz2", ".zst"}) {
      if (fs::exists(plain + end)) return plain + end;
    }
    return {};
  }
  void erase(const std::string& path) {
    for (std::string& line : whole_lines(unpacked(path))) excused_.insert(std::move(line));
    fs::remove(path);
    removed_ = true;
  }
  void rotate_a_step() {
    if (away_) return;
    if (!steps_.empty()) {
      const std::function<void()> step = std::move(steps_.front());
      steps_.pop_front();
      return step();
    }
    if (roll(3) > 0) return;
    ++rotations_;
    const std::string first = rotated(habits_.dated ? rotations_ : 1);
    if (habits_.dated) {
      const std::string oldest = rotated(rotations_ - habits_.keep);
      steps_.emplace_back([this, oldest] { erase_if_there(oldest); });
    } else {
      steps_.emplace_back([this] { erase_if_there(rotated(habits_.keep)); });
      for (int i = std::min(habits_.keep, rotations_) - 1; i >= 1; --i) steps_.emplace_back([this, i] { shift(i); });
    }
    if (habits_.copy_and_cut) {
      steps_.emplace_back([this, first] { copy_more(first, true); });
      steps_.emplace_back([this, first] { copy_more(first, false); });
      steps_.emplace_back([this, first] { cut(first); });
    } else {
      steps_.emplace_back([this, first] { fs::rename(live_, first); });
      if (roll(2) == 0) steps_.emplace_back([this] { std::ofstream touch(live_, std::ios::app); });
      steps_.emplace_back([this] {
        finish_line();
        open_writer();
      });
    }
    if (habits_.how == Compression::kNone) return;
    const std::string which = !habits_.delay ? first : rotated(habits_.dated ? rotations_ - 1 : 2);
    steps_.emplace_back([this, which] { pack(which, true); });
    steps_.emplace_back([this, which] { pack(which, false); });
    steps_.emplace_back([this, which] {
      if (fs::exists(which + ending(habits_.how))) fs::remove(which);
    });
  }
  void erase_if_there(const std::string& plain) {
    if (const std::string path = with_ending(plain); !path.empty()) erase(path);
  }
  void shift(int i) {
    const std::string path = with_ending(rotated(i));
    if (!path.empty()) fs::rename(path, rotated(i + 1) + path.substr(rotated(i).size()));
  }
  void copy_more(const std::string& to, bool half) {
    std::string text = content_of(live_);
    if (half) text.resize(text.size() / 2);
    std::ofstream out(to, std::ios::app | std::ios::binary);
    out << text.substr(fs::exists(to) ? fs::file_size(to) : 0);
  }
  void cut(const std::string& copy) {
    const std::string text = content_of(live_), saved = content_of(copy);
    EXPECT_TRUE(text.starts_with(saved));
    for (std::string& line : whole_lines(text.substr(saved.rfind('\n') + 1))) excused_.insert(std::move(line));
    raced_ = raced_ || text.size() > saved.size() || (!text.empty() && text.back() != '\n');
    if (!rest_.empty()) {  // a line is cut in two: what comes of it is no line that was written
      excused_.insert(begun_);
      odd_.insert(rest_.substr(0, rest_.size() - 1));
    }
    EXPECT_EQ(::truncate(live_.c_str(), 0), 0);
  }
  void pack(const std::string& plain, bool half) {
    if (!fs::exists(plain)) return;
    const std::string to = plain + ending(habits_.how), all = packed(habits_.how, content_of(plain));
    std::ofstream(to, std::ios::binary) << (half ? all.substr(0, all.size() / 2) : all);
    if (half) return;
    struct stat s{};
    ::stat(plain.c_str(), &s);
    const timespec times[] = {s.st_mtim, s.st_mtim};
    ::utimensat(AT_FDCWD, to.c_str(), times, 0);
  }
  void move_away_or_back() {
    const std::string away = folder_ + "/elsewhere";
    fs::rename(away_ ? away : live_, away_ ? live_ : away);
    away_ = !away_;
  }

  // ---- the reader
  void start_reader(Position stored) {
    reader_ = std::make_unique<Follower>(std::move(stored), Begin::kOldest);
    listed_.clear();
  }
  void list() {
    Result<Series> series = open_series(live_);
    ASSERT_TRUE(series.has_value());
    EXPECT_TRUE(series->trouble.empty());
    EXPECT_TRUE(series->settled);
    series->answers = reader_->asked();
    listed_.push_back(std::move(*series));
  }
  void tell() {
    if (listed_.empty()) return;
    reader_->changed(std::move(listed_.front()));
    listed_.pop_front();
  }
  void read(size_t most) {
    for (size_t i = 0; i < most; ++i) {
      Step step = reader_->next();
      if (step.kind == Step::Kind::kIdle) return;
      if (step.kind == Step::Kind::kLoss) losses_.push_back(step.loss.reason);
      if (step.kind != Step::Kind::kLines) continue;
      EXPECT_TRUE(step.text.ends_with('\n'));
      for (std::string& line : whole_lines(std::string(step.text))) taken_.push_back(std::move(line));
    }
  }
  struct Commit {
    std::string position;
    size_t taken = 0;
  };
  void commit() {
    commits_.push_back({to_text(reader_->position()), taken_.size()});
    if (commits_.size() > 3) commits_.pop_front();
  }
  void resume(const Commit& from) {
    taken_.resize(from.taken);
    const Result<Position> position = position_from_text(from.position);
    ASSERT_TRUE(position.has_value());
    start_reader(*position);
  }
  void crash() { resume(commits_.back()); }
  // The newest bytes of the live file are gone, and maybe the newest commits.
  void power_cut() {
    const std::string text = content_of(live_);
    const size_t kept = text.size() - roll(std::min<size_t>(text.size(), 5000) + 1);
    for (std::string& line : whole_lines(text.substr(text.rfind('\n', kept > 0 ? kept - 1 : 0) + 1))) {
      excused_.insert(std::move(line));
    }
    if (kept < text.size()) cut_ = true;
    EXPECT_EQ(::truncate(live_.c_str(), static_cast<off_t>(kept)), 0);
    rest_.clear();
    glued_ = text.substr(0, kept);
    glued_.erase(0, glued_.rfind('\n') + 1);
    for (size_t back = roll(2); back > 0 && commits_.size() > 1; --back) commits_.pop_back();
    crash();
  }

  // ---- the oracle
  void compare() {
    std::vector<std::string> expected;
    size_t at = 0;
    const std::set<std::string> taken_set(taken_.begin(), taken_.end());
    for (const std::string& line : written_) {
      if (excused_.contains(line) && !taken_set.contains(line)) continue;
      expected.push_back(line);
    }
    std::vector<std::string> taken;
    std::multiset<std::string> odd;
    for (const std::string& line : taken_) {
      if (odd_.contains(line)) {
        odd.insert(line);
        EXPECT_LE(odd.count(line), odd_.count(line)) << "twice: " << line;
      } else {
        taken.push_back(line);
      }
    }
    for (; at < std::min(taken.size(), expected.size()) && taken[at] == expected[at]; ++at) {
    }
    const auto show = [&](const std::vector<std::string>& v) {
      return at < v.size() ? v[at].substr(0, 40) : std::string("(end)");
    };
    EXPECT_EQ(show(taken), show(expected)) << "line " << at << " of " << taken.size() << " read and " << expected.size()
                                           << " expected; losses told: " << losses_.size();
    if (!removed_ && !raced_ && !cut_) {
      EXPECT_TRUE(losses_.empty()) << losses_.front();
    }
  }

  std::string folder_, live_;
  std::mt19937_64 random_;
  Habits habits_;
  Descriptor writer_;
  std::string begun_, rest_;  // a line, and what of it isn't written yet
  uint64_t serial_ = 0;
  std::vector<std::string> written_;
  std::set<std::string> excused_;
  std::multiset<std::string> odd_;  // no lines that were written, but what was made of them
  std::string glued_;               // what a power cut left of a line, before the next one
  std::deque<std::function<void()>> steps_;
  int rotations_ = 0;
  bool away_ = false, removed_ = false, raced_ = false, cut_ = false;
  std::unique_ptr<Follower> reader_;
  std::deque<Series> listed_;
  std::vector<std::string> taken_;
  std::deque<Commit> commits_;
  std::vector<std::string> losses_;
};

class FollowerModel : public FolderTest {
 protected:
  void run(const std::function<void(Habits&, std::mt19937_64&)>& choose) {
    const uint64_t rounds = std::getenv("MAILWARD_SOAK") ? 5000 : 120;
    const char* only = std::getenv("MAILWARD_SEED");
    for (uint64_t seed = 1; seed <= rounds && !HasFailure(); ++seed) {
      const uint64_t chosen = only ? std::strtoull(only, nullptr, 10) : seed;
      SCOPED_TRACE(fmt::format("MAILWARD_SEED={}", chosen));
      std::mt19937_64 random(chosen);
      Habits habits;
      habits.dated = random() % 3 == 0;
      habits.from_zero = random() % 3 == 0;
      habits.delay = random() % 2 == 0;
      habits.how = static_cast<Compression>(random() % 5);
      choose(habits, random);
      const std::string folder = fmt::format("{}/{}", folder_, seed);
      fs::create_directory(folder);
      World world(folder, chosen, habits);
      const size_t acts = 50 + random() % 400;
      for (size_t i = 0; i < acts; ++i) world.act();
      world.finish();
      std::error_code gone;
      fs::remove_all(folder, gone);
      if (only) break;
    }
  }
};

TEST_F(FollowerModel, Rename) {
  run([](Habits&, std::mt19937_64&) {});
}
TEST_F(FollowerModel, CopyAndCut) {
  run([](Habits& h, std::mt19937_64&) { h.copy_and_cut = true; });
}
TEST_F(FollowerModel, FewKept) {
  run([](Habits& h, std::mt19937_64& random) {
    h.keep = 1 + static_cast<int>(random() % 3);
    h.copy_and_cut = random() % 2 == 0;
  });
}
TEST_F(FollowerModel, MovedAwayAndBack) {
  run([](Habits& h, std::mt19937_64& random) {
    h.moves_away = true;
    h.copy_and_cut = random() % 2 == 0;
  });
}
TEST_F(FollowerModel, PowerCut) {
  run([](Habits& h, std::mt19937_64& random) {
    h.power_cuts = true;
    h.copy_and_cut = random() % 2 == 0;
  });
}

}  // namespace
}  // namespace mailward
