// SPDX-License-Identifier: GPL-3.0-or-later
// What the short and the long way take from headers alike.
#pragma once

#include "common/stream/records/packet_record.hpp"
#include "common/tcp.hpp"

#include <cstdint>

namespace orbweaver {

/// The PacketBits of the octet of the IPv4 header that begins with its flags.
[[nodiscard]] constexpr std::uint16_t ipv4_flag_bits(std::uint8_t octet) noexcept {
  return octet & (PacketBits::evil | PacketBits::dont_fragment);
}

/// The flags of the two octets of a TCP header with data offset and flags.
[[nodiscard]] constexpr std::uint16_t tcp_flags_of(std::uint16_t offset_and_flags) noexcept {
  return offset_and_flags & (TCP_AE | 0xff);
}

/// Whether the options of a segment with those flags are wanted (Need).
[[nodiscard]] constexpr bool wants_tcp_options(std::uint32_t wanted, std::uint16_t flags) noexcept {
  return wanted & (flags & TCP_SYN ? Need::all_tcp_options : Need::all_tcp_options & ~Need::tcp_options);
}

} // namespace orbweaver
