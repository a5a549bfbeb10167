#include "log/follow/journal_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/test_folder.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

constexpr const char *kId = "0123456789abcdef0123456789abcdef", *kOther = "fedcba9876543210fedcba9876543210";

class JournalFilesTest : public FolderTest {
 protected:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void make(const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << "x";
  }
  // Names from the folder on, sorted.
  std::string opened(const std::string& where, size_t most = kMostJournalFiles) {
    auto files = open_journal_files(where, most, {path("var"), path("run"), path("id")});
    EXPECT_TRUE(files);
    last_ = std::move(*files);
    std::vector<std::string> names;
    for (const JournalFile& f : last_.files) names.push_back(f.name.substr(folder_.size() + 1));
    std::sort(names.begin(), names.end());
    std::string all;
    for (const std::string& n : names) all += n + "\n";
    return all;
  }
  JournalFiles last_;
};

TEST_F(JournalFilesTest, TheMachinesOwn) {
  EXPECT_EQ(opened(""), "");
  std::ofstream(path("id")) << kId << "\n";
  EXPECT_EQ(opened(""), "");
  const std::string own = std::string("var/") + kId, run = std::string("run/") + kId;
  for (const std::string& name :
       {own + "/system.journal", own + "/system@1-2-3.journal", own + "/user-1000@x.journal~", own + "/notes",
        own + "/x.journal.gz", own + "/sub/system.journal", std::string("var/") + kOther + "/system.journal",
        std::string("var/loose.journal"), std::string("var/") + kId + ".space/system.journal", run + "/system.journal"})
    make(name);
  EXPECT_EQ(opened(""), run + "/system.journal\n" + own + "/system.journal\n" + own + "/system@1-2-3.journal\n" + own +
                            "/user-1000@x.journal~\n");
  EXPECT_TRUE(last_.complete && last_.settled && last_.trouble.empty());
  for (const JournalFile& f : last_.files) {
    struct stat s{};
    ASSERT_EQ(::fstat(f.file.get(), &s), 0);
    EXPECT_EQ(s.st_ino, f.inode);
  }
}

TEST_F(JournalFilesTest, AFolderOrAFile) {
  make("j/remote.journal");
  make(std::string("j/") + kId + "/system.journal");
  make(std::string("j/") + kOther + "/system.journal");
  make("j/more/system.journal");
  EXPECT_EQ(opened(path("j")),
            std::string("j/") + kId + "/system.journal\nj/" + kOther + "/system.journal\n" + "j/remote.journal\n");
  EXPECT_EQ(opened(path("j/remote.journal")), "j/remote.journal\n");
  EXPECT_EQ(opened(path("j/missing.journal")), "");
  EXPECT_EQ(opened(path("missing")), "");
}

TEST_F(JournalFilesTest, OnlyRegularFilesAndNoMoreThanThat) {
  make("secret");
  make("j/a.journal");
  fs::create_symlink(path("secret"), path("j/link.journal"));
  fs::create_directory(path("j/folder.journal"));
  ASSERT_EQ(::mkfifo(path("j/fifo.journal").c_str(), 0600), 0);
  EXPECT_EQ(opened(path("j")), "j/a.journal\n");
  EXPECT_TRUE(last_.complete && last_.settled);
  make("j/b.journal");
  fs::last_write_time(path("j/a.journal"), fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(opened(path("j"), 1), "j/b.journal\n");
  EXPECT_FALSE(last_.complete);
}

TEST_F(JournalFilesTest, WhatCantBeOpenedIsTold) {
  make("j/a.journal");
  make("j/b.journal");
  fs::permissions(folder_, fs::perms(0755));
  fs::permissions(path("j/b.journal"), fs::perms::none);
  const pid_t child = ::fork();  // not as root, who can open everything
  if (child == 0) {
    const bool nobody = ::getuid() != 0 || ::setuid(65534) == 0;
    const bool told = opened(path("j")) == "j/a.journal\n" && !last_.complete && last_.trouble.size() == 1;
    ::_exit(nobody && told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(JournalInput, ByItsName) {
  EXPECT_TRUE(is_journal_input("journal:"));
  EXPECT_FALSE(is_journal_input("/var/log/journal:"));
  EXPECT_EQ(journal_of_input("journal:"), "");
  EXPECT_EQ(journal_of_input("journal:/srv/j"), "/srv/j");
}

}  // namespace
}  // namespace mailward
