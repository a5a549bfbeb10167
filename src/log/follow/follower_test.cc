#include "log/follow/follower.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_folder.h"
#include "log/follow/test_packer.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

Position with_key(uint64_t key) {
  Position p;
  p.key = key;
  return p;
}

class FollowerTest : public FolderTest {
 protected:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void append(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::binary | std::ios::app) << text;
  }
  void rename(const std::string& from, const std::string& to) { fs::rename(path(from), path(to)); }
  void remove(const std::string& name) { fs::remove(path(name)); }
  void cut(const std::string& name, size_t size = 0) {
    ASSERT_EQ(::truncate(path(name).c_str(), static_cast<off_t>(size)), 0);
  }
  std::string content(const std::string& name) {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void pack(const std::string& name, Compression how) {
    append(name + ending(how), packed(how, content(name)));
    remove(name);
  }

  void begin(Begin how = Begin::kOldest, Position stored = with_key(5)) { follower_.emplace(std::move(stored), how); }
  void resume() {
    const Result<Position> stored = position_from_text(to_text(follower_->position()));
    ASSERT_TRUE(stored.has_value());
    begin(Begin::kLive, *stored);
  }
  void list() {
    Result<Series> series = open_series(path("mail.log"));
    ASSERT_TRUE(series.has_value());
    series->answers = follower_->asked();
    follower_->changed(std::move(*series));
  }
  // The lines that are given now, "|" for each line feed; "(file)" where another begins, "{…}" a loss.
  std::string read(bool answer = true) {
    std::string out;
    while (true) {
      Step step = follower_->next();
      switch (step.kind) {
        case Step::Kind::kLines:
          for (const char c : step.text) out += c == '\n' ? '|' : c;
          break;
        case Step::Kind::kOverlong:
          out += "<overlong>";
          break;
        case Step::Kind::kFile:
          out += fmt::format("({}{})", step.file, step.lines > 0 ? fmt::format(":{}", step.lines) : "");
          break;
        case Step::Kind::kLoss:
          out += fmt::format("{{{}}}", step.loss.reason);
          break;
        case Step::Kind::kAsk:
          if (answer) list();
          break;
        case Step::Kind::kIdle:
          return out;
      }
    }
  }
  std::string changed() {
    list();
    return read();
  }

  std::optional<Follower> follower_;
};

TEST_F(FollowerTest, Grows) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  EXPECT_EQ(read(), "");
  append("mail.log", "two\nthr");
  EXPECT_EQ(read(), "two|");
  EXPECT_EQ(follower_->unfinished(), 3U);
  EXPECT_EQ(follower_->position().at.offset, 8U);
  append("mail.log", "ee\n");
  resume();
  EXPECT_EQ(read(), "(mail.log:2)three|");
  EXPECT_EQ(follower_->position().at.lines, 3U);
}

TEST_F(FollowerTest, BeginsWithTheLiveFile) {
  append("mail.log.2", "older\n");
  append("mail.log.1", "old\n");
  pack("mail.log.2", Compression::kGzip);
  append("mail.log", "new\n");
  begin(Begin::kLive);
  EXPECT_EQ(read(), "(mail.log.1:1)(mail.log)new|");
  begin(Begin::kOldest);
  EXPECT_EQ(read(), "(mail.log.2.gz)older|(mail.log.1)old|(mail.log)new|");
}

// The live file was empty at the first start; its lines are found when it has moved on.
TEST_F(FollowerTest, BeginsWithAnEmptyLiveFile) {
  for (const bool with_old : {false, true}) {
    if (with_old) append("mail.log.1", "old\n");
    append("mail.log", "");
    begin(Begin::kLive);
    EXPECT_EQ(read(), with_old ? "(mail.log.1:1)" : "(mail.log)");
    append("mail.log", "one\n");
    if (with_old) rename("mail.log.1", "mail.log.2");
    rename("mail.log", "mail.log.1");
    pack("mail.log.1", Compression::kXz);
    append("mail.log", "two\n");
    resume();
    EXPECT_EQ(read(), std::string(with_old ? "(mail.log.2:1)" : "") + "(mail.log.1.xz)one|(mail.log)two|");
    for (const auto& file : fs::directory_iterator(folder_)) fs::remove(file);
  }
}

