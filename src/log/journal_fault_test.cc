#include "log/journal_fault.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "base/descriptor.h"
#include "base/test_folder.h"

namespace mailward {
namespace {

constexpr size_t kPage = 4096;

// Two pages of a file; the second is cut off.
class Shrunk : public FolderTest {
 protected:
  Shrunk() : file_(::open((folder_ + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    const std::string text(2 * kPage, 'x');
    EXPECT_EQ(::write(file_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    void* at = ::mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, file_.get(), 0);
    EXPECT_NE(at, MAP_FAILED);
    bytes_ = static_cast<const volatile char*>(at);
  }
  ~Shrunk() override { ::munmap(const_cast<char*>(bytes_), 2 * kPage); }
  void cut() { EXPECT_EQ(::ftruncate(file_.get(), kPage), 0); }

  Descriptor file_;
  const volatile char* bytes_ = nullptr;
};

TEST_F(Shrunk, ReadsAsZerosAndIsRemembered) {
  const MappedReading reading;
  EXPECT_EQ(bytes_[kPage], 'x');
  EXPECT_FALSE(reading.faulted());
  cut();
  EXPECT_EQ(bytes_[kPage + 7], 0);
  EXPECT_TRUE(reading.faulted());
  EXPECT_EQ(bytes_[7], 'x');
  EXPECT_EQ(bytes_[2 * kPage - 1], 0);
}

TEST_F(Shrunk, EachReadingRemembersItsOwn) {
  cut();
  {
    const MappedReading reading;
    EXPECT_EQ(bytes_[kPage], 0);
  }
  const MappedReading next;
  EXPECT_FALSE(next.faulted());
}

TEST_F(Shrunk, OtherwiseItEndsTheProcess) {
  {
    const MappedReading reading;
  }
  cut();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(bytes_[kPage]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

}  // namespace
}  // namespace mailward
