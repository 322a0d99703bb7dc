// SPDX-License-Identifier: GPL-3.0-or-later
// The blocks that may follow a packet record's addresses, each where a chosen chain asks for it (Need). The record's
// `blocks` says which are there; they follow one another without padding, in the order of their bits, so that one is
// found by adding up the sizes of those before it. Integers are in host order and at any alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>

namespace orbweaver {

namespace PacketBlock {
inline constexpr std::uint16_t key_extension = 0x01; ///< length; what the flow key has beyond head and addresses
inline constexpr std::uint16_t ethernet = 0x02;      ///< EthernetHeader
inline constexpr std::uint16_t vlan_tags = 0x04;     ///< length; VlanTags, outer first
inline constexpr std::uint16_t tunnels = 0x08;       ///< length; TunnelHeads, outer first, each with its addresses
inline constexpr std::uint16_t flow_label = 0x10;    ///< 4 octets: the label, 20 bits (RFC 8200, section 3; RFC 6437)
inline constexpr std::uint16_t icmp_sender = 0x20;   ///< an ICMP error's source address, network order
inline constexpr std::uint16_t tcp_options = 0x40;   ///< length; TCP options (RFC 9293, 3.1), as many as were captured
inline constexpr std::uint16_t quotation = 0x80;     ///< length; what follows the first 8 octets of an ICMP error
inline constexpr std::uint16_t payload = 0x100;      ///< length; 1 octet: its kind (payload_kinds.hpp); payload
inline constexpr std::uint16_t all = 0x1ff;
} // namespace PacketBlock

/// Ethernet's addresses, and the type of what follows behind all VLAN tags and SNAP (IEEE 802.3, 3.2).
struct EthernetHeader {
  std::uint8_t destination[6];
  std::uint8_t source[6];
  std::uint16_t type;
};
static_assert(sizeof(EthernetHeader) == 14);

/// A VLAN tag (IEEE 802.1Q, 9.5 and 9.6).
struct VlanTag {
  std::uint16_t protocol; ///< TPID: 0x8100, 0x88a8, 0x9100, 0x9200 or 0x9300
  std::uint16_t control;  ///< TCI: priority (3 bits), drop eligible (1 bit), VLAN identifier (12 bits)

