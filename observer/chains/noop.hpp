// SPDX-License-Identifier: GPL-3.0-or-later
// Does nothing: the skeleton that a new chain starts from (docs/writing-a-chain.md).
#pragma once

#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct NoopChain {
  static constexpr std::string_view name = "noop";
  static constexpr std::string_view summary = "nothing: the skeleton for new chains";
  static constexpr std::uint32_t needs = Need::none;

  /// What the chain remembers of a flow. Every flow in the table pays for its size.
  struct State {};

  inline static const auto fields = std::array<ChainField, 0>{};

  /// A flow begins with this packet. False would veto it.
  static bool new_flow(State&, PacketView) noexcept { return true; }

  // Any of these may be left out. Each says whether to go on; false says that the flow is complete.
  static bool ip4(State&, PacketView, bool) noexcept { return true; }
  static bool ip6(State&, PacketView, bool) noexcept { return true; }
  static bool icmp4(State&, PacketView, bool) noexcept { return true; }
  static bool icmp6(State&, PacketView, bool) noexcept { return true; }
  static bool tcp(State&, PacketView, bool) noexcept { return true; }
  static bool udp(State&, PacketView, bool) noexcept { return true; }
  static bool l4(State&, PacketView, bool) noexcept { return true; }
  /// The flow leaves.
  static void end(State&, const FlowEnd&) noexcept {}
};

} // namespace orbweaver
