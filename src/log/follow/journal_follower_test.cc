// Against a real systemd-journald; what journalctl tells is the truth.
#include "log/follow/journal_follower.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "log/follow/test_journald.h"
#include "log/journal.h"
#include "log/meta.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;
using Kind = JournalStep::Kind;

// A reader that may be killed: what it took counts when it was stored with the position.
class Reading {
 public:
  Reading(std::string folder, Begin begin) : folder_(std::move(folder)), begin_(begin) { start(); }

  void start() {
    taken_ = stored_;
    losses_ = stored_losses_;
    auto opened = JournalFollower::open(position_, begin_);
    ASSERT_TRUE(opened) << opened.error().message;
    follower_ = std::move(*opened);
    entries_ = follower_->figures().lines;
    changed();
  }
  void changed(bool settled = true, bool late = false) {
    auto files = open_journal_files(folder_);
    ASSERT_TRUE(files) << files.error().message;
    files->answers = follower_->asked() - (late ? 1 : 0);
    files->settled = settled;
    follower_->changed(std::move(*files));
  }
  // At most so many steps. False: there was nothing more.
  bool read(size_t most = SIZE_MAX, bool answer = true) {
    for (size_t i = 0; i < most; ++i) {
      const JournalStep step = follower_->next();
      entries_ = follower_->figures().lines;
      if (step.kind == Kind::kIdle) return false;
      if (step.kind == Kind::kAsk) {
        ++asked_;
        if (!answer) return false;
        changed();
        continue;
      }
      if (step.kind == Kind::kLoss) losses_.push_back(step.loss);
      if (step.kind == Kind::kLoss) {
        EXPECT_EQ(classify(step.record).kind, Meta::Kind::kLoss);
      } else {
        taken_.emplace_back(step.record.message);
      }
    }
    return true;
  }
  // Reads until this came.
  void read_until(const std::string& message) {
    for (int tries = 0; tries < 1000; ++tries) {
      read();
      if (std::find(taken_.rbegin(), taken_.rend(), message) != taken_.rend()) return;
      Journald::pause();
    }
    ADD_FAILURE() << message << " was never read";
  }
  void store() {
    position_ = follower_->position();
    stored_ = taken_;
    stored_losses_ = losses_;
  }
  void stop() {
    store();
    follower_.reset();
  }
  const std::vector<std::string>& taken() const { return taken_; }
  const std::vector<std::string>& losses() const { return losses_; }
  const std::string& position() const { return position_; }
  uint64_t entries() const { return entries_; }
  int asked() const { return asked_; }

 private:
  const std::string folder_;
  const Begin begin_;
  std::unique_ptr<JournalFollower> follower_;
  std::vector<std::string> taken_, stored_, losses_, stored_losses_;
  std::string position_;
  uint64_t entries_ = 0;
  int asked_ = 0;
};

class JournalFollowerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_read_journal("/nonexistent") &&
        can_read_journal("/nonexistent").error().message.find("without libsystemd") != std::string::npos)
      GTEST_SKIP() << "built without libsystemd";
    if (const std::string why = Journald::missing(); !why.empty()) GTEST_SKIP() << why;
    journald_ = std::make_unique<Journald>();
    write("first");
    journald_->wait_for("first");
  }
  void write(const std::string& message, uid_t user = 0) { journald_->write(message, user); }
  Reading oldest() { return {journald_->folder(), Begin::kOldest}; }

  std::unique_ptr<Journald> journald_;
};

TEST_F(JournalFollowerTest, SeesWhatIsAddedToOpenFiles) {
  Reading reading(journald_->folder(), Begin::kLive);
  EXPECT_FALSE(reading.read());
  EXPECT_EQ(reading.taken().size(), 0U);
  for (int i = 0; i < 20; ++i) {
    write(fmt::format("entry {}", i));
    reading.read_until(fmt::format("entry {}", i));
  }
  EXPECT_EQ(reading.taken().size(), 20U);
  EXPECT_EQ(reading.asked(), 0);
  EXPECT_TRUE(reading.losses().empty());
}

