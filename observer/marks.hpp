// SPDX-License-Identifier: GPL-3.0-or-later
// The two places where chains look for marks of the IP header: a SYN, and what carries data.
#pragma once

#include "common/stream/records/packet_record.hpp"
#include "common/tcp.hpp"

namespace orbweaver {

/// A TCP segment whose header was captured.
[[nodiscard]] inline bool is_tcp_segment(PacketView packet) noexcept {
  return packet->key.protocol == 6 && packet.has_transport();
}

/// A TCP segment with SYN, whatever else it has.
[[nodiscard]] inline bool is_syn(PacketView packet) noexcept {
  return is_tcp_segment(packet) && (packet->tcp_flags & TCP_SYN);
}

/// Who opened a connection: a SYN's sender, a SYN+ACK's receiver (RFC 9293, 3.5).
enum class Opener : std::uint8_t { unknown, sender, receiver };
[[nodiscard]] inline Opener opener_by(PacketView packet) noexcept {
  if (packet.is_icmp_error() || !is_syn(packet))
    return Opener::unknown;
  return packet->tcp_flags & TCP_ACK ? Opener::receiver : Opener::sender;
}

/// A TCP segment with payload but no SYN, or any packet that is no TCP segment.
[[nodiscard]] inline bool is_data(PacketView packet) noexcept {
  return !is_tcp_segment(packet) || (!(packet->tcp_flags & TCP_SYN) && packet->payload_length > 0);
}

} // namespace orbweaver
