#include "log/codec.h"

#include <bzlib.h>
#include <fmt/format.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>

namespace mailward {
namespace {

using State = Decompressor::State;

unsigned clamp_size(size_t n) { return static_cast<unsigned>(std::min<size_t>(n, 1U << 30)); }

std::string too_large() {
  return fmt::format("asks for more than {} MiB of memory to be unpacked; unpack it first and name the plain file",
                     kMaxWindow >> 20);
}

class Gzip final : public Decompressor {
 public:
  Gzip() { good_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Gzip() override { inflateEnd(&stream_); }

  Step step(std::span<const char> in, std::span<char> out) override {
    Step s;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = clamp_size(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = clamp_size(out.size());
    const unsigned had_in = stream_.avail_in, had_out = stream_.avail_out;
    const int code = good_ ? inflate(&stream_, Z_NO_FLUSH) : Z_MEM_ERROR;
    s.taken = had_in - stream_.avail_in;
    s.given = had_out - stream_.avail_out;
    if (code == Z_STREAM_END) {
      inflateReset(&stream_);
      s.state = State::kMemberEnd;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      explain_ = fmt::format("is a broken gzip file ({})", stream_.msg != nullptr ? stream_.msg : "no memory");
      s.state = State::kBroken;
    }
    return s;
  }

 private:
  z_stream stream_{};
  bool good_ = false;
};

class Xz final : public Decompressor {
 public:
  // The dictionary, and what the decoder needs beside it.
  Xz() { start(); }
  ~Xz() override { lzma_end(&stream_); }

  Step step(std::span<const char> in, std::span<char> out) override {
    Step s;
    stream_.next_in = reinterpret_cast<const uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret code = good_ ? lzma_code(&stream_, LZMA_RUN) : LZMA_MEM_ERROR;
    s.taken = in.size() - stream_.avail_in;
    s.given = out.size() - stream_.avail_out;
    if (code == LZMA_STREAM_END) {
      start();
      s.state = State::kMemberEnd;
    } else if (code == LZMA_MEMLIMIT_ERROR) {
      explain_ = too_large();
      s.state = State::kBroken;
    } else if (code != LZMA_OK && code != LZMA_BUF_ERROR) {
      explain_ = code == LZMA_MEM_ERROR ? "can't be unpacked: no memory" : "is a broken xz file";
      s.state = State::kBroken;
    }
    return s;
  }

 private:
  void start() { good_ = lzma_stream_decoder(&stream_, kMaxWindow + (uint64_t{4} << 20), 0) == LZMA_OK; }
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool good_ = false;
};

class Bzip2 final : public Decompressor {
 public:
  Bzip2() { good_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK; }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }

  Step step(std::span<const char> in, std::span<char> out) override {
    Step s;
    stream_.next_in = const_cast<char*>(in.data());
    stream_.avail_in = clamp_size(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = clamp_size(out.size());
    const unsigned had_in = stream_.avail_in, had_out = stream_.avail_out;
    const int code = good_ ? BZ2_bzDecompress(&stream_) : BZ_MEM_ERROR;
    s.taken = had_in - stream_.avail_in;
    s.given = had_out - stream_.avail_out;
    if (code == BZ_STREAM_END) {
      BZ2_bzDecompressEnd(&stream_);
      stream_ = {};
      good_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
      s.state = State::kMemberEnd;
    } else if (code != BZ_OK) {
      explain_ = code == BZ_MEM_ERROR ? "can't be unpacked: no memory" : "is a broken bzip2 file";
      s.state = State::kBroken;
    }
    return s;
  }

 private:
  bz_stream stream_{};
  bool good_ = false;
};

class Zstd final : public Decompressor {
 public:
  Zstd() : context_(ZSTD_createDCtx()) {
    static_assert(kMaxWindow == uint64_t{1} << 27);
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 27);
  }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() override { ZSTD_freeDCtx(context_); }

  Step step(std::span<const char> in, std::span<char> out) override {
    Step s;
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t code = ZSTD_decompressStream(context_, &to, &from);
    s.taken = from.pos;
    s.given = to.pos;
    if (ZSTD_isError(code) != 0) {
      explain_ = ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge
                     ? too_large()
                     : fmt::format("is a broken zstd file ({})", ZSTD_getErrorName(code));
      s.state = State::kBroken;
    } else if (code == 0) {
      s.state = State::kMemberEnd;
    }
    return s;
  }

 private:
  ZSTD_DCtx* context_;
};

}  // namespace

std::unique_ptr<Decompressor> make_decompressor(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<Gzip>();
    case Compression::kXz:
      return std::make_unique<Xz>();
    case Compression::kBzip2:
      return std::make_unique<Bzip2>();
    case Compression::kZstd:
      return std::make_unique<Zstd>();
    case Compression::kNone:
      break;
  }
  return nullptr;
}

}  // namespace mailward
