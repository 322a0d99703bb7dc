// SPDX-License-Identifier: GPL-3.0-or-later
// Differentiated services code points by direction (RFC 2474, 3): of the first SYN, and of the first packet with data.
#pragma once

#include "observer/chain.hpp"
#include "observer/marks.hpp"

#include <array>

namespace orbweaver {

struct DscpChain {
  static constexpr std::string_view name = "dscp";
  static constexpr std::string_view summary = "code points of the first SYN and the first data";
  static constexpr std::uint32_t needs = Need::none;

  struct State {
    Nullable<std::uint8_t> syn[2]; // [fwd, rev]
    Nullable<std::uint8_t> data[2];
  };

  inline static const auto fields = std::array{
      field("dscp_mark_syn_fwd", "code point of the first SYN, forward", &State::syn, 0)
          .ipfix_element("ipDiffServCodePoint"),
      field("dscp_mark_syn_rev", "code point of the first SYN, reverse", &State::syn, 1).mirrors("dscp_mark_syn_fwd"),
      field("dscp_mark_data_fwd", "code point of the first segment with payload, or other packet, forward",
            &State::data, 0)
          .ipfix_element("ipDiffServCodePoint"),
      field("dscp_mark_data_rev", "code point of the first segment with payload, or other packet, reverse",
            &State::data, 1)
          .mirrors("dscp_mark_data_fwd"),
  };

  static bool ip(State& state, PacketView packet, bool rev) noexcept {
    const auto code_point = static_cast<std::uint8_t>(packet->traffic_class >> 2);
    if (is_syn(packet))
      state.syn[rev].set_first(code_point);
    else if (is_data(packet))
      state.data[rev].set_first(code_point);
    return true;
  }
};

} // namespace orbweaver
