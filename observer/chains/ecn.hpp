// SPDX-License-Identifier: GPL-3.0-or-later
// ECN marks by direction, on SYN and on the rest (RFC 3168, 5).
#pragma once

#include "observer/chain.hpp"
#include "observer/marks.hpp"

#include <array>

namespace orbweaver {

struct EcnChain {
  static constexpr std::string_view name = "ecn";
  static constexpr std::string_view summary = "ECT(0), ECT(1) and CE marks seen on SYN and on the rest";
  static constexpr std::uint32_t needs = Need::none;

  /// The two ECN bits of the traffic class.
  enum Mark : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

  struct State {
    bool seen[4][2][2]{}; // [mark][syn, data][fwd, rev]; not_ect is never printed
  };

  inline static const auto fields = std::array{
      field("ecn_ect0_syn_fwd", "ECT(0) was seen on a SYN, forward", &State::seen, ect0, 0, 0),
      field("ecn_ect1_syn_fwd", "ECT(1) was seen on a SYN, forward", &State::seen, ect1, 0, 0),
      field("ecn_ce_syn_fwd", "CE was seen on a SYN, forward", &State::seen, ce, 0, 0),
      field("ecn_ect0_data_fwd", "ECT(0) was seen on anything but a SYN, forward", &State::seen, ect0, 1, 0),
      field("ecn_ect1_data_fwd", "ECT(1) was seen on anything but a SYN, forward", &State::seen, ect1, 1, 0),
      field("ecn_ce_data_fwd", "CE was seen on anything but a SYN, forward", &State::seen, ce, 1, 0),
      field("ecn_ect0_syn_rev", "ECT(0) was seen on a SYN, reverse", &State::seen, ect0, 0, 1)
          .mirrors("ecn_ect0_syn_fwd"),
      field("ecn_ect1_syn_rev", "ECT(1) was seen on a SYN, reverse", &State::seen, ect1, 0, 1)
          .mirrors("ecn_ect1_syn_fwd"),
      field("ecn_ce_syn_rev", "CE was seen on a SYN, reverse", &State::seen, ce, 0, 1).mirrors("ecn_ce_syn_fwd"),
      field("ecn_ect0_data_rev", "ECT(0) was seen on anything but a SYN, reverse", &State::seen, ect0, 1, 1)
          .mirrors("ecn_ect0_data_fwd"),
      field("ecn_ect1_data_rev", "ECT(1) was seen on anything but a SYN, reverse", &State::seen, ect1, 1, 1)
          .mirrors("ecn_ect1_data_fwd"),
      field("ecn_ce_data_rev", "CE was seen on anything but a SYN, reverse", &State::seen, ce, 1, 1)
          .mirrors("ecn_ce_data_fwd"),
  };

  static bool ip(State& state, PacketView packet, bool rev) noexcept {
    state.seen[packet->traffic_class & 3][!is_syn(packet)][rev] = true;
    return true;
  }
};

} // namespace orbweaver