TEST_F(FollowerTest, NothingIsThereYet) {
  begin(Begin::kLive);
  EXPECT_EQ(read(), "");
  append("mail.log", "one\n");
  EXPECT_EQ(changed(), "(mail.log)one|");
}

TEST_F(FollowerTest, Renamed) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  rename("mail.log", "mail.log.1");
  append("mail.log", "");
  EXPECT_EQ(changed(), "");
  append("mail.log.1", "two\n");  // the daemon doesn't know yet
  EXPECT_EQ(read(), "two|");
  append("mail.log.1", "three\n");
  append("mail.log", "four\n");
  EXPECT_EQ(read(), "three|(mail.log)four|");
}

TEST_F(FollowerTest, CompressedWhileItIsRead) {
  for (const Compression how : {Compression::kGzip, Compression::kXz, Compression::kBzip2, Compression::kZstd}) {
    append("mail.log", "one\n");
    begin();
    EXPECT_EQ(read(), "(mail.log)one|");
    append("mail.log", "two\n");
    rename("mail.log", "mail.log.1");
    pack("mail.log.1", how);
    append("mail.log", "three\n");
    EXPECT_EQ(changed(), "two|(mail.log)three|") << name_of(how);
    for (const auto& file : fs::directory_iterator(folder_)) fs::remove(file);
  }
}

TEST_F(FollowerTest, SeveralRotationsWhileItWasDown) {
  for (const Compression how :
       {Compression::kNone, Compression::kGzip, Compression::kXz, Compression::kBzip2, Compression::kZstd}) {
    append("mail.log", "one\n");
    begin();
    EXPECT_EQ(read(), "(mail.log)one|");
    append("mail.log", "two\n");
    rename("mail.log", "mail.log.3");
    append("mail.log.2", "three\n");
    append("mail.log.1", "four\n");
    append("mail.log", "five\n");
    const std::string end = ending(how);
    if (how != Compression::kNone) pack("mail.log.3", how), pack("mail.log.2", how);
    resume();
    EXPECT_EQ(read(), fmt::format("(mail.log.3{0}:1)two|(mail.log.2{0})three|(mail.log.1)four|(mail.log)five|", end));
    for (const auto& file : fs::directory_iterator(folder_)) fs::remove(file);
  }
}

TEST_F(FollowerTest, CopiedAndCut) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  append("mail.log", "two\n");
  fs::copy(path("mail.log"), path("mail.log.1"));
  cut("mail.log");
  EXPECT_EQ(read(), "(mail.log.1:1)two|");
  append("mail.log", "three\n");
  EXPECT_EQ(read(), "(mail.log)three|");
}

TEST_F(FollowerTest, CopiedAndCutAndGrownBeyondTheOldPlace) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  append("mail.log", "two\n");
  fs::copy(path("mail.log"), path("mail.log.1"));
  cut("mail.log");
  append("mail.log", "three, which is longer than both were\nfour\n");
  EXPECT_EQ(read(), "(mail.log.1:1)two|(mail.log)three, which is longer than both were|four|");
}

// The copy was begun, and not cut yet, when it was seen.
TEST_F(FollowerTest, ReadDuringTheCopy) {
  append("mail.log", "one\ntwo\nthree\n");
  append("mail.log.1", "one\ntw");
  begin();
  EXPECT_EQ(read(), "(mail.log.1)one|(mail.log:1)two|three|");
  append("mail.log.1", "o\nthree\n");
  cut("mail.log");
  EXPECT_EQ(changed(), "(mail.log.1:3)");
  append("mail.log", "four\n");
  EXPECT_EQ(read(), "(mail.log)four|");
}

