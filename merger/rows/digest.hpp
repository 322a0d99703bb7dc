// SPDX-License-Identifier: GPL-3.0-or-later
// A hash of a set of rows or lines that does not depend on their order: the sum of their XXH3 hashes, each 64-bit half
// modulo 2^64. A sum, so that one that comes twice does not cancel itself. Owned by the merger's thread.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace orbweaver {

struct Digest {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  /// Counts octets in. The seed tells apart what means something else.
  void add(std::span<const std::byte> octets, std::uint64_t seed) noexcept {
    const auto hash = XXH3_128bits_withSeed(octets.data(), octets.size(), seed);
    low += hash.low64;
    high += hash.high64;
  }

  /// Counts a line in, given without its newline.
  void add(std::string_view line) noexcept {
    constexpr XXH64_hash_t seed = 0x4F72'6277'6561'7665; // part of what a digest means: must not change
    add(std::as_bytes(std::span(line)), seed);
  }

  /// 32 hexadecimal digits, the high half first.
  [[nodiscard]] std::string text() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text(32, '0');
    for (unsigned i = 0; i < 16; ++i) {
      text[15 - i] = digits[high >> 4 * i & 15];
      text[31 - i] = digits[low >> 4 * i & 15];
    }
    return text;
  }

  friend bool operator==(const Digest&, const Digest&) = default;
};

} // namespace orbweaver
