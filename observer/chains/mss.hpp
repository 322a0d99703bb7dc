// SPDX-License-Identifier: GPL-3.0-or-later
// The maximum segment size option (RFC 9293, 3.7.1) on SYNs, by direction; the last one seen, whatever its length.
#pragma once

#include "common/tcp.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct MssChain {
  static constexpr std::string_view name = "mss";
  static constexpr std::string_view summary = "length and value of the MSS option";
  static constexpr std::uint32_t needs = Need::tcp_options;

  struct State {
    Nullable<std::uint32_t> value[2]; // [fwd, rev]
    Nullable<std::uint8_t> length[2];
  };

  inline static const auto fields = std::array{
      field("mss_len_fwd", "length of the MSS option on SYNs, kind and length included, forward", &State::length, 0)
          .in("octets"),
      field("mss_len_rev", "length of the MSS option on SYNs, kind and length included, reverse", &State::length, 1)
          .in("octets")
          .mirrors("mss_len_fwd"),
      field("mss_value_fwd", "value of the MSS option on SYNs, forward", &State::value, 0).in("octets"),
      field("mss_value_rev", "value of the MSS option on SYNs, reverse", &State::value, 1)
          .in("octets")
          .mirrors("mss_value_fwd"),
  };

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    if (packet->tcp_flags & TCP_SYN)
      for_each_tcp_option(packet.tcp_options(), [&](TcpOption option) {
        if (option.kind == TO_MSS)
          note(state, option.value, rev);
      });
    return true;
  }

private:
  /// The value is the option's octets as one number, network order; null where they do not fit into 32 bits.
  static void note(State& state, std::span<const std::uint8_t> octets, bool rev) noexcept {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : octets)
      value = value > 0xFFFFFFFF ? value : value << 8 | octet;
    state.length[rev].set(static_cast<std::uint8_t>(octets.size() + 2));
    if (value <= 0xFFFFFFFF)
      state.value[rev].set(static_cast<std::uint32_t>(value));
    else
      state.value[rev].clear();
  }
};

} // namespace orbweaver
