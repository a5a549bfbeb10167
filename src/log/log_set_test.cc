#include "log/log_set.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/test_folder.h"

namespace mailward {
namespace {

struct NameCase {
  const char* path;
  const char* stem;
  bool dated;
  uint64_t rank;
};

TEST(RotatedName, Table) {
  const NameCase cases[] = {
      {"/var/log/mail.log", "/var/log/mail.log", false, 0},
      {"/var/log/mail.log.1", "/var/log/mail.log", false, 2},
      {"/var/log/mail.log.2.gz", "/var/log/mail.log", false, 3},
      {"maillog.0.gz", "maillog", false, 1},
      {"maillog.12.bz2", "maillog", false, 13},
      {"mail.log-20250101", "mail.log", true, 20250101000000},
      {"mail.log-20250101.gz", "mail.log", true, 20250101000000},
      {"mail.log-20250101-1736.zst", "mail.log", true, 20250101173600},
      {"mail.log-2025010117", "mail.log", true, 20250101170000},
      {"mail.log.20250101", "mail.log", true, 20250101000000},
      {"mail-20250101.log.xz", "mail.log", true, 20250101000000},
      {"mail-2025-01-01.log", "mail.log", true, 20250101000000},
      {"mail.log-1735689600.gz", "mail.log", true, 20250101000000},
      {"/l/mainlog.1", "/l/mainlog", false, 2},
      {"/var/log/smtpd/current", "/var/log/smtpd/current", false, 0},
      {"/var/log/smtpd/@400000006982056b0ee6b280.s", "/var/log/smtpd/current", true, 0x400000006982056bULL},
      {"mail-rfc5424.log.xz", "mail-rfc5424.log", false, 0},
      {"mail.log-20251301", "mail.log-20251301", false, 0},
      {"mail.log.old", "mail.log.old", false, 0},
      {"mail.log-2025", "mail.log-2025", false, 0},
      {".1", ".1", false, 0},
      {"mx1.log", "mx1.log", false, 0},
      {"192.0.2.25", "192.0.2", false, 26},
  };
  for (const NameCase& c : cases) {
    const RotatedName r = parse_rotated_name(c.path);
    EXPECT_EQ(r.stem, c.stem) << c.path;
    EXPECT_EQ(r.dated, c.dated) << c.path;
    EXPECT_EQ(r.rank, c.rank) << c.path;
  }
}

class LogSetTest : public FolderTest {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }
  std::string line(const std::string& stamp) { return stamp + " mail sshd[9]: text\n"; }

  // "stem: part part | stem: part": without the folder.
  std::string arranged(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& n : names) paths.push_back(n == "-" ? n : folder_ + "/" + n);
    const OpenedLogs logs = arrange_logs(open_files(paths));
    trouble_ = logs.trouble;
    std::string out;
    uint32_t index = 0;
    for (const LogSet& set : logs.sets) {
      if (!out.empty()) out += " | ";
      for (const LogPart& part : set.parts) {
        out += (out.empty() || out.ends_with(' ') ? "" : " ") + part.name.substr(folder_.size() + 1);
        EXPECT_EQ(part.index, index);
        EXPECT_EQ(logs.names[index++], part.name);
      }
      EXPECT_EQ(set.name, set.parts.back().name);
    }
    return out;
  }

  std::vector<std::string> trouble_;
};

TEST_F(LogSetTest, PartsAreJoinedOldestFirst) {
  write("mail.log", line("Mar  3 00:00:00"));
  write("mail.log.1", line("Mar  2 00:00:00"));
  write("mail.log.2", line("Mar  1 00:00:00"));
  write("mail.log.10", line("Feb  1 00:00:00"));
  write("auth.log", line("Mar  1 00:00:00"));
  write("other/mail.log", line("Mar  1 00:00:00"));
  EXPECT_EQ(arranged({"mail.log", "mail.log.1", "auth.log", "mail.log.10", "other/mail.log", "mail.log.2"}),
            "mail.log.10 mail.log.2 mail.log.1 mail.log | auth.log | other/mail.log");
  EXPECT_EQ(arranged({"mail.log.1", "mail.log.10"}), "mail.log.10 mail.log.1");
}

