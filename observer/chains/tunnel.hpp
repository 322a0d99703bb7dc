// SPDX-License-Identifier: GPL-3.0-or-later
// What a flow's first packet was carried in: tunnels that were taken off (--decapsulate), and a link's MPLS labels and
// PPPoE sessions, which always are. The outer one first; one alone is no list.
#pragma once

#include "common/json/text.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct TunnelChain {
  static constexpr std::string_view name = "tunnel";
  static constexpr std::string_view summary = "tunnels that the first packet was taken out of";
  static constexpr std::uint32_t needs = Need::tunnels;

  struct State {
    OneOrList<Text> type, source, destination;
    OneOrList<Nullable<std::uint32_t>> identifier;
  };

  inline static const auto fields = std::array{
      field("tunnel_type", "what kind of tunnel, as --decapsulate calls it", &State::type),
      field("tunnel_sip", "outer source address of the first packet; empty in a list where there is none",
            &State::source),
      field("tunnel_dip", "outer destination address of the first packet; empty in a list where there is none",
            &State::destination),
      field("tunnel_id", "network identifier, endpoint identifier, key, session or label", &State::identifier),
  };

  static bool new_flow(State& state, PacketView packet, ChainContext<TunnelChain>& context) noexcept {
    bool has_addresses = false;
    unsigned layers = 0;
    packet.for_each_tunnel([&](const TunnelLayer& layer) {
      has_addresses |= !layer.source.empty();
      ++layers;
    });
    if (layers == 0)
      return true;
    packet.for_each_tunnel([&](const TunnelLayer& layer) {
      context.append(state.type, tunnel_names[static_cast<std::size_t>(layer.kind)]);
      Nullable<std::uint32_t> identifier;
      if (layer.has_identifier)
        identifier.set(layer.identifier);
      context.append(state.identifier, identifier);
      if (has_addresses) {
        append_address(state.source, layer.source, context);
        append_address(state.destination, layer.destination, context);
      }
    });
    return true;
  }

private:
  static void append_address(OneOrList<Text>& to, std::span<const std::uint8_t> address,
                             ChainContext<TunnelChain>& context) noexcept {
    char text[64];
    const char* end = text;
    if (address.size() == 4)
      end = json::print_ipv4(address.data(), text);
    else if (address.size() == 16)
      end = json::print_ipv6(address.data(), text);
    context.append(to, std::string_view(text, end));
  }
};

} // namespace orbweaver
