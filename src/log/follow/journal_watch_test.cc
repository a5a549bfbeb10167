#include "log/follow/journal_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/test_folder.h"
#include "log/follow/test_journald.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr const char* kId = "0123456789abcdef0123456789abcdef";

class JournalWatchTest : public FolderTest {
 protected:
  JournalWatchTest() {
    uv_loop_init(&loop_);
    uv_timer_init(&loop_, &limit_);
    std::ofstream(path("machine-id")) << kId << "\n";
    fs::create_directories(path("var"));
    fs::create_directories(path("run"));
  }
  ~JournalWatchTest() override {
    watch_.reset();
    uv_close(reinterpret_cast<uv_handle_t*>(&limit_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void touch(const std::string& name) const { std::ofstream(path(name), std::ios::app) << "x"; }
  void start(const std::string& where, Watch::Options options = {}) {
    const JournalPlaces places{path("var/journal"), path("run/log/journal"), path("machine-id")};
    const auto note = [this](Watch::What what) { told_ += what == Watch::What::kGrew ? "+" : "*"; };
    watch_ = std::make_unique<JournalWatch>(&loop_, where, options, note, places);
  }
  // What is told within this time: + grew, * changed.
  std::string told(milliseconds within = milliseconds(60)) {
    told_.clear();
    uv_timer_start(&limit_, [](uv_timer_t* t) { uv_stop(t->loop); }, static_cast<uint64_t>(within.count()), 0);
    uv_run(&loop_, UV_RUN_DEFAULT);
    return told_;
  }

  uv_loop_t loop_;
  uv_timer_t limit_;
  std::unique_ptr<JournalWatch> watch_;
  std::string told_;
};

TEST_F(JournalWatchTest, AJournalThatComesLater) {
  start("");
  EXPECT_FALSE(watch_->polls());
  EXPECT_EQ(told(), "");
  touch("var/other");
  fs::create_directory(path("var/otherwise"));
  EXPECT_EQ(told(), "");
  const std::string folder = std::string("var/journal/") + kId;
  fs::create_directory(path("var/journal"));
  EXPECT_EQ(told(), "*");
  fs::create_directory(path(folder));
  EXPECT_EQ(told(), "*");
  touch(folder + "/system.journal");
  EXPECT_EQ(told(), "*+");
  touch(folder + "/system.journal");
  EXPECT_EQ(told(), "+");
  touch(folder + "/.#system.journal123");
  EXPECT_EQ(told(), "");
  fs::rename(path(folder + "/system.journal"), path(folder + "/system@1-2-3.journal"));
  EXPECT_EQ(told(), "*");
  fs::remove(path(folder + "/system@1-2-3.journal"));
  EXPECT_EQ(told(), "*");
  // All of it goes, and comes back.
  fs::remove_all(path("var/journal"));
  EXPECT_EQ(told().substr(0, 1), "*");
  fs::create_directories(path(folder));
  EXPECT_EQ(told().substr(0, 1), "*");
  touch(folder + "/system.journal");
  EXPECT_EQ(told(), "*+");
  fs::create_directories(path(std::string("run/log/journal/") + kId));
  EXPECT_EQ(told().substr(0, 1), "*");
  touch(std::string("run/log/journal/") + kId + "/system.journal");
  EXPECT_EQ(told(), "*+");
}

TEST_F(JournalWatchTest, AFolderOfJournals) {
  fs::create_directories(path("j"));
  start(path("j"));
  touch("j/remote.journal");
  EXPECT_EQ(told(), "*+");
  fs::create_directory(path(std::string("j/") + kId));
  EXPECT_EQ(told(), "*");
  touch(std::string("j/") + kId + "/system.journal");
  EXPECT_EQ(told(), "*+");
  touch("j/notes");
  EXPECT_EQ(told(), "");
}

TEST_F(JournalWatchTest, ByLooking) {
  const std::string folder = std::string("var/journal/") + kId;
  fs::create_directories(path(folder));
  touch(folder + "/system.journal");
  start("", {.poll = milliseconds(10), .poll_only = true});
  EXPECT_TRUE(watch_->polls());
  EXPECT_EQ(told(), "");
  touch(folder + "/system.journal");
  EXPECT_EQ(told(), "+");
  fs::rename(path(folder + "/system.journal"), path(folder + "/system@1-2-3.journal"));
  EXPECT_EQ(told(), "*");
}

// What journald itself does, and when.
TEST_F(JournalWatchTest, ToldByJournald) {
  if (const std::string why = Journald::missing(); !why.empty()) GTEST_SKIP() << why;
  Journald journald;
  journald.write("first");
  journald.wait_for("first");
  start(journald.folder());
  told(milliseconds(700));
  EXPECT_EQ(told(milliseconds(700)), "");  // nothing happens, nothing is told
  journald.write("second");
  EXPECT_EQ(told(milliseconds(1500)), "+");
}

}  // namespace
}  // namespace mailward