TEST_F(JournalFollowerTest, IsTheSameAsJournalctlOverRotationsAndDeaths) {
  std::mt19937 random(static_cast<uint32_t>(testing::UnitTest::GetInstance()->random_seed() + 11));
  const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
  const int rounds = std::getenv("MAILWARD_SOAK") ? 600 : 120;
  Reading reading = oldest();
  std::string last;
  int deaths = 0;
  for (int round = 0; round < rounds; ++round) {
    for (uint32_t i = 0, n = random() % 20; i < n; ++i) {
      last = fmt::format("round {} entry {}", round, i);
      write(last, chance(10) ? 1000 + random() % 3 : 0);
    }
    if (chance(15)) journald_->rotate();
    if (chance(30)) reading.read(random() % 40);
    if (chance(30)) reading.changed();
    if (chance(30)) reading.store();
    if (!chance(25)) continue;
    reading.start();  // whatever was not stored is forgotten
    ++deaths;
  }
  write("the end");
  journald_->wait_for("the end");
  reading.changed();
  reading.read_until("the end");
  EXPECT_GT(deaths, rounds / 10);
  EXPECT_EQ(reading.taken(), journald_->told());
  EXPECT_EQ(reading.entries(), journald_->told(true).size());
  EXPECT_EQ(reading.losses(), std::vector<std::string>());
}

TEST_F(JournalFollowerTest, AnEntryInAFileThatItHasNotGotIsNoLoss) {
  for (const Begin begin : {Begin::kOldest, Begin::kLive}) {
    Reading reading(journald_->folder(), begin);
    reading.read();
    const uint64_t before = reading.entries();
    const std::string by_root = fmt::format("by root {}", before);
    write("by a user", begin == Begin::kOldest ? 1001 : 1002);  // makes user-1001.journal
    write(by_root);
    journald_->wait_for(by_root);
    // Not told of the new file: the numbers show that there must be one.
    reading.read();
    EXPECT_EQ(reading.asked(), 1);
    EXPECT_EQ(reading.entries(), before + 2);
    EXPECT_EQ(reading.taken().back(), by_root);
    EXPECT_TRUE(reading.losses().empty());
  }
}

TEST_F(JournalFollowerTest, VacuumedWhileItIsReadEachEntryComesAtMostOnce) {
  journald_ = nullptr;
  journald_ = std::make_unique<Journald>(6);
  std::mt19937 random(static_cast<uint32_t>(testing::UnitTest::GetInstance()->random_seed() + 12));
  Reading reading = oldest();
  int written = 0;
  for (int round = 0; round < 100; ++round) {
    for (uint32_t n = random() % 20; n > 0; --n)
      write(fmt::format("entry {:06}", written++), random() % 10 == 0 ? 1000 : 0);
    journald_->rotate();
    if (random() % 3 == 0) reading.changed();
    if (random() % 2 == 0) reading.read(random() % 60);
    if (random() % 4 == 0) reading.store();
    if (random() % 8 == 0) reading.start();
  }
  write("entry the end");
  journald_->wait_for("entry the end");
  reading.changed();
  reading.read_until("entry the end");
  std::vector<std::string> entries;
  for (const std::string& message : reading.taken())
    if (message.starts_with("entry ")) entries.push_back(message);
  EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end()));
  EXPECT_EQ(std::adjacent_find(entries.begin(), entries.end()), entries.end());
  // What is left is what was read last, and what is missing was told.
  const auto left = journald_->told();
  ASSERT_LE(left.size(), reading.taken().size());
  EXPECT_TRUE(std::equal(left.rbegin(), left.rend(), reading.taken().rbegin()));
  EXPECT_LT(entries.size(), static_cast<size_t>(written));
  EXPECT_FALSE(reading.losses().empty());
}

// The same numbers, read by `scan`: a user's entries are no holes in root's.
TEST_F(JournalFollowerTest, ScanSeesNoLossEither) {
  for (int i = 0; i < 12; ++i) write(fmt::format("entry {}", i), i % 3 == 1 ? 1000 + static_cast<uid_t>(i) % 2 : 0);
  journald_->wait_for("entry 11");
  auto stream = open_journal(journald_->folder());
  ASSERT_TRUE(stream) << stream.error().message;
  std::vector<std::string> read;
  Record record;
  while ((*stream)->next(record).value_or(false)) read.emplace_back(record.message);
  EXPECT_EQ(read, journald_->told());
}

// An entry is known when journald touched its file; while entries come, by looking again, at once.
TEST_F(JournalFollowerTest, IsSeenSoonByLookingAgain) {
  Reading reading(journald_->folder(), Begin::kLive);
  reading.read();
  std::vector<double> took;
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    write(fmt::format("entry {}", i));
    while (reading.taken().size() <= static_cast<size_t>(i)) {
      reading.read();
      std::this_thread::sleep_for(JournalFollower::kLookAgain);
      if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(10)) FAIL() << "never seen";
    }
    took.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(took.begin(), took.end());
  if (std::getenv("MAILWARD_FIGURES")) std::printf("write to record: p50 %.1f ms, most %.1f ms\n", took[10], took[19]);
}

