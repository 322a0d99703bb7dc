// SPDX-License-Identifier: GPL-3.0-or-later
// Whether the last datagram in each direction had its checksum disabled (RFC 768; RFC 6935).
#pragma once

#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct UdpChain {
  static constexpr std::string_view name = "udp";
  static constexpr std::string_view summary = "checksum zero on the last datagram";
  static constexpr std::uint32_t needs = Need::none;

  struct State {
    Nullable<bool> zero_checksum[2]; // [fwd, rev]
  };

  inline static const auto fields = std::array{
      field("udp_zero_checksum_fwd", "the last datagram had checksum 0, forward", &State::zero_checksum, 0),
      field("udp_zero_checksum_rev", "the last datagram had checksum 0, reverse", &State::zero_checksum, 1)
          .mirrors("udp_zero_checksum_fwd"),
  };

  static bool udp(State& state, PacketView packet, bool rev) noexcept {
    state.zero_checksum[rev].set(packet->bits & PacketBits::zero_checksum);
    return true;
  }
};

} // namespace orbweaver
