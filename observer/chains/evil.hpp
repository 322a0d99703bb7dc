// SPDX-License-Identifier: GPL-3.0-or-later
// The security flag of the IPv4 header (RFC 3514) by direction: of the first SYN, and of the first packet with data.
#pragma once

#include "observer/chain.hpp"
#include "observer/marks.hpp"

#include <array>

namespace orbweaver {

struct EvilChain {
  static constexpr std::string_view name = "evil";
  static constexpr std::string_view summary = "the evil bit of the first SYN and the first data";
  static constexpr std::uint32_t needs = Need::none;

  struct State {
    Nullable<bool> syn[2]; // [fwd, rev]
    Nullable<bool> data[2];
  };

  inline static const auto fields = std::array{
      field("evilbit_syn_fwd", "the evil bit of the first SYN, forward", &State::syn, 0),
      field("evilbit_syn_rev", "the evil bit of the first SYN, reverse", &State::syn, 1).mirrors("evilbit_syn_fwd"),
      field("evilbit_data_fwd", "the evil bit of the first segment with payload, or other packet, forward",
            &State::data, 0),
      field("evilbit_data_rev", "the evil bit of the first segment with payload, or other packet, reverse",
            &State::data, 1)
          .mirrors("evilbit_data_fwd"),
  };

  static bool ip4(State& state, PacketView packet, bool rev) noexcept {
    const bool evil = packet->bits & PacketBits::evil;
    if (is_syn(packet))
      state.syn[rev].set_first(evil);
    else if (is_data(packet))
      state.data[rev].set_first(evil);
    return true;
  }
};

} // namespace orbweaver
