// Compressed text for tests.
#pragma once

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <string_view>

#include "log/source.h"

namespace mailward {

inline std::string gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<unsigned>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<unsigned>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}

inline std::string packed(Compression how, std::string_view text) {
  std::string out(text.size() + text.size() / 8 + 4096, '\0');
  auto* const in = const_cast<char*>(text.data());
  size_t size = out.size();
  if (how == Compression::kGzip) return gzip(text);
  if (how == Compression::kZstd) {
    size = ZSTD_compress(out.data(), out.size(), in, text.size(), 1);
  } else if (how == Compression::kXz) {
    size = 0;
    lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<uint8_t*>(in), text.size(),
                            reinterpret_cast<uint8_t*>(out.data()), &size, out.size());
  } else {
    auto n = static_cast<unsigned>(out.size());
    BZ2_bzBuffToBuffCompress(out.data(), &n, in, static_cast<unsigned>(text.size()), 1, 0, 0);
    size = n;
  }
  out.resize(size);
  return out;
}

inline const char* ending(Compression how) {
  constexpr const char* kEndings[] = {"", ".gz", ".xz", ".bz2", ".zst"};
  return kEndings[static_cast<size_t>(how)];
}

}  // namespace mailward