// Lines that were read stand in no copy: what came after them, if anything, was lost by the rotation.
TEST_F(FollowerTest, TheCopyIsShorterThanWhatWasRead) {
  append("mail.log", "one\n");
  begin();
  fs::copy(path("mail.log"), path("mail.log.1"));
  append("mail.log", "two\n");
  EXPECT_EQ(read(), "(mail.log.1)one|(mail.log:1)two|");
  cut("mail.log");
  append("mail.log", "three\n");
  EXPECT_EQ(read(),
            "{mail.log.1 holds 4 of the 8 bytes that were read; the rest of it, and what followed, may be lost}"
            "(mail.log.1:1)(mail.log)three|");
}

TEST_F(FollowerTest, CutWithoutACopy) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  cut("mail.log");
  append("mail.log", "two, longer\n");
  EXPECT_EQ(
      read(),
      "{the place in mail.log where reading stopped (byte 4, line 1) is in no file any more; what followed it may "
      "be lost}(mail.log)two, longer|");
}

// A writer that doesn't append leaves a hole where it was cut.
TEST_F(FollowerTest, HoleBeforeTheText) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  fs::copy(path("mail.log"), path("mail.log.1"));
  cut("mail.log");
  cut("mail.log", 700'000);
  append("mail.log", "two\n");
  EXPECT_EQ(read(), "(mail.log.1:1)(mail.log)two|");
  resume();
  append("mail.log", "three\n");
  EXPECT_EQ(read(), "(mail.log:1)three|");
}

TEST_F(FollowerTest, MovedAwayAndBack) {
  append("mail.log.1", "zero\n");
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log.1)zero|(mail.log)one|");
  rename("mail.log", "away");
  EXPECT_EQ(changed(), "");
  append("away", "two\n");
  rename("away", "mail.log");
  EXPECT_EQ(changed(), "two|");
  rename("mail.log", "away");
  resume();
  EXPECT_EQ(read(), "");
  rename("away", "mail.log");
  append("mail.log", "three\n");
  EXPECT_EQ(changed(), "(mail.log:2)three|");
}

TEST_F(FollowerTest, ReplacedByAnother) {
  append("mail.log.1", "zero\n");
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log.1)zero|(mail.log)one|");
  append("mail.log", "two\n");
  append("new", "three\n");
  rename("new", "mail.log");
  EXPECT_EQ(changed(), "two|(mail.log)three|");
  append("new", "four\n");
  rename("new", "mail.log");
  resume();
  EXPECT_EQ(
      read(),
      "{the place in mail.log where reading stopped (byte 6, line 1) is in no file any more; what followed it may "
      "be lost}(mail.log.1:1)(mail.log)four|");
}

// A log that was read and rotated is put back, and the daemon goes on in it.
TEST_F(FollowerTest, AnOldOnePutBack) {
  append("mail.log.1", "zero\n");
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log.1)zero|(mail.log)one|");
  rename("mail.log.1", "mail.log");
  EXPECT_EQ(changed(), "");
  append("mail.log", "two\n");
  EXPECT_EQ(read(), "(mail.log:1)two|");
}

TEST_F(FollowerTest, RecycledInode) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  append("mail.log", "two\n");
  Position stored = follower_->position();
  rename("mail.log", "mail.log.1");
  pack("mail.log.1", Compression::kGzip);
  append("mail.log", "new content, longer than the old\n");
  struct stat s{};
  ASSERT_EQ(::stat(path("mail.log").c_str(), &s), 0);
  stored.at.device = s.st_dev;
  stored.at.inode = s.st_ino;
  begin(Begin::kLive, stored);
  EXPECT_EQ(read(), "(mail.log.1.gz:1)two|(mail.log)new content, longer than the old|");
}

