// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/compress.hpp"

#include <bzlib.h>
#include <cstddef>
#include <lz4frame.h>
#include <lzma.h>
#include <memory>
#include <stdexcept>
#include <zlib.h>
#include <zstd.h>

namespace orbweaver::craft {

namespace {

void require(bool done, const char* library) {
  if (!done)
    throw std::runtime_error(std::string(library) + " failed to compress");
}

/// Goes on as long as `step` has something to write; `step()` is true when all is written.
template <typename Stream, typename Step>
Bytes run_to_end(Stream& stream, const Bytes& plain, Step step) {
  Bytes packed;
  Bytes room(1 << 16);
  stream.next_in = reinterpret_cast<decltype(stream.next_in)>(const_cast<std::uint8_t*>(plain.data()));
  stream.avail_in = static_cast<decltype(stream.avail_in)>(plain.size());
  for (bool done = false; !done;) {
    stream.next_out = reinterpret_cast<decltype(stream.next_out)>(room.data());
    stream.avail_out = static_cast<decltype(stream.avail_out)>(room.size());
    done = step();
    packed.insert(packed.end(), room.begin(), room.end() - static_cast<std::ptrdiff_t>(stream.avail_out));
  }
  return packed;
}

} // namespace

Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  require(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
  const Bytes packed = run_to_end(stream, plain, [&] { return deflate(&stream, Z_FINISH) == Z_STREAM_END; });
  deflateEnd(&stream);
  return packed;
}

Bytes bzip2(const Bytes& plain) {
  bz_stream stream{};
  require(BZ2_bzCompressInit(&stream, 1, 0, 0) == BZ_OK, "libbz2");
  const Bytes packed = run_to_end(stream, plain, [&] { return BZ2_bzCompress(&stream, BZ_FINISH) == BZ_STREAM_END; });
  BZ2_bzCompressEnd(&stream);
  return packed;
}

Bytes xz(const Bytes& plain) {
  constexpr std::uint32_t preset = 1;
  lzma_stream stream = LZMA_STREAM_INIT;
  require(lzma_easy_encoder(&stream, preset, LZMA_CHECK_CRC64) == LZMA_OK, "liblzma");
  const Bytes packed = run_to_end(stream, plain, [&] { return lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END; });
  lzma_end(&stream);
  return packed;
}

Bytes lz4(const Bytes& plain) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  Bytes packed(LZ4F_compressFrameBound(plain.size(), &preferences));
  const std::size_t octets = LZ4F_compressFrame(packed.data(), packed.size(), plain.data(), plain.size(), &preferences);
  require(LZ4F_isError(octets) == 0, "liblz4");
  packed.resize(octets);
  return packed;
}

Bytes zstd(const Bytes& plain, int window_log) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  Bytes packed(ZSTD_compressBound(plain.size()));
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  ZSTD_outBuffer out{packed.data(), packed.size(), 0};
  // In two steps: the frame's header must not say how long it is, or it needs no larger window.
  require(ZSTD_isError(ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_continue)) == 0, "libzstd");
  require(ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_end) == 0, "libzstd");
  packed.resize(out.pos);
  return packed;
}

} // namespace orbweaver::craft