  [[nodiscard]] constexpr unsigned priority() const noexcept { return control >> 13; }
  [[nodiscard]] constexpr bool drop_eligible() const noexcept { return control & 0x1000; }
  [[nodiscard]] constexpr std::uint16_t id() const noexcept { return control & 0xfff; }
  bool operator==(const VlanTag&) const = default;
};
static_assert(sizeof(VlanTag) == 4);

/// What carries a packet between the frame's header and its IP header.
enum class TunnelKind : std::uint8_t {
  mpls = 1,        ///< a label of the stack (RFC 3032, 2.1): the identifier, 20 bits
  pppoe = 2,       ///< a session (RFC 2516, section 4): the identifier, 16 bits
  gre = 3,         ///< the key (RFC 2890), or PPTP's call (RFC 2637)
  erspan = 4,      ///< the session, 10 bits
  vxlan = 5,       ///< the network identifier, 24 bits (RFC 7348)
  geneve = 6,      ///< the same (RFC 8926)
  gtp = 7,         ///< the endpoint identifier that the receiver chose (3GPP TS 29.281)
  ipip = 8,        ///< IP in IP of whatever version but the next (RFC 2003, RFC 2473): none
  six_in_four = 9, ///< IPv6 in IPv4 (RFC 4213): none
  teredo = 10,     ///< RFC 4380: none
  l2tp = 11,       ///< tunnel and session (RFC 2661), or the session (RFC 3931)
  etherip = 12,    ///< RFC 3378: none
};
inline constexpr std::size_t tunnel_kinds = 12;
/// What users call them, by their number; the first has none.
inline constexpr std::string_view tunnel_names[tunnel_kinds + 1] = {
    {}, "mpls", "pppoe", "gre", "erspan", "vxlan", "geneve", "gtp", "ipip", "6in4", "teredo", "l2tp", "etherip"};

/// A tunnel layer as it lies in a record. The addresses between which it goes follow: source, then destination.
struct TunnelHead {
  TunnelKind kind;
  std::uint8_t version;        ///< of the addresses: 4 or 6; 0: it has none
  std::uint8_t has_identifier; ///< 0: there is none, and it is 0
  std::uint8_t reserved;       ///< 0
  std::uint32_t identifier;
};
static_assert(sizeof(TunnelHead) == 8);

/// Tags and layers that a record has at most: the outer ones. Link headers are followed beyond them all the same.
inline constexpr std::uint32_t max_vlan_tags = 16, max_tunnel_layers = 16;
/// Of those layers at most so many have addresses: one IP packet in the other.
inline constexpr std::uint32_t max_tunnels = 8;
/// Octets of the layers' block at most.
inline constexpr std::uint32_t max_tunnel_octets = max_tunnel_layers * sizeof(TunnelHead) + max_tunnels * 32;

/// A key extension, where the flow key has VLANs: an octet with their number, and their identifiers; where it has
/// tunnels: an octet with the number of layers, and the layers as in their block, without reserved octets. Source and
/// destination of a layer stand in the order of the key's own endpoints, so that both directions have the same.
inline constexpr std::uint32_t max_vlan_key = 1 + max_vlan_tags * 2;
inline constexpr std::uint32_t max_tunnel_key = 1 + max_tunnel_octets;
inline constexpr std::uint32_t max_key_extension = max_vlan_key + max_tunnel_key;
/// Octets of TCP options at most (RFC 9293, 3.1: a data offset of 15 words).
inline constexpr std::uint32_t max_tcp_options = 40;

/// Octets of both addresses of an IP version.
[[nodiscard]] constexpr std::uint32_t addresses_length(std::uint8_t version) noexcept {
  return version == 6 ? 32 : 8;
}

/// What a block takes, by its bit's place: `octets` in a record of IPv4 and of IPv6, the length and the payload's kind
/// included; and where it has a length (16 bits, at its start) so many more.
struct BlockShape {
  std::uint8_t octets[2];
  bool has_length;
};
inline constexpr BlockShape block_shapes[] = {
    {{2, 2}, true},    // key_extension
    {{14, 14}, false}, // ethernet
    {{2, 2}, true},    // vlan_tags
    {{2, 2}, true},    // tunnels
    {{4, 4}, false},   // flow_label
    {{4, 16}, false},  // icmp_sender
    {{2, 2}, true},    // tcp_options
    {{2, 2}, true},    // quotation
    {{3, 3}, true},    // payload
};
static_assert(1u << std::size(block_shapes) == PacketBlock::all + 1u);

/// A value of a block.
template <typename Value>
[[nodiscard]] inline Value read_block(const std::uint8_t* at) noexcept {
  Value value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Octets of the blocks that stand before the one with that bit, which need not be there. `blocks`: which ones a record
/// has, of that IP version; `at`: where they begin, each whole.
[[nodiscard]] inline std::size_t octets_before(std::uint16_t bit, std::uint16_t blocks, std::uint8_t version,
                                               const std::uint8_t* at) noexcept {
  const std::uint8_t* const start = at;
  for (unsigned before = blocks & (bit - 1u); before != 0; before &= before - 1) {
    const BlockShape& shape = block_shapes[std::countr_zero(before)];
    at += shape.octets[version == 6] + (shape.has_length ? read_block<std::uint16_t>(at) : 0u);
  }
  return static_cast<std::size_t>(at - start);
}

/// The tags of a VLAN block.
class VlanTags {
public:
  VlanTags() noexcept = default;
  explicit VlanTags(std::span<const std::uint8_t> octets) noexcept : octets_(octets) {}

  [[nodiscard]] std::size_t size() const noexcept { return octets_.size() / sizeof(VlanTag); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// Counted from the outer one; below size().
  [[nodiscard]] VlanTag operator[](std::size_t place) const noexcept {
    return read_block<VlanTag>(octets_.data() + place * sizeof(VlanTag));
  }

private:
  std::span<const std::uint8_t> octets_;
};

/// A tunnel layer; its addresses are empty where it has none.
struct TunnelLayer {
  TunnelKind kind;
  bool has_identifier;
  std::uint32_t identifier;
  std::span<const std::uint8_t> source;
  std::span<const std::uint8_t> destination;
};

/// Calls `visit(TunnelLayer)` for every layer of a block, outer first. Returns whether the block ends with a layer.
template <typename Visit>
bool for_each_tunnel_layer(std::span<const std::uint8_t> octets, Visit&& visit) noexcept {
  while (octets.size() >= sizeof(TunnelHead)) {
    const auto head = read_block<TunnelHead>(octets.data());
    if (head.version != 0 && head.version != 4 && head.version != 6)
      return false;
    const std::size_t length = head.version == 0 ? 0 : addresses_length(head.version) / 2;
    octets = octets.subspan(sizeof head);
    if (octets.size() < 2 * length)
      return false;
    visit(TunnelLayer{head.kind, head.has_identifier != 0, head.identifier, octets.first(length),
                      octets.subspan(length, length)});
    octets = octets.subspan(2 * length);
  }
  return octets.empty();
}

} // namespace orbweaver
