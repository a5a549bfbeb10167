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

// As journald up to version 253 numbers what it writes into system.journal ("s") and a user's journal ("u").
TEST(JournalSequence, SeveralFilesHaveOneCounter) {
  struct Entry {
    const char *id, *machine;
    uint64_t number, missing;
  };
  const Entry entries[] = {
      {"s", "m", 1, 0},
      {"u", "m", 2, 0},
      {"s", "m", 3, 0},
      {"u", "m", 7, 3},
      {"s", "m", 8, 0},
      {"u", "m", 9, 0},
      // After a new start each file goes on from its own last, if no other was written to before.
      {"s", "m", 9, 0},
      {"u", "m", 10, 0},
      {"u", "m", 11, 0},
      {"s", "m", 12, 0},
      {"other", "n", 5, 0},
      {"other", "n", 7, 1},
      {"s", "m", 13, 0},
      {"s", "m", 15, 1},
      {"v", "m", 20, 0},  // the first of its writer
      {"merged", "m", 1, 0},
      {"merged", "n", 2, 0},
      {"merged", "m", 3, 0},
  };
  JournalSequence sequence(Holes::kAreLosses);
  for (const Entry& e : entries) {
    const std::string cursor = fmt::format("s={};i={:x}", e.id, e.number);
    JournalFields f;
    f.set(JournalFields::kCursor, cursor);
    f.set(JournalFields::kMachineId, e.machine);
    EXPECT_EQ(sequence.would_miss_before(f), e.missing) << cursor;
    EXPECT_EQ(sequence.missing_before(f), e.missing) << cursor;
    // As if read by another process from here on.
    const std::string text = sequence.to_text();
    JournalSequence next(Holes::kAreLosses);
    ASSERT_TRUE(next.from_text(text)) << text;
    EXPECT_EQ(next.to_text(), text);
    sequence = next;
  }
}

TEST(JournalSequence, StandsWhereItIsPut) {
  JournalSequence sequence(Holes::kAreLosses);
  const auto entry = [](const char* cursor) {
    JournalFields f;
    f.set(JournalFields::kCursor, cursor);
    f.set(JournalFields::kMachineId, "m");
    return f;
  };
  EXPECT_FALSE(sequence.knows(entry("s=u;i=1")));
  sequence.missing_before(entry("s=s;i=10"));
  sequence.missing_before(entry("s=u;i=11"));
  EXPECT_TRUE(sequence.knows(entry("s=v;i=1")));
  sequence.stand_at(entry("s=s;i=5"));
  EXPECT_EQ(sequence.missing_before(entry("s=s;i=8")), 2U);
}

TEST(JournalSequence, RefusesWhatIsNoText) {
  JournalSequence sequence(Holes::kAreLosses);
  const std::string good = sequence.to_text();
  EXPECT_TRUE(sequence.from_text(good));
  for (const std::string& bad : {std::string(), good + ",", good.substr(1), "8" + good.substr(1), good + ",x:x:0",
                                 good.substr(0, good.size() - 1), "0,y" + good.substr(3), "0,x0" + good.substr(3)})
    EXPECT_FALSE(sequence.from_text(bad)) << bad;
}

// The rest of a line that was split is no line for whoever reads on after a new start either.
TEST(JournalRecords, ASplitLineOutlivesTheReader) {
  JournalRecords records(Holes::kAreLosses);
  const auto took = [](JournalRecords& by, bool goes_on) {
    JournalFields f;
    f.set(JournalFields::kMessage, "text");
    f.set(JournalFields::kRealtime, "1767225600000000");
    f.set(JournalFields::kStreamId, "a stream\n");
    if (goes_on) f.set(JournalFields::kLineBreak, "line-max");
    Record record;
    return by.fill(f, record);
  };
  EXPECT_EQ(took(records, true), JournalTook::kRecord);
  JournalRecords next(Holes::kAreLosses);
  ASSERT_TRUE(next.from_text(records.to_text()));
  EXPECT_EQ(next.to_text(), records.to_text());
  EXPECT_EQ(took(next, false), JournalTook::kContinuation);
  EXPECT_EQ(took(next, false), JournalTook::kRecord);
  EXPECT_FALSE(next.from_text(records.to_text() + " x"));
  EXPECT_FALSE(next.from_text(""));
}

}  // namespace
}  // namespace mailward
