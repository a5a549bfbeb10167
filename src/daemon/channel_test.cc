#include "daemon/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>
#include <thread>

namespace mailward {
namespace {

std::pair<Channel, Channel> both_ends() {
  auto ends = Channel::pair();
  return {Channel(std::move(ends->first)), Channel(std::move(ends->second))};
}

TEST(ChannelTest, MessagesComeWholeAndInOrderWhateverTheirSizes) {
  auto [from, to] = both_ends();
  std::mt19937 random(1);
  std::vector<std::string> sent;
  for (int i = 0; i < 300; ++i)
    sent.emplace_back(random() % (i % 50 == 0 ? 2'000'000 : 3000), static_cast<char>('a' + i % 26));
  std::jthread writer([&, f = &from] {
    for (size_t i = 0; i < sent.size(); ++i) {
      f->put(static_cast<uint8_t>(i), sent[i]);
      if (i % 7 == 0) {
        ASSERT_TRUE(f->flush_all());
      }
    }
    ASSERT_TRUE(f->flush_all());
  });
  size_t got = 0;
  Channel::Message message;
  while (got < sent.size()) {
    ASSERT_NE(to.receive(), Channel::Got::kEnd);
    for (; to.next(message); ++got) {
      ASSERT_EQ(message.kind, static_cast<uint8_t>(got));
      ASSERT_EQ(message.bytes, sent[got]);
    }
  }
}

TEST(ChannelTest, DescriptorsComeWithTheirMessage) {
  auto [from, to] = both_ends();
  const Descriptor zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC)), null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  from.put(1, "none");
  from.put(2, "two", std::vector<int>{zero.get(), null.get()});
  from.put(3, std::string(500'000, 'x'));
  from.put(4, "one", std::vector<int>{zero.get()});
  std::vector<size_t> numbers;
  Channel::Message message;
  while (numbers.size() < 4) {
    ASSERT_TRUE(from.flush());
    ASSERT_NE(to.receive(), Channel::Got::kEnd);
    while (to.next(message)) {
      numbers.push_back(message.files.size());
      if (message.kind != 2) continue;
      char byte = 'x';
      EXPECT_EQ(::read(message.files[0].get(), &byte, 1), 1);
      EXPECT_EQ(byte, '\0');
      EXPECT_EQ(::read(message.files[1].get(), &byte, 1), 0);
    }
  }
  EXPECT_EQ(numbers, (std::vector<size_t>{0, 2, 0, 1}));
}

TEST(ChannelTest, WhatIsLeftIsHeardBeforeTheEnd) {
  auto [from, to] = both_ends();
  from.put(7, "last words");
  ASSERT_TRUE(from.flush());
  from = Channel();
  Channel::Message message;
  ASSERT_EQ(to.receive(), Channel::Got::kSome);
  ASSERT_TRUE(to.next(message));
  EXPECT_EQ(message.bytes, "last words");
  EXPECT_EQ(to.receive(), Channel::Got::kEnd);
}

TEST(ChannelTest, WhatIsNoMessageEndsIt) {
  for (const std::string& bytes :
       {std::string(64, '\xff'), std::string(8, '\0'), std::string("\xff\xff\xff\x7f\x01\x00WM", 8),
        std::string("\x01\x00\x00\x00\x01\x09WM!", 9)}) {
    auto ends = Channel::pair();
    ASSERT_EQ(::send(ends->first.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    Channel to(std::move(ends->second));
    Channel::Message message;
    EXPECT_EQ(to.receive(), Channel::Got::kSome);
    EXPECT_FALSE(to.next(message));
    EXPECT_FALSE(to.trouble().empty());
    EXPECT_EQ(to.receive(), Channel::Got::kEnd);
  }
}

}  // namespace
}  // namespace mailward
