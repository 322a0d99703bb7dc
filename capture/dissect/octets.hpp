// SPDX-License-Identifier: GPL-3.0-or-later
// Integers in network order, or in the other, at any alignment.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace orbweaver {

[[nodiscard]] inline std::uint16_t be16(const std::uint8_t* at) noexcept {
  std::uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}

[[nodiscard]] inline std::uint32_t be32(const std::uint8_t* at) noexcept {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
}

[[nodiscard]] inline std::uint64_t be64(const std::uint8_t* at) noexcept {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

[[nodiscard]] inline std::uint16_t le16(const std::uint8_t* at) noexcept {
  return __builtin_bswap16(be16(at));
}

[[nodiscard]] inline std::uint32_t le32(const std::uint8_t* at) noexcept {
  return __builtin_bswap32(be32(at));
}

inline void put_be32(std::uint8_t* at, std::uint32_t value) noexcept {
  if constexpr (std::endian::native == std::endian::little)
    value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}

/// What is left of `whole` after `part`; 0 where `part` is the larger.
[[nodiscard]] constexpr std::uint32_t left_after(std::uint32_t whole, std::uint32_t part) noexcept {
  return whole > part ? whole - part : 0;
}

} // namespace orbweaver