TEST_F(LogSetTest, DatesAndNumbers) {
  write("mail.log", line("Mar  5 00:00:00"));
  write("mail.log-20250302", line("Mar  1 00:00:00"));
  write("mail.log-20250303", line("Mar  2 00:00:00"));
  write("mail.log.1", line("Mar  4 00:00:00"));
  EXPECT_EQ(arranged({"mail.log.1", "mail.log", "mail.log-20250303", "mail.log-20250302"}),
            "mail.log-20250302 mail.log-20250303 mail.log.1 mail.log");
}

TEST_F(LogSetTest, FullDatesOverrideNames) {
  write("mail.log.1", line("2025-03-05T00:00:00Z"));
  write("mail.log.2", line("2025-03-06T00:00:00Z"));
  write("mail.log", line("2025-03-04T00:00:00Z"));
  EXPECT_EQ(arranged({"mail.log.1", "mail.log", "mail.log.2"}), "mail.log mail.log.1 mail.log.2");
}

TEST_F(LogSetTest, NamedTwiceAndTwins) {
  write("mail.log", line("Mar  3 00:00:00"));
  write("mail.log.1", line("Mar  2 00:00:00"));
  std::filesystem::create_hard_link(folder_ + "/mail.log", folder_ + "/again");
  EXPECT_EQ(arranged({"mail.log", "mail.log", "again", "mail.log.1", "./mail.log.1"}), "mail.log.1 mail.log");
  ASSERT_EQ(std::system(("gzip -k " + folder_ + "/mail.log.1").c_str()), 0);
  EXPECT_EQ(arranged({"mail.log", "mail.log.1.gz", "mail.log.1"}), "mail.log.1 mail.log");
}

TEST_F(LogSetTest, TroubleIsToldAndTheRestDone) {
  write("mail.log", line("Mar  3 00:00:00"));
  EXPECT_EQ(arranged({"nothing", "mail.log", ""}), "mail.log");
  EXPECT_EQ(trouble_.size(), 2u);
}

// What is opened is not read yet: only arrange_logs() looks at the first byte.
TEST_F(LogSetTest, NothingIsReadBeforeAllIsArranged) {
  const std::string path = write("mail.log", line("Mar  3 00:00:00"));
  OpenedFiles files = open_files(std::vector<std::string>{path});
  ASSERT_EQ(files.parts.size(), 1u);
  EXPECT_EQ(files.parts[0].source->consumed(), 0u);
  EXPECT_EQ(::lseek(files.parts[0].source->fd(), 0, SEEK_CUR), 0);
  std::ofstream(path) << R"({"MESSAGE":"x","__REALTIME_TIMESTAMP":"1768781456341452"})" << "\n";
  const OpenedLogs logs = arrange_logs(std::move(files));
  EXPECT_EQ(name_of(logs.sets.at(0).parts.at(0).form), "journal-json");
}

// Trouble that shows only when the first byte is read.
TEST_F(LogSetTest, WhatCanNotBeReadIsNamedAndTheRestDone) {
  write("mail.log", line("Mar  3 00:00:00"));
  OpenedFiles files = open_files(std::vector<std::string>{"/proc/self/mem", folder_ + "/mail.log"});
  EXPECT_EQ(files.trouble.size(), 0u);
  const OpenedLogs logs = arrange_logs(std::move(files));
  EXPECT_EQ(logs.names, std::vector<std::string>{folder_ + "/mail.log"});
  ASSERT_EQ(logs.trouble.size(), 1u);
  EXPECT_TRUE(logs.trouble[0].starts_with("/proc/self/mem: can't be read")) << logs.trouble[0];
}

TEST_F(LogSetTest, SystemLog) {
  EXPECT_FALSE(find_system_log(folder_).has_value());
  write("var/log/maillog", "x\n");
  EXPECT_EQ(find_system_log(folder_).value_or(""), folder_ + "/var/log/maillog");
  write("var/log/mail.log", "");
  EXPECT_EQ(find_system_log(folder_).value_or(""), folder_ + "/var/log/maillog");
  write("var/log/mail.log", "x\n");
  EXPECT_EQ(find_system_log(folder_).value_or(""), folder_ + "/var/log/mail.log");
}

}  // namespace
}  // namespace mailward
