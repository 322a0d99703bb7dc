// SPDX-License-Identifier: GPL-3.0-or-later
// From the first octet of a frame to its IP header: Ethernet with any stack of tags, MPLS labels, pseudo-wires and
// PPPoE sessions, LLC/SNAP, serial lines, IEEE 802.11, and what captures put before a frame (link_type.hpp).
//
// A header on the way that says how long its content is bounds all that is read behind it.
#pragma once

#include "capture/dissect/octets.hpp"
#include "capture/links/link_type.hpp"
#include "capture/sources/source.hpp"
#include "common/stream/records/packet_blocks.hpp"

#include <array>
#include <cstdint>

namespace orbweaver {

/// What lies behind the link headers.
enum class Network : std::uint8_t {
  ipv4,
  ipv6,
  bad_version, ///< IP, of no version known
  other,       ///< anything else
  cut,         ///< the captured octets end within the link headers
};

struct NetworkLayer {
  Network kind;
  std::uint32_t offset;       ///< octets of link headers; for ipv4 and ipv6 not above captured_end
  std::uint32_t captured_end; ///< where what was captured of the packet ends, in the frame
  std::uint32_t wire_end;     ///< where the packet ended at most on the wire
};

/// A layer with the addresses between which it goes: source, then destination, as many octets as its version has.
struct NotedLayer {
  TunnelHead head;
  std::array<std::uint8_t, 32> addresses;
};

/// What is said on the way, for those who want to know: tags and layers in the order of the frame, the first ones.
struct LinkHeaders {
  const std::uint8_t* ethernet = nullptr; ///< the outer Ethernet's two addresses
  std::uint16_t ether_type = 0;           ///< of what follows all tags
  std::uint32_t tag_count = 0;
  std::uint32_t layer_count = 0;
  std::array<VlanTag, max_vlan_tags> tags;
  std::array<NotedLayer, max_tunnel_layers> layers;

  void add(VlanTag tag) noexcept {
    if (tag_count < tags.size())
      tags[tag_count++] = tag;
  }
  void add(TunnelKind kind, std::uint32_t identifier) noexcept {
    if (layer_count < layers.size())
      layers[layer_count++].head = {kind, 0, 1, 0, identifier};
  }
};

/// Follows link headers of any supported kind. Reads what was captured at most. `headers`: where to note them, or
/// nullptr; they say something where IP was found.
[[nodiscard]] NetworkLayer walk_link_layers(const Frame& frame, LinkHeaders* headers) noexcept;

/// The same, with the usual case inline: IP directly in an Ethernet frame.
[[nodiscard]] inline NetworkLayer find_network(const Frame& frame, LinkHeaders* headers) noexcept {
  constexpr std::uint32_t ethernet_octets = 14;
  if (frame.link == LinkType::ethernet && frame.captured_length >= ethernet_octets && !headers) [[likely]] {
    const std::uint16_t ethertype = be16(frame.data + 12);
    if (ethertype == 0x0800) [[likely]]
      return {Network::ipv4, ethernet_octets, frame.captured_length, frame.wire_length};
    if (ethertype == 0x86dd)
      return {Network::ipv6, ethernet_octets, frame.captured_length, frame.wire_length};
  }
  return walk_link_layers(frame, headers);
}

} // namespace orbweaver