TEST_F(JournalFollowerTest, WaitsForTheFilesThatItAskedFor) {
  Reading reading = oldest();
  reading.read();
  const auto before = reading.taken();
  write("by a user", 1001);
  write("by root");
  journald_->wait_for("by root");
  EXPECT_FALSE(reading.read(SIZE_MAX, false));
  EXPECT_FALSE(reading.read(SIZE_MAX, false));
  EXPECT_EQ(reading.asked(), 1);
  reading.changed(true, true);  // a listing from before
  EXPECT_FALSE(reading.read(SIZE_MAX, false));
  EXPECT_EQ(reading.asked(), 1);
  reading.changed(false);  // files came and went meanwhile
  EXPECT_FALSE(reading.read(SIZE_MAX, false));
  EXPECT_EQ(reading.asked(), 2);
  EXPECT_EQ(reading.taken(), before);
  reading.changed();
  reading.changed(true, true);
  reading.read();
  EXPECT_EQ(reading.taken(), journald_->told());
}

// A listing without the file that has the place, which is there in the next one.
TEST_F(JournalFollowerTest, TheFileOfThePlaceMayBeMissingForAMoment) {
  write("by a user", 1001);
  write("by root");
  journald_->wait_for("by root");
  Reading reading = oldest();
  reading.read_until("by root");
  reading.stop();
  const std::string file = journald_->machine_folder() + "/system.journal";
  fs::rename(file, file + ".away");
  reading.start();
  EXPECT_FALSE(reading.read(SIZE_MAX, false));
  EXPECT_EQ(reading.asked(), 1);
  fs::rename(file + ".away", file);
  reading.changed();
  write("next");
  reading.read_until("next");
  EXPECT_EQ(reading.taken(), journald_->told());
  EXPECT_EQ(reading.losses(), std::vector<std::string>());
}

// As journald does to what it vacuums where holes can't be punched, and to an empty journal of a user.
TEST_F(JournalFollowerTest, AFileThatIsCutWhileItIsReadIsOpenedAnew) {
  for (int i = 0; i < 20; ++i) write(fmt::format("entry {}", i));
  journald_->wait_for("entry 19");
  const auto all = journald_->told();
  const std::string copy = journald_->folder() + "/../copy", file = copy + "/system.journal";
  fs::create_directory(copy);
  fs::copy(journald_->machine_folder(), copy);
  Reading reading(copy, Begin::kOldest);
  reading.read(10);
  fs::copy(file, file + ".away");
  fs::resize_file(file, 0);
  EXPECT_FALSE(reading.read(SIZE_MAX, false));
  EXPECT_EQ(reading.asked(), 1);
  EXPECT_EQ(reading.taken().size(), 10U);
  fs::rename(file + ".away", file);
  reading.changed();
  reading.read();
  EXPECT_EQ(reading.taken(), all);
  EXPECT_EQ(reading.losses(), std::vector<std::string>());
}

TEST_F(JournalFollowerTest, WhatWasVacuumedBeforeItWasReadIsALoss) {
  for (const bool dies : {false, true}) {
    SCOPED_TRACE(dies);
    Reading reading = oldest();
    reading.read();
    reading.stop();
    for (int i = 0; i < 5; ++i) write(fmt::format("lost {} {}", dies, i));
    journald_->wait_for(fmt::format("lost {} 4", dies));
    journald_->rotate();
    write(fmt::format("kept {}", dies));
    journald_->wait_for(fmt::format("kept {}", dies));
    journald_->vacuum();
    auto expected = reading.taken();
    reading.start();
    const uint64_t entries = reading.entries();
    while (reading.losses().empty()) ASSERT_TRUE(reading.read(1));
    // Between the sentence and the entry behind it, all files are opened anew, by the same reader or by its heir.
    if (dies) reading.stop();
    if (dies) reading.start();
    journald_->rotate();
    write(fmt::format("last {}", dies));
    journald_->wait_for(fmt::format("last {}", dies));
    reading.changed();
    reading.read();
    ASSERT_EQ(reading.losses().size(), 1U);  // told once
    EXPECT_NE(reading.losses()[0].find("lacks entries"), std::string::npos);
    EXPECT_EQ(reading.entries(), entries + journald_->told(true).size());
    for (const std::string& message : journald_->told()) expected.push_back(message);
    EXPECT_EQ(reading.taken(), expected);
  }
}

TEST_F(JournalFollowerTest, WhatWasReadMayGo) {
  Reading reading = oldest();
  reading.read_until("first");
  reading.stop();
  journald_->rotate();
  journald_->vacuum();
  write("next");
  journald_->wait_for("next");
  reading.start();
  reading.read_until("next");
  EXPECT_EQ(reading.losses(), std::vector<std::string>());
  EXPECT_EQ(std::count(reading.taken().begin(), reading.taken().end(), "first"), 1);
}

