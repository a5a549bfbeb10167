#include "log/follow/series.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_folder.h"

namespace mailward {
namespace {

class SeriesTest : public FolderTest {
 protected:
  void write(const std::string& name, const std::string& text = "a line\n") {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  std::string members(const std::string& name = "mail.log", size_t most = kMostMembers) {
    const Result<Series> series = open_series(folder_ + "/" + name, most);
    if (!series) return series.error().message;
    EXPECT_TRUE(series->settled);
    trouble_ = series->trouble;
    bounded_ = series->bounded;
    std::string out;
    for (const Member& m : series->members) out += (out.empty() ? "" : " ") + m.name;
    return out;
  }
  std::vector<std::string> trouble_;
  bool bounded_ = false;
};

struct NamesCase {
  std::vector<const char*> there;
  const char* live;
  const char* members;
};

TEST_F(SeriesTest, NewestFirst) {
  const NamesCase cases[] = {
      {{"mail.log", "mail.log.1", "mail.log.2.gz", "mail.log.10.gz", "mail.err", "mail.log.old"},
       "mail.log",
       "mail.log mail.log.1 mail.log.2.gz mail.log.10.gz"},
      {{"maillog", "maillog.0.gz", "maillog.1.gz"}, "maillog", "maillog maillog.0.gz maillog.1.gz"},
      {{"mail.log", "mail.log-20261101", "mail.log-20261102", "mail.log-20261031.gz"},
       "mail.log",
       "mail.log mail.log-20261102 mail.log-20261101 mail.log-20261031.gz"},
      {{"mail.log", "mail.log.1.gz", "mail.log.1"}, "mail.log", "mail.log mail.log.1 mail.log.1.gz"},
      {{"mail.log.1", "other.log"}, "mail.log", "mail.log.1"},
      {{"mail.log.gz", "other.log"}, "mail.log", ""},
      {{"current", "@400000006982056b0ee6b280.s", "@400000006982056c0ee6b280.s"},
       "current",
       "current @400000006982056c0ee6b280.s @400000006982056b0ee6b280.s"},
      {{"mail.2", "mail.2.1", "mail"}, "mail.2", "mail.2 mail.2.1"},
  };
  for (const NamesCase& c : cases) {
    for (const char* name : c.there) write(name, name);
    EXPECT_EQ(members(c.live), c.members);
    EXPECT_TRUE(trouble_.empty());
    for (const char* name : c.there) std::filesystem::remove(folder_ + "/" + name);
  }
  EXPECT_EQ(members(), "");
}

TEST_F(SeriesTest, OnlyRegularFilesAndNoLinks) {
  write("target");
  ASSERT_EQ(::symlink((folder_ + "/target").c_str(), (folder_ + "/mail.log").c_str()), 0);
  ASSERT_EQ(::mkfifo((folder_ + "/mail.log.1").c_str(), 0600), 0);
  std::filesystem::create_directory(folder_ + "/mail.log.2");
  write("mail.log.3");
  EXPECT_EQ(members(), "mail.log.3");
  ASSERT_EQ(trouble_.size(), 3U);
  EXPECT_EQ(trouble_[0], "mail.log is a symbolic link, which is not followed; name the file that it means");
  EXPECT_EQ(trouble_[1], "mail.log.1 is no regular file; a log that is followed must be one");
}

TEST_F(SeriesTest, BoundedInNumber) {
  write("mail.log");
  for (int i = 1; i < 40; ++i) write("mail.log." + std::to_string(i));
  EXPECT_EQ(members("mail.log", 3), "mail.log mail.log.1 mail.log.2");
  EXPECT_TRUE(bounded_);
  members();
  EXPECT_FALSE(bounded_);
}

TEST_F(SeriesTest, HardLinkIsOneFile) {
  write("mail.log");
  std::filesystem::create_hard_link(folder_ + "/mail.log", folder_ + "/mail.log.0");
  EXPECT_EQ(members(), "mail.log");
}

TEST_F(SeriesTest, NoFolder) {
  folder_ += "/none";
  EXPECT_EQ(members(), "");
  folder_ = folder_.substr(0, folder_.size() - 5);
  write("file");
  const Result<Series> series = open_series(folder_ + "/file/mail.log");
  EXPECT_FALSE(series.has_value());
}

// Whatever a rotation that runs meanwhile does: a settled series has each file once, in order, with none between
// missing.
TEST_F(SeriesTest, WhileItIsRotated) {
  std::atomic<bool> stop = false;
  const auto path = [this](int i) { return folder_ + "/mail.log" + (i > 0 ? "." + std::to_string(i) : ""); };
  constexpr int kKept = 6;
  int serial = 0;
  for (int i = kKept; i >= 0; --i) write("mail.log" + (i > 0 ? "." + std::to_string(i) : ""), std::to_string(serial++));
  std::thread rotation([&] {
    while (!stop) {
      for (int i = kKept; i >= 1; --i) std::filesystem::rename(path(i - 1), path(i));
      std::ofstream(path(0)) << serial++;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  int settled = 0, tries = 0;
  for (; settled < 300 && tries < 100'000; ++tries) {
    const Result<Series> series = open_series(path(0));
    if (!series || !series->settled) continue;
    ++settled;
    int before = -1;
    for (const Member& m : series->members) {
      char text[16] = {};
      const ssize_t n = ::pread(m.file.get(), text, sizeof text - 1, 0);
      if (n <= 0) continue;  // made, and not written yet
      const int number = std::atoi(text);
      EXPECT_TRUE(before < 0 || number == before - 1) << m.name << ": " << number << " after " << before;
      before = number;
    }
    EXPECT_GE(series->members.size(), static_cast<size_t>(kKept) - 1);
  }
  stop = true;
  rotation.join();
  EXPECT_EQ(settled, 300) << tries;
}

}  // namespace
}  // namespace mailward
