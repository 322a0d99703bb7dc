// SPDX-License-Identifier: GPL-3.0-or-later
// The VLAN tags (IEEE 802.1Q, 9.6) of a flow's first packet.
#pragma once

#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct VlanChain {
  static constexpr std::string_view name = "vlan";
  static constexpr std::string_view summary = "VLAN tags of the first packet";
  static constexpr std::uint32_t needs = Need::vlan_tags;

  struct State {
    List<std::uint16_t> ids;
    Nullable<std::uint8_t> priority;
  };

  inline static const auto fields = std::array{
      field("vlan_ids", "identifiers of the tags, the outer one first", &State::ids),
      field("vlan_priority", "priority code point of the outer tag", &State::priority).ipfix_element("dot1qPriority"),
  };

  static bool new_flow(State& state, PacketView packet, ChainContext<VlanChain>& context) noexcept {
    const VlanTags tags = packet.vlan_tags();
    if (tags.empty())
      return true;
    std::array<std::uint16_t, max_vlan_tags> ids;
    for (std::size_t place = 0; place < tags.size(); ++place)
      ids[place] = tags[place].id();
    context.set(state.ids, std::span(ids).first(tags.size()));
    state.priority.set(static_cast<std::uint8_t>(tags[0].priority()));
    return true;
  }
};

} // namespace orbweaver
