// SPDX-License-Identifier: GPL-3.0-or-later
// A chain that packets tell what to do: for tests that need flows vetoed or completed at will.
#pragma once

#include "observer/chains/basic.hpp"
#include "observer/flows/flow_meter_impl.hpp"
#include "tests/unit/observer/flow_collector.hpp"

namespace orbweaver::test {

struct ScriptedChain {
  static constexpr std::string_view name = "scripted";
  static constexpr std::string_view summary = "does what the packet's length says";
  static constexpr std::uint32_t needs = Need::none;
  static constexpr std::uint32_t veto_length = 1, complete_length = 2; ///< ip_length

  struct State {};
  inline static const auto fields = std::array<ChainField, 0>{};

  static bool new_flow(State&, PacketView packet) noexcept { return packet->ip_length != veto_length; }
  static bool ip(State&, PacketView packet, bool) noexcept { return packet->ip_length != complete_length; }
};

using ScriptedChains = ChainList<BasicChain, ScriptedChain>;
using ScriptedMetering = Metering<ScriptedChains>;

inline const std::vector<std::string> scripted{"basic", "scripted"};

} // namespace orbweaver::test
