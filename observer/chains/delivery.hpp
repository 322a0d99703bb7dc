// SPDX-License-Identifier: GPL-3.0-or-later
// What TCP data arrived (RFC 9293, 3.4): the largest segment in each direction, how much came without a gap, and what
// the other side acknowledged, in all and as one segment. Tells who stopped: the path, or one of the ends.
#pragma once

#include "common/tcp.hpp"
#include "observer/chain.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace orbweaver {

struct DeliveryChain {
  static constexpr std::string_view name = "delivery";
  static constexpr std::string_view summary = "TCP data by size: sent, without gaps, acknowledged";
  static constexpr std::uint32_t needs = Need::tcp_options;

  struct State {
    std::uint32_t largest[2]{}; // [fwd, rev], as all of them
    std::uint32_t contiguous[2]{};
    std::uint32_t acknowledged[2]{};
    std::uint32_t acknowledged_segment[2]{};
    std::uint32_t first[2]{};       // sequence number of the first octet; needs opened
    std::uint32_t waiting[2]{};     // octets of the largest segment that is not acknowledged yet; 0: none
    std::uint32_t waiting_end[2]{}; // sequence number behind it
    Nullable<std::uint32_t> segment_limit;
    bool opened[2]{};
  };

  inline static const auto fields = std::array{
      field("delivery_mss", "the smaller of the MSS options of both SYNs, or the one that there is",
            &State::segment_limit)
          .in("octets"),
      field("delivery_largest_fwd", "payload of the largest segment, forward", &State::largest, 0).in("octets"),
      field("delivery_largest_rev", "payload of the largest segment, reverse", &State::largest, 1)
          .in("octets")
          .mirrors("delivery_largest_fwd"),
      field("delivery_contiguous_fwd", "payload from the SYN on without a gap, forward", &State::contiguous, 0)
          .in("octets"),
      field("delivery_contiguous_rev", "payload from the SYN on without a gap, reverse", &State::contiguous, 1)
          .in("octets")
          .mirrors("delivery_contiguous_fwd"),
      field("delivery_acked_fwd", "of that, what the other side acknowledged, forward", &State::acknowledged, 0)
          .in("octets"),
      field("delivery_acked_rev", "of that, what the other side acknowledged, reverse", &State::acknowledged, 1)
          .in("octets")
          .mirrors("delivery_acked_fwd"),
      field("delivery_acked_segment_fwd", "payload of the largest segment that the other side acknowledged, forward",
            &State::acknowledged_segment, 0)
          .in("octets"),
      field("delivery_acked_segment_rev", "payload of the largest segment that the other side acknowledged, reverse",
            &State::acknowledged_segment, 1)
          .in("octets")
          .mirrors("delivery_acked_segment_fwd"),
  };

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    if (packet->tcp_flags & TCP_SYN) [[unlikely]]
      open(state, packet, rev);
    if (packet->tcp_flags & TCP_RST) // its numbers may be anybody's
      return true;
    if (packet->payload_length > 0 && state.opened[rev])
      take(state, packet, rev);
    if (packet->tcp_flags & TCP_ACK && state.opened[!rev])
      acknowledge(state, packet->acknowledgement, !rev);
    return true;
  }

private:
  [[gnu::noinline]] static void open(State& state, PacketView packet, bool rev) noexcept {
    if (!state.opened[rev])
      state.first[rev] = packet->sequence + 1;
    state.opened[rev] = true;
    for_each_tcp_option(packet.tcp_options(), [&](TcpOption option) {
      if (option.kind != TO_MSS || option.value.size() != 2)
        return;
      const std::uint32_t value = std::uint32_t{option.value[0]} << 8 | option.value[1];
      state.segment_limit.set(state.segment_limit.is_null() ? value : std::min(state.segment_limit.value(), value));
    });
  }

  static void take(State& state, PacketView packet, bool rev) noexcept {
    const std::uint32_t octets = packet->payload_length;
    state.largest[rev] = std::max(state.largest[rev], octets);
    // Where it ends, counted from the first octet; both numbers are modulo 2^32.
    const std::uint32_t begin = packet->sequence + ((packet->tcp_flags & TCP_SYN) != 0) - state.first[rev];
    if (static_cast<std::int32_t>(begin - state.contiguous[rev]) <= 0 &&
        static_cast<std::int32_t>(begin + octets - state.contiguous[rev]) > 0)
      state.contiguous[rev] = begin + octets;
    if (octets >= state.waiting[rev]) {
      state.waiting[rev] = octets;
      state.waiting_end[rev] = begin + octets;
    }
  }

  /// `rev`: the direction of the data.
  static void acknowledge(State& state, std::uint32_t number, bool rev) noexcept {
    const std::uint32_t octets = number - state.first[rev];
    if (static_cast<std::int32_t>(octets - state.acknowledged[rev]) > 0) // a FIN counts too, and is no payload
      state.acknowledged[rev] = std::min(octets, state.contiguous[rev]);
    if (state.waiting[rev] == 0 || static_cast<std::int32_t>(octets - state.waiting_end[rev]) < 0)
      return;
    state.acknowledged_segment[rev] = std::max(state.acknowledged_segment[rev], state.waiting[rev]);
    state.waiting[rev] = 0;
  }
};

} // namespace orbweaver
