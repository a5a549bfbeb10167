#include "log/journal_fields.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace mailward {
namespace {

TEST(JournalSequence, ByWhereItComesFrom) {
  JournalFields f;
  std::string cursor;
  const auto missing = [&](JournalSequence& sequence, uint64_t n) {
    f.clear();
    cursor = fmt::format("s=abc;i={:x};b=0", n);
    f.set(JournalFields::kCursor, cursor);
    return sequence.missing_before(f);
  };
  JournalSequence folder(Holes::kAreLosses), file(Holes::kMeanNothing);
  EXPECT_EQ(missing(folder, 100), 0u);
  EXPECT_EQ(missing(folder, 103), 2u);
  EXPECT_EQ(missing(folder, 104), 0u);
  EXPECT_EQ(missing(file, 100), 0u);
  EXPECT_EQ(missing(file, 103), 0u);
  // What is no number, or too large for one, tells nothing.
  for (const char* odd : {"", "s=abc", "i=5", "s=abc;i=", "s=abc;i=-1", "s=abc;i=xyz", "s=abc;i=fffffffffffffffff",
                          "s=abc;i=0", "s=;i=5"}) {
    f.clear();
    f.set(JournalFields::kCursor, odd);
    EXPECT_EQ(folder.missing_before(f), 0u) << odd;
  }
  EXPECT_EQ(missing(folder, 105), 0u);
}

}  // namespace
}  // namespace mailward
