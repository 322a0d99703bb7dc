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
      core_field<Address, State>("sip", "source address of the forward direction", offsetof(FlowRecord, source))
          .ipfix_element("sourceIPv4Address"),
      core_field<Address, State>("dip", "destination address of the forward direction",
                                 offsetof(FlowRecord, destination))
          .ipfix_element("destinationIPv4Address")
          .mirrors("sip"),
      core_field<std::uint8_t, State>("proto", "IP protocol, after IPv6 extension headers",
                                      offsetof(FlowRecord, protocol))
          .ipfix_element("protocolIdentifier"),
      core_field<Nullable<std::uint16_t>, State>("sp", "source port of TCP, UDP, SCTP and UDP-Lite",
                                                 offsetof(FlowRecord, source_port))
          .ipfix_element("sourceTransportPort"),
      core_field<Nullable<std::uint16_t>, State>("dp", "destination port of TCP, UDP, SCTP and UDP-Lite",
                                                 offsetof(FlowRecord, destination_port))
          .ipfix_element("destinationTransportPort")
          .mirrors("sp"),
      field("pkt_fwd", "packets, forward", &State::packets, 0).in("packets").ipfix_element("packetDeltaCount"),
      field("pkt_rev", "packets, reverse", &State::packets, 1).in("packets").mirrors("pkt_fwd"),
      field("oct_fwd", "octets of the IP datagrams by their own length field, forward", &State::octets, 0)
          .in("octets")
          .ipfix_element("octetDeltaCount"),
      field("oct_rev", "octets of the IP datagrams by their own length field, reverse", &State::octets, 1)
          .in("octets")
          .mirrors("oct_fwd"),
  };

  static bool ip(State& state, PacketView packet, bool rev) noexcept {
    ++state.packets[rev];
    state.octets[rev] += packet->ip_length;
    return true;
  }
};

} // namespace orbweaver
