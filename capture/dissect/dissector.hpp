// SPDX-License-Identifier: GPL-3.0-or-later
// The dissector: from a frame to a packet record. Pure and stateless; runs on the capture thread for every packet, so
// that the usual case (Ethernet, IP, TCP or UDP, no fragment) is inline here and everything else is in dissector.cpp.
//
// All is read within two bounds: what was captured, and what the datagram around it says of its length, so that link
// padding is never taken for a header or for payload. Where a later fragment needs the ports of its first one, the
// draft says so (fragment_part).
#pragma once

#include "capture/dissect/extension_headers.hpp"
#include "capture/dissect/header_fields.hpp"
#include "capture/dissect/key_extension.hpp"
#include "capture/dissect/packet_draft.hpp"
#include "capture/links/link_layers.hpp"
#include "capture/sources/source.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

namespace orbweaver {

/// What a frame turned out to be. All but the first two count as short, each under its own name.
enum class Outcome : std::uint8_t {
  packet,
  non_ip,
  short_link,      ///< cut within the link headers
  short_ip,        ///< cut within the IP header or its extensions
  short_transport, ///< cut before the ports
  bad_ip_header,   ///< wrong version, a header length that cannot be, or too many extension headers
  bad_ip_length,   ///< a datagram that says it ends within its own IP headers or before its ports
};
inline constexpr std::size_t outcome_count = 7;

namespace dissection {

/// An IP datagram as found in a frame.
struct Datagram {
  const std::uint8_t* ip;     ///< its first octet
  const std::uint8_t* source; ///< address, of `version`'s length
  const std::uint8_t* destination;
  std::uint32_t available; ///< octets of it that were captured: not above `length`
  std::uint32_t length;    ///< by its length field
  std::uint32_t headers;   ///< octets of IP headers, not above `length`; may be above `available`

