// SPDX-License-Identifier: GPL-3.0-or-later
// Compressed data: how to tell which it is, and one decompressor for each library behind one interface. A decompressor
// knows a single stream (gzip: member; zstd: frame); that a file may hold several is CompressedInput's to know. Owned
// by that input, in its thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace orbweaver {

enum class Compression : std::uint8_t { gzip, bzip2, xz, zstd, lz4, skippable };

struct CompressionFormat {
  Compression compression;
  std::string_view name;  ///< in messages
  std::string_view magic; ///< its streams start with it
  std::size_t padding;    ///< zeros may stand behind a stream, as many as a multiple of it; 0: none may
};

/// In the order of Compression. A frame that zstd and lz4 skip (RFC 8878, section 3.1.2), which pzstd writes first,
/// starts with any octet from 0x50 to 0x5f in place of its magic's first.
inline constexpr std::array compression_formats = {
    CompressionFormat{Compression::gzip, "gzip", {"\x1f\x8b", 2}, 0},
    CompressionFormat{Compression::bzip2, "bzip2", {"BZh", 3}, 0},
    CompressionFormat{Compression::xz,
                      "xz",
                      {"\xfd"
                       "7zXZ\0",
                       6},
                      4},
    CompressionFormat{Compression::zstd, "zstd", {"\x28\xb5\x2f\xfd", 4}, 0},
    CompressionFormat{Compression::lz4, "lz4", {"\x04\x22\x4d\x18", 4}, 0},
    CompressionFormat{Compression::skippable, "zstd", {"\x50\x2a\x4d\x18", 4}, 0},
};
inline constexpr std::size_t max_compression_magic_octets = 6;

[[nodiscard]] constexpr const CompressionFormat& format_of(Compression compression) noexcept {
  return compression_formats[static_cast<std::size_t>(compression)];
}

/// Whether a stream of `format` starts with `start`, as far as that goes.
[[nodiscard]] constexpr bool may_start(const CompressionFormat& format, std::span<const std::uint8_t> start) noexcept {
  for (std::size_t i = 0; i < std::min(start.size(), format.magic.size()); ++i) {
    const unsigned mask = i == 0 && format.compression == Compression::skippable ? 0xf0 : 0xff;
    if ((start[i] & mask) != static_cast<std::uint8_t>(format.magic[i]))
      return false;
  }
  return true;
}

/// How what starts with `start` is compressed, if it is.
[[nodiscard]] constexpr std::optional<Compression> compression_of(std::span<const std::uint8_t> start) noexcept {
  for (const CompressionFormat& format : compression_formats)
    if (start.size() >= format.magic.size() && may_start(format, start))
      return format.compression;
  return {};
}

class Decompressor {
public:
  enum class State : std::uint8_t {
    going,   ///< the stream goes on; where nothing was used or written, it needs more input
    end,     ///< the stream has ended behind what was used, and is written whole
    damaged, ///< the stream cannot be read further; reason() says why. All that could be is written.
  };
  /// What is at hand; run() moves both to behind what it has used and written. At most 1 GiB each.
  struct Work {
    std::span<const std::uint8_t> in;
    std::span<std::uint8_t> out;
  };

  Decompressor() = default;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  virtual ~Decompressor() = default;

  /// Makes ready for the next stream, whatever became of the one before. False: there is no memory for it.
  [[nodiscard]] virtual bool begin() noexcept = 0;

  /// Decompresses until one of both is used up or the stream ends. `work.out` has room.
  [[nodiscard]] virtual State run(Work& work) noexcept = 0;

  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

protected:
  State damaged(std::string reason) noexcept {
    reason_ = std::move(reason);
    return State::damaged;
  }

private:
  std::string reason_;
};

/// None takes more than about 256 MiB: what was compressed to need more is refused by its reason.
[[nodiscard]] std::unique_ptr<Decompressor> make_decompressor(Compression compression);

} // namespace orbweaver
