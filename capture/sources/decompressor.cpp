// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/decompressor.hpp"

#include <algorithm>
#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

namespace orbweaver {
namespace {

using State = Decompressor::State;
using Work = Decompressor::Work;

constexpr const char* no_memory = "there is no memory left to decompress it";

/// Points the library's stream at `work`. The libraries do not write to their input, whatever its type says.
template <typename Stream>
void lend(Stream& stream, const Work& work) noexcept {
  stream.next_in = reinterpret_cast<decltype(stream.next_in)>(const_cast<std::uint8_t*>(work.in.data()));
  stream.avail_in = static_cast<decltype(stream.avail_in)>(work.in.size());
  stream.next_out = reinterpret_cast<decltype(stream.next_out)>(work.out.data());
  stream.avail_out = static_cast<decltype(stream.avail_out)>(work.out.size());
}

template <typename Stream>
void take_back(const Stream& stream, Work& work) noexcept {
  work.in = work.in.last(stream.avail_in);
  work.out = work.out.last(stream.avail_out);
}

class Gzip final : public Decompressor {
public:
  ~Gzip() override { inflateEnd(&stream_); }

  bool begin() noexcept override {
    constexpr int gzip_only = 15 + 16;
    if (stream_.state != nullptr)
      return inflateReset(&stream_) == Z_OK;
    return inflateInit2(&stream_, gzip_only) == Z_OK;
  }

  State run(Work& work) noexcept override {
    lend(stream_, work);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    take_back(stream_, work);
    if (result == Z_OK || result == Z_BUF_ERROR)
      return State::going;
    if (result == Z_STREAM_END)
      return State::end;
    return damaged(result == Z_MEM_ERROR ? no_memory : stream_.msg != nullptr ? stream_.msg : zError(result));
  }

private:
  z_stream stream_{};
};

class Bzip2 final : public Decompressor {
public:
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }

  bool begin() noexcept override {
    constexpr int quiet = 0;
    constexpr int fast = 0;
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    return BZ2_bzDecompressInit(&stream_, quiet, fast) == BZ_OK;
  }

  State run(Work& work) noexcept override {
    lend(stream_, work);
    const int result = BZ2_bzDecompress(&stream_);
    take_back(stream_, work);
    if (result == BZ_OK)
      return State::going;
    if (result == BZ_STREAM_END)
      return State::end;
    return damaged(result == BZ_MEM_ERROR          ? no_memory
                   : result == BZ_DATA_ERROR_MAGIC ? "incorrect header"
                                                   : "a checksum or the data under it is incorrect");
  }

private:
  bz_stream stream_{};
};

class Xz final : public Decompressor {
public:
  ~Xz() override { lzma_end(&stream_); }

  bool begin() noexcept override {
    constexpr std::uint64_t max_memory = 256 << 20; // xz -9 needs 65 MiB
    return lzma_stream_decoder(&stream_, max_memory, 0) == LZMA_OK;
  }

  State run(Work& work) noexcept override {
    lend(stream_, work);
    const lzma_ret result = lzma_code(&stream_, LZMA_RUN);
    take_back(stream_, work);
    switch (result) {
    case LZMA_OK:
    case LZMA_BUF_ERROR: // nothing could be done with what there was
      return State::going;
    case LZMA_STREAM_END:
      return State::end;
    case LZMA_MEM_ERROR:
      return damaged(no_memory);
    case LZMA_MEMLIMIT_ERROR:
      return damaged("it takes more than 256 MiB of memory: give it through a pipe, xz -dc FILE | … -i -");
    case LZMA_OPTIONS_ERROR:
      return damaged("it asks for what this liblzma does not know");
    default:
      return damaged("a checksum or the data under it is incorrect");
    }
  }

private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

/// Where it fails, ZSTD_decompressStream keeps to itself what it wrote in that call: so each call gets one block, or
/// the header of the next.
class Zstd final : public Decompressor {
public:
  ~Zstd() override { ZSTD_freeDStream(stream_); }

  bool begin() noexcept override {
    if (stream_ == nullptr)
      stream_ = ZSTD_createDStream(); // takes frames with a window of up to 128 MiB
    if (stream_ == nullptr)
      return false;
    wanted_ = ZSTD_initDStream(stream_);
    return ZSTD_isError(wanted_) == 0;
  }

  State run(Work& work) noexcept override {
    constexpr std::size_t block_header = 3;
    const std::size_t piece = wanted_ > block_header ? wanted_ - block_header : wanted_;
    ZSTD_inBuffer in{work.in.data(), std::min(piece, work.in.size()), 0};
    ZSTD_outBuffer out{work.out.data(), work.out.size(), 0};
    wanted_ = ZSTD_decompressStream(stream_, &out, &in);
    work.in = work.in.subspan(in.pos);
    work.out = work.out.subspan(out.pos);
    if (wanted_ == 0)
      return State::end;
    if (ZSTD_isError(wanted_) == 0)
      return State::going;
    const std::string name = ZSTD_getErrorName(wanted_);
    return damaged(ZSTD_getErrorCode(wanted_) == ZSTD_error_frameParameter_windowTooLarge
                       ? name + ": give it through a pipe, zstd --long=31 -dc FILE | … -i -"
                       : name);
  }

private:
  ZSTD_DStream* stream_ = nullptr;
  std::size_t wanted_ = 0; // octets up to behind the next block's header, as the library says
};

/// As of zstd, what a call wrote that fails is lost: so each gets one block.
class Lz4 final : public Decompressor {
public:
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }

  bool begin() noexcept override {
    wanted_ = header_octets;
    if (context_ == nullptr)
      return LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0;
    LZ4F_resetDecompressionContext(context_);
    return true;
  }

  State run(Work& work) noexcept override {
    constexpr std::size_t block_header = 4;
    const std::size_t piece = wanted_ > block_header ? wanted_ - block_header : block_header;
    std::size_t in = std::min(piece, work.in.size()), out = work.out.size();
    wanted_ = LZ4F_decompress(context_, work.out.data(), &out, work.in.data(), &in, nullptr);
    if (LZ4F_isError(wanted_) != 0)
      return damaged(LZ4F_getErrorName(wanted_));
    work.in = work.in.subspan(in);
    work.out = work.out.subspan(out);
    return wanted_ == 0 ? State::end : State::going;
  }

private:
  static constexpr std::size_t header_octets = 7; // the shortest

  std::size_t wanted_ = header_octets; // octets up to behind the next block's header, as the library says
  LZ4F_dctx* context_ = nullptr;
};

} // namespace

std::unique_ptr<Decompressor> make_decompressor(Compression compression) {
  switch (compression) {
  case Compression::gzip:
    return std::make_unique<Gzip>();
  case Compression::bzip2:
    return std::make_unique<Bzip2>();
  case Compression::xz:
    return std::make_unique<Xz>();
  case Compression::lz4:
    return std::make_unique<Lz4>();
  case Compression::zstd:
  case Compression::skippable:
    break;
  }
  return std::make_unique<Zstd>();
}

} // namespace orbweaver
