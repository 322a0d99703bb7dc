// SPDX-License-Identifier: GPL-3.0-or-later
// The Internet checksum (RFC 1071), where it decides what octets are: not in the usual packet's way.
#pragma once

#include <cstdint>

namespace orbweaver {

/// The ones' complement sum of 16-bit words, added to `sum`; an odd last octet counts as its word's upper half.
[[nodiscard]] std::uint32_t internet_sum(const std::uint8_t* octets, std::uint32_t length,
                                         std::uint32_t sum = 0) noexcept;

/// Whether an IPv4 header of `length` octets has the checksum that it should have.
[[nodiscard]] bool ipv4_checksum_is_right(const std::uint8_t* ip, std::uint32_t length) noexcept;

/// Whether TCP, UDP or ICMPv6 directly behind an IPv6 header has the checksum that it should have; `length` octets of
/// it are there, and it is as long.
[[nodiscard]] bool ipv6_checksum_is_right(const std::uint8_t* ip, std::uint32_t length) noexcept;

} // namespace orbweaver