TEST_F(FollowerTest, ShortenedByAPowerCut) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += fmt::format("line {} of the log\n", i);
  for (const size_t kept : {text.size() - 1, text.size() - 21, text.size() - 9000, size_t{60}, size_t{1}}) {
    for (const size_t lines : {size_t{3000}, size_t{10}}) {  // beyond the trail's length, and within
      const std::string all = lines == 10 ? text.substr(0, text.find("line 10 ")) : text;
      if (kept >= all.size() || (lines == 3000 && kept < 10'000)) continue;
      append("mail.log", all);
      begin();
      read();
      cut("mail.log", kept);
      append("mail.log", " glued\nnew\n");
      resume();
      const std::string partial = all.substr(0, kept).substr(all.rfind('\n', kept - 1) + 1);
      const std::string seen = read();
      EXPECT_TRUE(seen.ends_with(partial + " glued|new|")) << seen;
      EXPECT_EQ(std::count(seen.begin(), seen.end(), '|'), 2) << seen;
      EXPECT_EQ(std::count(seen.begin(), seen.end(), '{'), 1) << seen;
      remove("mail.log");
    }
  }
}

// More was cut off than can be told line by line: nothing is read twice, and what is behind is read.
TEST_F(FollowerTest, ShortenedByMoreThanTheTrail) {
  std::string text;
  for (int i = 0; i < 9000; ++i) text += fmt::format("line {} of the log\n", i);
  append("mail.log", text);
  begin();
  read();
  cut("mail.log", 20'000);
  resume();
  const std::string seen = read();
  EXPECT_NE(seen.find("bytes that were read"), std::string::npos);
  EXPECT_EQ(seen.find('|'), std::string::npos) << seen;
  append("mail.log", "\nnew\n");
  EXPECT_TRUE(read().ends_with("|new|"));
}

TEST_F(FollowerTest, TheFileIsGone) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  remove("mail.log");
  append("mail.log.1", "three\n");
  append("mail.log", "four\n");
  resume();
  EXPECT_EQ(
      read(),
      "{the place in mail.log where reading stopped (byte 4, line 1) is in no file any more; what followed it may "
      "be lost}(mail.log.1)three|(mail.log)four|");
}

TEST_F(FollowerTest, OverlongLines) {
  const std::string longest(LineBlock::kBlock * 3, 'x');
  append("mail.log", "one\n" + longest);
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  EXPECT_EQ(follower_->position().at.offset, 4U);
  append("mail.log", longest + "\ntwo\n");
  EXPECT_EQ(read(), "<overlong>two|");
  EXPECT_EQ(follower_->position().at.lines, 3U);
  rename("mail.log", "mail.log.1");
  append("mail.log.1", "three\n" + longest + "\nfour\n");
  resume();
  pack("mail.log.1", Compression::kZstd);
  append("mail.log", "five\n");
  EXPECT_EQ(read(), "(mail.log.1.zst:3)three|<overlong>four|(mail.log)five|");
}

TEST_F(FollowerTest, ALastLineWithoutItsEndIsTold) {
  append("mail.log", "one\ntw");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  rename("mail.log", "mail.log.1");
  append("mail.log", "three\n");
  EXPECT_EQ(changed(), "(mail.log){the last line of the file before mail.log has no end and was left out}three|");
}

TEST_F(FollowerTest, ABrokenArchiveIsTold) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += fmt::format("line {}\n", i);
  const std::string bytes = gzip(text);
  append("mail.log.1.gz", bytes.substr(0, bytes.size() / 2));
  rename("mail.log", "mail.log.2");
  append("mail.log", "three\n");
  const std::string seen = changed();
  EXPECT_TRUE(seen.starts_with("(mail.log.1.gz)line 0|line 1|"));
  EXPECT_NE(seen.find("is cut short in the middle of its compression"), std::string::npos);
  EXPECT_TRUE(seen.ends_with("three|"));
}

