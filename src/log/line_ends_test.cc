#include "log/line_ends.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace mailward {
namespace {

TEST(LineEnds, AreWhereLineFeedsStand) {
  std::mt19937_64 random(7);
  auto ends = std::make_unique<LineEnds>();
  for (int round = 0; round < 3000; ++round) {
    const size_t length = round < 300 ? static_cast<size_t>(round) : random() % (LineEnds::kStretch + 1);
    const unsigned rarity = 1 + static_cast<unsigned>(random() % 200);  // 1: nothing but line feeds
    std::string text(length, 'x');
    std::vector<size_t> expected;
    for (size_t i = 0; i < length; ++i) {
      if (random() % rarity == 0) text[i] = '\n', expected.push_back(i);
    }
    text.append(LineEnds::kPadding, '\n');  // what stands behind is not looked for
    ends->find(text.data(), length);
    ASSERT_EQ(std::vector<size_t>(ends->begin(), ends->end()), expected) << length;
    for (LineEnds::Find* const find : LineEnds::ways()) {
      std::vector<uint16_t> found(LineEnds::kStretch + 2);
      found.resize(find(text.data(), length, found.data()));
      ASSERT_EQ(std::vector<size_t>(found.begin(), found.end()), expected) << length;
    }
  }
}

}  // namespace
}  // namespace mailward