  /// Octets of the transport header and what follows it that were captured.
  [[nodiscard]] std::uint32_t transport_available() const noexcept { return left_after(available, headers); }
  [[nodiscard]] std::uint32_t transport_length() const noexcept { return length - headers; }
  [[nodiscard]] const std::uint8_t* transport() const noexcept { return ip + headers; }
  /// The outcome where the ports are not there.
  [[nodiscard]] Outcome without_ports() const noexcept {
    return transport_length() < 4 ? Outcome::bad_ip_length : Outcome::short_transport;
  }
};

/// The outcome where no IP header was found.
[[nodiscard]] constexpr Outcome without_ip(Network kind) noexcept {
  return kind == Network::other         ? Outcome::non_ip
         : kind == Network::bad_version ? Outcome::bad_ip_header
                                        : Outcome::short_link;
}

/// Completes a datagram that has its length field, or 0, and the octets captured of it. Returns other outcomes than
/// `packet` where it ends within its IP header.
inline Outcome bound(Datagram& datagram, std::uint32_t wire, PacketDraft& draft) noexcept {
  if (datagram.length == 0) [[unlikely]]
    datagram.length = std::max(wire, datagram.available);
  else if (datagram.length > wire && datagram.length > datagram.available) [[unlikely]]
    draft.faults |= Fault::ip_length;
  if (datagram.length < datagram.headers) [[unlikely]]
    return Outcome::bad_ip_length;
  if (datagram.available < datagram.headers) [[unlikely]]
    return Outcome::short_ip;
  datagram.available = std::min(datagram.available, datagram.length);
  return Outcome::packet;
}

/// Goes past the headers behind the IP header that were walked.
Outcome take_headers(Datagram& datagram, const ExtensionWalk& walk, PacketDraft& draft) noexcept;

/// What a transport header says of its length and cannot be, unless it is that of a first fragment.
void note_tcp_fault(std::uint32_t header, PacketDraft& draft) noexcept;
void note_udp_fault(std::uint32_t length, PacketDraft& draft) noexcept;

/// Every protocol other than TCP and UDP.
template <std::uint8_t version>
Outcome other_transport(const Datagram& datagram, std::uint32_t wanted, PacketDraft& draft) noexcept;

/// Notes an IPv4 fragment in the draft. Returns whether it is a later one, whose data has no transport header.
bool note_ipv4_fragment(const std::uint8_t* ip, std::uint32_t wanted, PacketDraft& draft) noexcept;
/// The same for IPv6.
bool note_ipv6_fragment(const ExtensionWalk& walk, std::uint32_t wanted, PacketDraft& draft) noexcept;

/// Adds those blocks of link headers that are wanted.
void add_link_blocks(const LinkHeaders& headers, std::uint32_t wanted, PacketDraft& draft) noexcept;

/// What the message of an ICMP error quotes, from the IP header on.
[[nodiscard]] std::span<const std::uint8_t> quotation_of(const PacketDraft& draft) noexcept;
/// Makes an ICMP error one that quotes this packet, of the error's own IP version. False: that is none.
bool quote(std::span<const std::uint8_t> quoted, std::uint32_t wanted, PacketDraft& draft) noexcept;

/// Carries the payload along where it is of a kind that is wanted.
template <std::uint8_t protocol>
inline void carry_payload(const std::uint8_t* payload, std::uint32_t length, std::uint32_t wanted,
                          PacketDraft& draft) noexcept {
  if (const std::uint8_t kind = payload_kind_of<protocol>(wanted, {payload, length}); kind != 0)
    draft.carry_payload(kind, payload, length);
}

/// Of a TCP header that ends within its first 20 octets, what is there. Returns its length as far as it says so.
std::uint32_t cut_tcp_header(const std::uint8_t* segment, std::uint32_t available, PacketRecord& record) noexcept;

template <std::uint8_t version>
Outcome tcp(const Datagram& datagram, std::uint32_t wanted, PacketDraft& draft) noexcept {
  constexpr std::uint32_t fixed_octets = 20;
  const std::uint32_t available = datagram.transport_available();
  if (available < 4) [[unlikely]]
    return datagram.without_ports();
  const std::uint8_t* segment = datagram.transport();
  PacketRecord& record = draft.record;
  std::uint32_t header = fixed_octets;
  if (available >= fixed_octets) [[likely]] {
    record.sequence = be32(segment + 4);
    record.acknowledgement = be32(segment + 8);
    record.tcp_flags = tcp_flags_of(be16(segment + 12));
    record.tcp_window = be16(segment + 14);
    record.bits |= PacketBits::whole_tcp;
    header = (segment[12] >> 4) * 4u;
    if (header < fixed_octets || header > datagram.transport_length()) [[unlikely]] {
      note_tcp_fault(header, draft);
      header = std::max(header, fixed_octets);
    }
    if (wants_tcp_options(wanted, record.tcp_flags))
      draft.add_octets(PacketBlock::tcp_options, segment + fixed_octets,
                       left_after(std::min(header, available), fixed_octets));
    if ((wanted & Need::payloads) && available > header)
      carry_payload<6>(segment + header, available - header, wanted, draft);
  } else {
    header = std::max(cut_tcp_header(segment, available, record), fixed_octets);
  }
  record.payload_length = left_after(datagram.transport_length(), header);
  record.key.has_ports = 1;
  set_endpoints<version>(draft, datagram.source, datagram.destination, be16(segment), be16(segment + 2));
  return Outcome::packet;
}

template <std::uint8_t version>
Outcome udp(const Datagram& datagram, std::uint32_t wanted, PacketDraft& draft) noexcept {
  constexpr std::uint32_t header = 8;
  const std::uint32_t there = datagram.transport_available();
  if (there < 4) [[unlikely]]
    return datagram.without_ports();
  const std::uint8_t* message = datagram.transport();
  PacketRecord& record = draft.record;
  std::uint32_t length = datagram.transport_length();
  if (there >= header) [[likely]] {
    record.bits = static_cast<std::uint16_t>(record.bits | PacketBits::transport |
                                             (be16(message + 6) == 0 ? PacketBits::zero_checksum : 0));
    // A first fragment's length field tells of the whole datagram, and offloaded segments have 0 there.
    const std::uint32_t own_length = be16(message + 4);
    if (own_length >= header && own_length <= length)
      length = own_length;
    else
      note_udp_fault(own_length, draft);
    const std::uint32_t available = std::min(there, length);
    if ((wanted & Need::payloads) && available > header)
      carry_payload<17>(message + header, available - header, wanted, draft);
  }
  record.payload_length = left_after(length, header);
  record.key.has_ports = 1;
  set_endpoints<version>(draft, datagram.source, datagram.destination, be16(message), be16(message + 2));
  return Outcome::packet;
}

/// `later`: the datagram is a later fragment, all of it data.
template <std::uint8_t version>
Outcome transport(const Datagram& datagram, bool later, std::uint32_t wanted, PacketDraft& draft) noexcept {
  draft.record.ip_length = datagram.length;
  draft.transport = {datagram.transport(), datagram.transport_available(), datagram.transport_length()};
  if (later) [[unlikely]] {
    draft.is_later_fragment = true;
    draft.record.payload_length = datagram.transport_length();
    set_endpoints<version>(draft, datagram.source, datagram.destination, 0, 0);
    return Outcome::packet;
  }
  if (draft.record.key.protocol == 6) [[likely]]
    return tcp<version>(datagram, wanted, draft);
  if (draft.record.key.protocol == 17) [[likely]]
    return udp<version>(datagram, wanted, draft);
  return other_transport<version>(datagram, wanted, draft);
}

/// `captured` and `wire`: octets from `ip` on that were captured, and that the frame had; the latter is the length of a
/// datagram that does not tell its own, as segmentation offload leaves it.
inline Outcome ipv4(const std::uint8_t* ip, std::uint32_t captured, std::uint32_t wire, std::uint32_t wanted,
                    PacketDraft& draft) noexcept {
  constexpr std::uint32_t fixed_octets = 20;
  constexpr std::uint8_t authentication = 51;
  if (captured < fixed_octets) [[unlikely]]
    return Outcome::short_ip;
  Datagram datagram{ip, ip + 12, ip + 16, captured, be16(ip + 2), (ip[0] & 0x0fu) * 4};
  if (ip[0] >> 4 != 4 || datagram.headers < fixed_octets) [[unlikely]]
    return Outcome::bad_ip_header;
  if (const Outcome outcome = bound(datagram, wire, draft); outcome != Outcome::packet) [[unlikely]]
    return outcome;
  draft.record.traffic_class = ip[1];
  draft.record.ttl = ip[8];
  draft.record.key.protocol = ip[9];
  draft.record.ip_id = be16(ip + 4);
  draft.record.bits = ipv4_flag_bits(ip[6]);
  const bool fragment = be16(ip + 6) & 0x3fff;
  const bool later = fragment && note_ipv4_fragment(ip, wanted, draft);
  if (ip[9] == authentication && !later) [[unlikely]] {
    const ExtensionWalk walk = walk_authentication_headers(ip, datagram.headers, datagram.available);
    if (const Outcome outcome = take_headers(datagram, walk, draft); outcome != Outcome::packet)
      return outcome;
  }
  return transport<4>(datagram, later, wanted, draft);
}

inline Outcome ipv6(const std::uint8_t* ip, std::uint32_t captured, std::uint32_t wire, std::uint32_t wanted,
                    PacketDraft& draft) noexcept {
  constexpr std::uint32_t fixed_octets = 40;
  constexpr std::uint8_t no_next_header = 59;
  if (captured < fixed_octets) [[unlikely]]
    return Outcome::short_ip;
  if (ip[0] >> 4 != 6) [[unlikely]]
    return Outcome::bad_ip_header;
  const std::uint32_t payload_length = be16(ip + 4);
  draft.record.traffic_class = static_cast<std::uint8_t>(be16(ip) >> 4);
  draft.record.ttl = ip[7];
  draft.record.key.protocol = ip[6];
  if (wanted & Need::flow_label) {
    const std::uint32_t label = be32(ip) & 0xf'ffff;
    draft.add_block(PacketBlock::flow_label, &label, sizeof label);
  }
  // No payload, or a length that stands elsewhere.
  const std::uint32_t length = payload_length == 0 && ip[6] != no_next_header ? 0 : fixed_octets + payload_length;
  Datagram datagram{ip, ip + 8, ip + 24, captured, length, fixed_octets};
  if (length == 0 && ip[6] == 0) [[unlikely]]
    datagram.length = jumbogram_length(ip, captured);
  if (const Outcome outcome = bound(datagram, wire, draft); outcome != Outcome::packet) [[unlikely]]
    return outcome;
  bool later = false;
  if (is_extension_header(ip[6])) [[unlikely]] {
    const ExtensionWalk walk = walk_extension_headers(ip, datagram.available);
    if (const Outcome outcome = take_headers(datagram, walk, draft); outcome != Outcome::packet)
      return outcome;
    later = walk.has_fragment_header && note_ipv6_fragment(walk, wanted, draft);
  }
  return transport<6>(datagram, later, wanted, draft);
}

/// The packet that link headers led to, in those octets.
inline Outcome packet_in(const NetworkLayer& network, const std::uint8_t* octets, std::uint32_t wanted,
                         PacketDraft& draft) noexcept {
  Outcome outcome;
  if (network.kind == Network::ipv4) [[likely]]
    outcome = ipv4(octets + network.offset, network.captured_end - network.offset,
                   left_after(network.wire_end, network.offset), wanted, draft);
  else if (network.kind == Network::ipv6)
    outcome = ipv6(octets + network.offset, network.captured_end - network.offset,
                   left_after(network.wire_end, network.offset), wanted, draft);
  else
    return without_ip(network.kind);
  draft.record.header.length = draft.length();
  return outcome;
}

} // namespace dissection

/// Dissects one frame into `draft`, with the blocks that `wanted` (Need) asks for. Unless the outcome is
/// `packet`, the draft says nothing. The flow hash is left 0: it waits for the ports of a fragment.
[[nodiscard]] inline Outcome dissect(const Frame& frame, std::uint32_t wanted, PacketDraft& draft) noexcept {
  draft.begin(frame.time_ns);
  const bool wants_headers = wanted & (Need::ethernet | Need::vlan_tags | Need::tunnels | Need::key_extension);
  if (!wants_headers) [[likely]]
    return dissection::packet_in(find_network(frame, nullptr), frame.data, wanted, draft);
  LinkHeaders headers;
  const NetworkLayer network = find_network(frame, &headers);
  add_key_extension(headers, wanted, TunnelSet{}, draft);
  dissection::add_link_blocks(headers, wanted, draft);
  return dissection::packet_in(network, frame.data, wanted, draft);
}

} // namespace orbweaver