TEST_F(JournalFollowerTest, AnotherJournalInItsPlaceIsALoss) {
  for (const bool another_machine : {false, true}) {
    SCOPED_TRACE(another_machine);
    Reading reading = oldest();
    reading.read();
    const auto before = reading.taken();
    reading.stop();
    journald_->stop(SIGTERM);
    fs::remove_all(journald_->machine_folder());
    if (another_machine) journald_->set_machine("fedcba9876543210fedcba9876543210");
    journald_->start();
    // Beyond the old numbers, or not.
    for (int i = 0; i < (another_machine ? 40 : 1); ++i) write("of the new one");
    if (another_machine) {
      journald_->rotate();
      journald_->vacuum();
    }
    write("the end");
    journald_->wait_for("the end");
    reading.start();
    reading.read();
    EXPECT_EQ(reading.losses().size(), 1U);
    auto expected = before;
    for (const std::string& message : journald_->told()) expected.push_back(message);
    EXPECT_EQ(reading.taken(), expected);
  }
}

// The journal as it was some entries ago, and journald goes on: it gives numbers away once more.
TEST_F(JournalFollowerTest, AJournalThatLostItsEndIsReadFromThere) {
  for (const bool much : {false, true}) {
    SCOPED_TRACE(much);
    Reading reading = oldest();
    reading.read();
    journald_->stop(SIGTERM);
    const std::string copy = journald_->folder() + "-copy";
    fs::copy(journald_->folder(), copy, fs::copy_options::recursive);
    journald_->start();
    for (int i = 0; i < 10; ++i) write(fmt::format("gone {}", i));
    reading.changed();
    reading.read_until("gone 9");
    reading.stop();
    journald_->stop(SIGKILL);
    fs::remove_all(journald_->folder());
    fs::rename(copy, journald_->folder());
    journald_->start();
    for (int i = 0; i < (much ? 40 : 1); ++i) write(fmt::format("new {} {}", much, i));
    const std::string last = fmt::format("new {} {}", much, much ? 39 : 0);
    journald_->wait_for(last);
    reading.start();
    reading.read_until(last);
    EXPECT_EQ(reading.losses().size(), 1U);
    for (const std::string& message : journald_->told()) {
      if (!message.starts_with("new ") && message != "first") continue;
      EXPECT_EQ(std::count(reading.taken().begin(), reading.taken().end(), message), 1) << message;
    }
  }
}

TEST_F(JournalFollowerTest, AFileThatIsNoJournalYetKeepsNothingBack) {
  const std::string odd = journald_->machine_folder() + "/user-2000.journal";
  std::ofstream(odd).flush();
  Reading reading = oldest();
  reading.read();
  EXPECT_EQ(reading.taken(), journald_->told());
  const int asked = reading.asked();
  reading.read();
  reading.read();
  EXPECT_EQ(reading.asked(), asked);
  // It becomes one.
  fs::copy_file(journald_->machine_folder() + "/system.journal", odd, fs::copy_options::overwrite_existing);
  reading.read();
  EXPECT_EQ(reading.asked(), asked + 1);
  EXPECT_EQ(reading.losses(), std::vector<std::string>());
}

TEST_F(JournalFollowerTest, GoesOnWithoutFilesAndWithoutAJournal) {
  Reading reading(journald_->folder() + "/nothing", Begin::kLive);
  EXPECT_FALSE(reading.read());
  reading.stop();
  EXPECT_EQ(reading.position(), "");
  fs::create_directory(journald_->folder() + "/nothing");
  fs::copy(journald_->machine_folder(), journald_->folder() + "/nothing");
  reading.start();
  EXPECT_FALSE(reading.read());
  EXPECT_TRUE(reading.taken().empty());  // Begin::kLive
}

TEST_F(JournalFollowerTest, RefusesWhatIsNoPosition) {
  Reading reading = oldest();
  reading.read();
  reading.store();
  const std::string good = reading.position();
  EXPECT_LT(good.size(), 4096U);
  ASSERT_TRUE(JournalFollower::open(good, Begin::kLive));
  EXPECT_EQ(JournalFollower::open(good, Begin::kLive).value()->position(), good);
  const size_t cursor = good.find("s=");
  for (const std::string& bad :
       {good + " ", good + " x", good.substr(0, good.size() - 1), good.substr(0, good.rfind(' ')), "p" + good.substr(1),
        " " + good, std::string("j1"), std::string("j1 0 -"), "j1 0 " + good.substr(cursor + 5),
        "j1 0 s=x" + good.substr(cursor + 3), "j1 x" + good.substr(4)})
    EXPECT_FALSE(JournalFollower::open(bad, Begin::kLive)) << bad;
}

}  // namespace
}  // namespace mailward