// An answer that was on its way when the question came, and one whose listing was disturbed.
TEST_F(FollowerTest, OnlyGoodAnswersAreUsed) {
  append("mail.log", "one\n");
  begin();
  Result<Series> early = open_series(path("mail.log"));
  early->answers = follower_->asked() - 1;
  follower_->changed(std::move(*early));
  EXPECT_EQ(read(false), "");
  Result<Series> unsettled = open_series(path("mail.log"));
  unsettled->answers = follower_->asked();
  unsettled->settled = false;
  const uint64_t before = follower_->asked();
  follower_->changed(std::move(*unsettled));
  EXPECT_GT(follower_->asked(), before);
  EXPECT_EQ(read(), "(mail.log)one|");
}

// The first lines of a file are given only when it is sure that no file stands before it.
TEST_F(FollowerTest, CopiedAndCutBetweenTheListingAndTheReading) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(follower_->next().kind, Step::Kind::kAsk);
  list();
  fs::copy(path("mail.log"), path("mail.log.1"));
  cut("mail.log");
  append("mail.log", "two\n");
  EXPECT_EQ(read(), "(mail.log)(mail.log.1)one|(mail.log)two|");
}

// The same before a search: that the place is in none of these files proves nothing yet.
TEST_F(FollowerTest, CopiedAndCutBetweenTheListingAndTheSearch) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  append("mail.log", "two\n");
  resume();
  EXPECT_EQ(follower_->next().kind, Step::Kind::kAsk);
  Result<Series> late = open_series(path("mail.log"));
  late->answers = follower_->asked();
  fs::copy(path("mail.log"), path("mail.log.1"));
  cut("mail.log");
  append("mail.log", "three\n");
  follower_->changed(std::move(*late));
  EXPECT_EQ(read(), "(mail.log.1:1)two|(mail.log)three|");
}

// The copy had but the beginning of a line when it was read, and was whole before the live file was.
TEST_F(FollowerTest, ACopyThatGrowsAfterItWasPassed) {
  append("mail.log", "one\n");
  append("mail.log.1", "on");
  begin();
  std::string seen;
  while (seen != "mail.log") {
    const Step step = follower_->next();
    if (step.kind == Step::Kind::kAsk) list();
    seen = step.file;
  }
  append("mail.log.1", "e\n");
  cut("mail.log");
  append("mail.log", "two\n");
  EXPECT_EQ(read(), "(mail.log.1)one|(mail.log)two|");
}

// Nothing tells which files were read, but that they were not written to since.
TEST_F(FollowerTest, WhatIsOlderThanTheLostPlaceIsNotRead) {
  append("mail.log.1", "ancient\n");
  fs::last_write_time(path("mail.log.1"), fs::file_time_type::clock::now() - std::chrono::hours(24));
  append("mail.log", "one\n");
  begin(Begin::kLive);
  EXPECT_EQ(read(), "(mail.log.1:1)(mail.log)one|");
  Position stored = follower_->position();
  stored.earlier.clear();
  remove("mail.log");
  append("mail.log", "two\n");
  begin(Begin::kLive, stored);
  EXPECT_TRUE(read().ends_with("}(mail.log)two|"));
}

TEST_F(FollowerTest, ALostPlaceIsKnownWhenItComesBack) {
  append("mail.log", "one\n");
  begin();
  EXPECT_EQ(read(), "(mail.log)one|");
  rename("mail.log", "away");
  append("mail.log", "two\n");
  resume();
  EXPECT_TRUE(read().ends_with("}(mail.log)two|"));
  rename("mail.log", "mail.log.1");
  append("away", "three\n");
  rename("away", "mail.log");
  resume();
  EXPECT_EQ(read(), "(mail.log.1:1)(mail.log:1)three|");
}

