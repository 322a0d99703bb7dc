// SPDX-License-Identifier: GPL-3.0-or-later
// Destination unreachable messages (RFC 792; RFC 4443, 3.1) that came back for the flow.
#pragma once

#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct IcmpChain {
  static constexpr std::string_view name = "icmp";
  static constexpr std::string_view summary = "destination unreachable came back";
  static constexpr std::uint32_t needs = Need::none;
  static constexpr bool completes = true;

  struct State {
    bool unreachable = false;
  };

  inline static const auto fields =
      std::array{field("icmp_unreachable", "a destination unreachable came back", &State::unreachable)};

  static bool icmp4(State& state, PacketView packet, bool rev) noexcept { return note(state, packet, rev, 3); }
  static bool icmp6(State& state, PacketView packet, bool rev) noexcept { return note(state, packet, rev, 1); }

private:
  static bool note(State& state, PacketView packet, bool rev, std::uint8_t unreachable_type) noexcept {
    state.unreachable |= rev && packet->icmp_type == unreachable_type;
    return !state.unreachable;
  }
};

} // namespace orbweaver
