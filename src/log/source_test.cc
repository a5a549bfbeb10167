#include "log/source.h"

#include <bzlib.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_folder.h"
#include "log/line_source.h"

namespace mailward {
namespace {

class SourceTest : public FolderTest {
 protected:
  std::string write(const std::string& name, std::string_view bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
};

std::string gzip(std::string_view text) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1000, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<unsigned>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<unsigned>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}

std::string xz(std::string_view text, uint32_t dictionary = 1 << 20) {
  lzma_options_lzma options;
  lzma_lzma_preset(&options, 1);
  options.dict_size = dictionary;
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  std::string out(text.size() + 1000, '\0');
  size_t at = 0;
  EXPECT_EQ(lzma_stream_buffer_encode(const_cast<lzma_filter*>(filters), LZMA_CHECK_CRC64, nullptr,
                                      reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                      reinterpret_cast<uint8_t*>(out.data()), &at, out.size()),
            LZMA_OK);
  out.resize(at);
  return out;
}

std::string bzip2(std::string_view text) {
  std::string out(text.size() + 1000, '\0');
  auto size = static_cast<unsigned>(out.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(text.data()),
                                     static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Read {
  std::string text;
  std::string trouble;
};

Read read_all(LogSource& source, size_t step = 4096) {
  Read r;
  std::string buffer(step, '\0');
  while (true) {
    const auto got = source.read(buffer);
    if (!got) {
      r.trouble = got.error().message;
      EXPECT_FALSE(source.read(buffer).has_value());  // it stays
      return r;
    }
    if (*got == 0) return r;
    r.text.append(buffer, 0, *got);
  }
}

Result<LogSource> open_source(const std::string& path) {
  auto source = LogSource::open(path);
  if (!source) return source;
  if (auto known = source->identify(); !known) return std::unexpected(known.error());
  return source;
}

Read read_file(const std::string& path) {
  auto source = open_source(path);
  if (!source) return {"", source.error().message};
  return read_all(*source);
}

std::string many_lines() {
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += "Mar  2 00:00:01 mail postfix/smtpd[" + std::to_string(i * 7919 % 65536) + "]: connect from unknown\n";
  return text;
}

struct Codec {
  const char* name;
  std::string (*pack)(std::string_view);
  Compression compression;
};
const Codec kCodecs[] = {{"gzip", gzip, Compression::kGzip},
                         {"xz", [](std::string_view t) { return xz(t); }, Compression::kXz},
                         {"bzip2", bzip2, Compression::kBzip2},
                         {"zstd", zstd, Compression::kZstd}};

TEST_F(SourceTest, EveryCodecWholeJoinedCutAndBroken) {
  const std::string text = many_lines();
  for (const Codec& codec : kCodecs) {
    SCOPED_TRACE(codec.name);
    const std::string packed = codec.pack(text);
    // The name tells nothing.
    const std::string path = write("whole.log", packed);
    auto source = open_source(path);
    ASSERT_TRUE(source.has_value());
    EXPECT_EQ(source->compression(), codec.compression);
    EXPECT_FALSE(source->seekable());
    EXPECT_EQ(source->peek(100), std::string_view(text).substr(0, 100));
    EXPECT_TRUE(source->peek() == std::string_view(text).substr(0, 65536));
    EXPECT_TRUE(read_all(*source).text == text);
    EXPECT_EQ(source->consumed(), packed.size());
    source->rest();
    EXPECT_TRUE(read_all(*source, 10'000'000).text == text);

    Read r = read_file(write("joined", packed + codec.pack("second\n") + codec.pack("") + codec.pack("third\n")));
    EXPECT_TRUE(r.text == text + "second\nthird\n");
    EXPECT_EQ(r.trouble, "");

    r = read_file(write("padded", packed + std::string(512, '\0')));
    EXPECT_TRUE(r.text == text);
    EXPECT_EQ(r.trouble, "");

    r = read_file(write("cut", packed.substr(0, packed.size() / 2)));
    EXPECT_NE(r.trouble.find("cut short in the middle of its compression"), std::string::npos) << r.trouble;
    EXPECT_TRUE(text.starts_with(r.text));
    const bool by_blocks =
        codec.compression ==
        Compression::kBzip2;  // it gives a block when it has all of it, as zstd does with smaller ones
    EXPECT_TRUE(by_blocks || r.text.size() > text.size() / 4) << r.text.size();

    r = read_file(write("cut-at-the-end", packed.substr(0, packed.size() - 2)));
    EXPECT_NE(r.trouble, "");
    EXPECT_TRUE(text.starts_with(r.text));
    EXPECT_TRUE(r.text == text || by_blocks || codec.compression == Compression::kZstd);

    std::string bad = packed;
    for (size_t i = bad.size() / 2; i < bad.size() / 2 + 64; ++i) bad[i] = static_cast<char>(bad[i] ^ 0x5a);
    r = read_file(write("broken", bad));
    EXPECT_NE(r.trouble.find("broken"), std::string::npos) << r.trouble;
    EXPECT_FALSE(r.text == text);

    r = read_file(write("followed", packed + "plain text behind it"));
    EXPECT_TRUE(r.text == text);
    EXPECT_NE(r.trouble.find("not compressed"), std::string::npos) << r.trouble;
  }
}

TEST_F(SourceTest, AbsurdDictionaryIsRefused) {
  const Read r = read_file(write("x.xz", xz("text\n", 1U << 30)));
  EXPECT_NE(r.trouble.find("asks for more than 128 MiB"), std::string::npos) << r.trouble;
  // A frame's header of zstd that asks for a window of 2 GiB.
  const Read z = read_file(write("x.zst", std::string_view("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"
                                                           "aaaaaaaaaaaa",
                                                           21)));
  EXPECT_NE(z.trouble.find("asks for more than 128 MiB"), std::string::npos) << z.trouble;
}

TEST_F(SourceTest, PlainFile) {
  const std::string text = many_lines();
  auto source = open_source(write("mail.log", text));
  ASSERT_TRUE(source.has_value());
  EXPECT_TRUE(source->seekable());
  EXPECT_EQ(source->size(), text.size());
  EXPECT_TRUE(has_time(source->modified()));
  EXPECT_EQ(source->peek(5), text.substr(0, 5));
  EXPECT_TRUE(read_all(*source).text == text);
}

TEST_F(SourceTest, EmptyFileAndShortOnes) {
  EXPECT_EQ(read_file(write("empty", "")).text, "");
  EXPECT_EQ(read_file(write("one", "x")).text, "x");
  EXPECT_EQ(read_file(write("like-bzip2", "BZh9 is no archive\n")).text, "BZh9 is no archive\n");
  EXPECT_EQ(read_file("/dev/null").text, "");
  EXPECT_EQ(read_file("/dev/null").trouble, "");
}

TEST_F(SourceTest, FileOfProcHasNoSizeButText) {
  const Read r = read_file("/proc/self/status");
  EXPECT_NE(r.text.find("VmRSS"), std::string::npos);
}

TEST_F(SourceTest, ShrinksWhileItIsRead) {
  const std::string path = write("mail.log", many_lines());
  auto source = open_source(path);
  ASSERT_TRUE(source.has_value());
  std::string buffer(1000, '\0');
  ASSERT_TRUE(source->read(buffer).has_value());
  ASSERT_EQ(truncate(path.c_str(), 10), 0);
  const Read r = read_all(*source);
  EXPECT_EQ(r.trouble, "");
}

TEST_F(SourceTest, FifoComesInPieces) {
  const std::string path = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string packed = gzip("one\ntwo\n");
  std::thread writer([&] {
    const int fd = open(path.c_str(), O_WRONLY);
    for (const char c : packed) {
      ASSERT_EQ(::write(fd, &c, 1), 1);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    close(fd);
  });
  const Read r = read_file(path);
  writer.join();
  EXPECT_EQ(r.text, "one\ntwo\n");
  EXPECT_EQ(r.trouble, "");
}

TEST_F(SourceTest, WhatIsNoLogIsRefusedInWords) {
  EXPECT_NE(read_file(folder_).trouble.find("is a directory"), std::string::npos);
  EXPECT_NE(read_file(folder_ + "/nothing").trouble.find("no such file"), std::string::npos);
  EXPECT_NE(read_file("/dev/zero").trouble.find("is a device"), std::string::npos);
  const std::string path = folder_ + "/socket";
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_NE(read_file(path).trouble.find("is a socket"), std::string::npos);
  close(fd);
  if (geteuid() != 0) {
    const std::string secret = write("secret", "x");
    chmod(secret.c_str(), 0);
    EXPECT_NE(read_file(secret).trouble.find("no permission"), std::string::npos);
  }
}

std::vector<std::string> lines_of(LogSource& source, size_t max_line, uint64_t& overlong) {
  LineSource lines(source, max_line);
  std::vector<std::string> out;
  std::string_view line;
  while (true) {
    const auto more = lines.line(line);
    if (!more || !*more) break;
    out.emplace_back(line);
  }
  overlong = lines.overlong();
  return out;
}

TEST_F(SourceTest, LinesAreBounded) {
  const std::string path =
      write("lines", "a\n" + std::string(5000, 'x') + "\nb\n\n" + std::string(300'000, 'y') + "\nlast");
  auto source = open_source(path);
  ASSERT_TRUE(source.has_value());
  uint64_t overlong = 0;
  EXPECT_EQ(lines_of(*source, 4999, overlong), (std::vector<std::string>{"a", "b", "", "last"}));
  EXPECT_EQ(overlong, 2u);
  auto again = open_source(path);
  const auto all = lines_of(*again, 5000, overlong);
  EXPECT_EQ(all.size(), 5u);
  EXPECT_EQ(overlong, 1u);
}

TEST_F(SourceTest, EndlessLastLine) {
  auto source = open_source(write("lines", "a\n" + std::string(500'000, 'x')));
  ASSERT_TRUE(source.has_value());
  uint64_t overlong = 0;
  EXPECT_EQ(lines_of(*source, 1000, overlong), (std::vector<std::string>{"a"}));
  EXPECT_EQ(overlong, 1u);
}

}  // namespace
}  // namespace mailward