// What one thread can't show: the writer and its rotation go on in the middle of each of our steps.
TEST_F(FollowerTest, WhileItIsWrittenAndRotated) {
  const int lines = std::getenv("MAILWARD_SOAK") ? 400'000 : 20'000;
  for (const bool copies : {false, true}) {
    constexpr int kKept = 6;
    std::atomic<int> written = 0, taken = 0;
    const auto name = [](int i) { return i == 0 ? std::string("mail.log") : fmt::format("mail.log.{}", i); };
    append("mail.log", "");
    std::thread writer([&] {
      while (written < lines) {
        // No file is deleted before it was read.
        while (written - taken > 20) std::this_thread::yield();
        for (int i = 0; i < 5; ++i) append("mail.log", fmt::format("{}\n", written++));
        for (int i = kKept; i >= (copies ? 2 : 1); --i) {
          if (fs::exists(path(name(i - 1)))) rename(name(i - 1), name(i));
        }
        if (copies) fs::copy(path("mail.log"), path("mail.log.1"));
        if (copies) cut("mail.log");
        append("mail.log", fmt::format("{}\n", written++));
      }
    });
    begin();
    int wrong = 0, round = 0;
    while (wrong == 0 && (taken < lines || taken < written)) {
      Step step = follower_->next();
      if (step.kind == Step::Kind::kAsk || (step.kind == Step::Kind::kIdle && ++round % 2 == 0)) list();
      if (step.kind == Step::Kind::kLoss) ++wrong, ADD_FAILURE() << step.loss.reason;
      if (step.kind != Step::Kind::kLines) continue;
      for (size_t at = 0, end; (end = step.text.find('\n', at)) != std::string_view::npos; at = end + 1) {
        const std::string line(step.text.substr(at, end - at));
        if (line != std::to_string(taken))
          ++wrong, ADD_FAILURE() << line << " instead of " << taken << (copies ? ", copies" : "");
        ++taken;
      }
    }
    taken = INT_MAX / 2;  // lets the writer go on, should we have given up
    writer.join();
    for (const auto& file : fs::directory_iterator(folder_)) fs::remove(file);
  }
}

TEST_F(FollowerTest, TenThousandRotations) {
  const int rounds = std::getenv("MAILWARD_SOAK") ? 100'000 : 10'000;
  begin();
  std::string expected;
  int wrong = 0;
  for (int i = 0; i < rounds && wrong == 0; ++i) {
    for (int k = 3; k >= 1; --k) {
      if (fs::exists(path(fmt::format("mail.log.{}", k))))
        rename(fmt::format("mail.log.{}", k), fmt::format("mail.log.{}", k + 1));
    }
    if (i > 0) rename("mail.log", "mail.log.1");
    append("mail.log", fmt::format("line {}\n", i));
    if (i % 3 == 1) continue;  // two at once
    list();
    std::string given;
    for (Step step = follower_->next(); step.kind != Step::Kind::kIdle; step = follower_->next()) {
      if (step.kind == Step::Kind::kLines) given += step.text;
      if (step.kind == Step::Kind::kLoss) ++wrong;
      if (step.kind == Step::Kind::kAsk) list();
    }
    expected = i % 3 == 2 ? fmt::format("line {}\nline {}\n", i - 1, i) : fmt::format("line {}\n", i);
    if (given != expected) ++wrong;
    EXPECT_EQ(given, expected);
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LT(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()), 40);
}

// Not a test of speed: that it is measured at all, and is not off by a factor.
TEST_F(FollowerTest, ReadsInBlocks) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += fmt::format("Mar  9 07:55:42 mail sshd[{}]: a line of the log\n", i);
  append("mail.log", text);
  begin();
  uint64_t bytes = 0, steps = 0;
  while (true) {
    const Step step = follower_->next();
    if (step.kind == Step::Kind::kAsk) list();
    if (step.kind == Step::Kind::kIdle) break;
    bytes += step.text.size();
    ++steps;
  }
  EXPECT_EQ(bytes, text.size());
  EXPECT_LE(steps, text.size() / LineBlock::kBlock + 10);
}

}  // namespace
}  // namespace mailward
