#include "log/follow/position.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/test_folder.h"
#include "log/follow/reading.h"
#include "log/follow/test_packer.h"
#include "log/follow/text_hash.h"

namespace mailward {
namespace {

// The vectors of the paper's appendix A and of its authors' vectors.h: key 00 01 … 0f, text 00 01 02 ….
TEST(TextHash, KnownAnswers) {
  std::string text;
  for (int i = 0; i < 15; ++i) text += static_cast<char>(i);
  const auto hash = [](std::string_view t) { return TextHash(0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL).of(t); };
  EXPECT_EQ(hash(text), 0xa129ca6149be45e5ULL);
  EXPECT_EQ(hash(""), 0x726fdb47dd0e0e31ULL);
  EXPECT_EQ(hash(text.substr(0, 8)), 0x93f5f5799a932462ULL);
  EXPECT_NE(text_hash(1, text), text_hash(2, text));
}

std::string numbered_lines(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += fmt::format("Mar  9 07:55:42 mail sshd[{}]: a line of the log\n", i);
  return text;
}

class PositionTest : public FolderTest {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static Descriptor open(const std::string& path) { return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }
  Position behind(const std::string& text) {
    Result<Reading> reading = Reading::open(open(write("read", text)), "read", true);
    LineBlock block;
    reading->to_end(block);
    Position p;
    p.key = 7;
    reading->describe(p);
    return p;
  }
  bool held_by(const std::string& bytes, const Position& p) {
    const Descriptor file = open(write("other", bytes));
    return matches(file.get(), p);
  }
};

TEST_F(PositionTest, IsKnownByItsText) {
  for (const int lines : {1, 50, 90, 5000}) {
    const std::string text = numbered_lines(0, lines), more = text + numbered_lines(lines, lines + 9);
    const Position p = behind(text);
    EXPECT_EQ(p.at.offset, text.size());
    EXPECT_EQ(p.at.lines, static_cast<uint64_t>(lines));
    EXPECT_LE(p.trail_bytes, Position::kTrail);
    EXPECT_TRUE(held_by(text, p));
    EXPECT_TRUE(held_by(more, p));
    for (const Compression how : {Compression::kGzip, Compression::kXz, Compression::kBzip2, Compression::kZstd}) {
      EXPECT_TRUE(held_by(packed(how, more), p)) << name_of(how);
      EXPECT_FALSE(held_by(packed(how, numbered_lines(1, lines + 9)), p)) << name_of(how);
      EXPECT_FALSE(held_by(packed(how, text.substr(0, text.size() - 1)), p)) << name_of(how);
    }
    std::string changed = text;
    changed[changed.size() - 2] = '!';
    EXPECT_FALSE(held_by(changed, p));
    changed = text;
    changed[0] = 'X';
    EXPECT_FALSE(held_by(changed, p));
    EXPECT_FALSE(held_by(text.substr(0, text.size() - 1), p));
    EXPECT_FALSE(held_by("", p));
  }
}

TEST_F(PositionTest, OfAnUnfinishedLineIsBeforeIt) {
  const std::string text = numbered_lines(0, 3);
  EXPECT_EQ(behind(text + "Mar  9").at.offset, text.size());
  EXPECT_EQ(behind("Mar  9").at.offset, 0U);
  EXPECT_FALSE(held_by(text, behind("Mar  9")));
}

TEST_F(PositionTest, GoesThroughText) {
  Position p = behind(numbered_lines(0, 3000));
  p.at.modified_ns = -5;
  p.begun = true;
  for (uint64_t i = 0; i < Position::kEarlier; ++i)
    p.earlier.push_back({.device = i, .offset = UINT64_MAX - i, .tail = i});
  const std::string text = to_text(p);
  EXPECT_LT(text.size(), 12'000U);
  const Result<Position> back = position_from_text(text);
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(*back == p);
  EXPECT_TRUE(*position_from_text(to_text(Position{})) == Position{});
}

TEST_F(PositionTest, DamagedTextIsRefused) {
  const std::string good = to_text(behind(numbered_lines(0, 3)));
  ASSERT_TRUE(position_from_text(good).has_value());
  for (size_t cut = 0; cut < good.size(); ++cut) {
    // A last number that lost digits is a number still.
    if (good.rfind(' ') < cut) continue;
    EXPECT_FALSE(position_from_text(good.substr(0, cut)).has_value()) << cut;
  }
  const std::array<std::string, 7> bad = {
      "",
      good + " 1",
      good + " ",
      "p2" + good.substr(2),
      "p1 1 2 0 0 0 0 0 0 0 0 0 0",
      "p1 1 0 0 0 0 0 0 0 0 ffffffffffffffff 0 0",
      "p1 1 0 0 0 0 0 0 0 0 0 10 0",
  };
  for (const std::string& text : bad) EXPECT_FALSE(position_from_text(text).has_value()) << text;
}

}  // namespace
}  // namespace mailward
