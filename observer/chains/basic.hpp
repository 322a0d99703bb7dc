// SPDX-License-Identifier: GPL-3.0-or-later
// The five-tuple, and packets and octets by direction (IPFIX packetDeltaCount, octetDeltaCount).
#pragma once

#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct BasicChain {
  static constexpr std::string_view name = "basic";
  static constexpr std::string_view summary = "addresses, ports, packets and octets by direction";
  static constexpr std::uint32_t needs = Need::none;

  struct State {
    std::uint64_t packets[2]{}; // [fwd, rev]
    std::uint64_t octets[2]{};
  };

  inline static const auto fields = std::array{
      core_field("sip", FieldType::address, offsetof(FlowRecord, source)),
      core_field("dip", FieldType::address, offsetof(FlowRecord, destination)),
      core_field("proto", FieldType::u8, offsetof(FlowRecord, protocol)),
      core_field("sp", FieldType::u16_or_null, offsetof(FlowRecord, source_port)),
      core_field("dp", FieldType::u16_or_null, offsetof(FlowRecord, destination_port)),
      field("pkt_fwd", &State::packets, 0),
      field("pkt_rev", &State::packets, 1),
      field("oct_fwd", &State::octets, 0),
      field("oct_rev", &State::octets, 1),
  };

  static bool ip(State& state, PacketView packet, bool rev) noexcept {
    ++state.packets[rev];
    state.octets[rev] += packet->ip_length;
    return true;
  }
};

} // namespace orbweaver
