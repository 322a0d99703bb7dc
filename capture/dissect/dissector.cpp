// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/dissector.hpp"

namespace orbweaver::dissection {
namespace {

constexpr std::uint8_t icmpv4 = 1, authentication = 51, icmpv6 = 58, sctp = 132, udp_lite = 136;

/// Whether a fragment of that protocol needs its datagram's first fragment: for the ports, or for the protocol itself
/// where more headers follow in the first one only.
constexpr bool needs_first_fragment(std::uint8_t protocol, std::uint8_t version) noexcept {
  return protocol_has_ports(protocol) || protocol == authentication || (version == 6 && is_extension_header(protocol));
}

void note_fragment(PacketDraft& draft, FragmentPart part, std::uint32_t id, std::uint8_t protocol) noexcept {
  draft.fragment_part = part;
  draft.fragment_id = id;
  draft.fragment_protocol = protocol;
}

/// What an ICMP error quotes, as far as the quotation and the quoted datagram go.
struct Quoted {
  const std::uint8_t* source;
  const std::uint8_t* destination;
  std::uint32_t length;  ///< octets of the quoted datagram that are there
  std::uint32_t headers; ///< octets of IP headers
  std::uint8_t protocol;
  bool later_fragment;
  bool cut; ///< it ends within the IP headers
};

/// Whether an ICMP error of that type may say how long its quotation is, since extensions follow it (RFC 4884,
/// section 4); octet 5 says it in units of 4 octets, in ICMPv6 octet 4 in units of 8.
template <std::uint8_t version>
constexpr bool may_have_extensions(std::uint8_t type) noexcept {
  if constexpr (version == 4)
    return type == 3 || type == 11 || type == 12;
  else
    return type == 1 || type == 3;
}

/// Octets of the quotation in an ICMP error with `available` octets, at least its header.
template <std::uint8_t version>
std::uint32_t quotation_length(const std::uint8_t* message, std::uint32_t available) noexcept {
  constexpr std::uint32_t header = 8;
  const std::uint32_t said = version == 4 ? message[5] * 4u : message[4] * 8u;
  const std::uint32_t length = available - header;
  return said != 0 && may_have_extensions<version>(message[0]) ? std::min(said, length) : length;
}

/// Whether an ICMP message of that type quotes the packet it is about (RFC 792; RFC 4443, section 3).
template <std::uint8_t version>
constexpr bool is_icmp_error(std::uint8_t type) noexcept {
  if constexpr (version == 4)
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
  else
    return type >= 1 && type <= 4;
}

/// Reads the quoted IP header and notes a quoted later fragment in the draft. Returns whether there is an IP header of
/// the right version.
template <std::uint8_t version>
bool read_quotation(const std::uint8_t* ip, std::uint32_t length, Quoted& quoted, PacketDraft& draft) noexcept {
  constexpr std::uint32_t fixed_octets = version == 4 ? 20 : 40;
  if (length < fixed_octets || ip[0] >> 4 != version)
    return false;
  if constexpr (version == 4) {
    const std::uint32_t header = (ip[0] & 0x0fu) * 4;
    if (header < fixed_octets)
      return false;
    if (const std::uint32_t total_length = be16(ip + 2); total_length != 0)
      length = std::min(length, total_length);
    quoted = {ip + 12, ip + 16, length, header, ip[9], (be16(ip + 6) & 0x1fff) != 0, length < header};
    if (quoted.later_fragment && needs_first_fragment(quoted.protocol, version))
      note_fragment(draft, FragmentPart::quoted, be16(ip + 4), quoted.protocol);
    if (quoted.protocol != authentication || quoted.later_fragment || quoted.cut)
      return true;
    const ExtensionWalk walk = walk_authentication_headers(ip, header, length);
    quoted.headers = walk.headers;
    quoted.protocol = walk.protocol;
    quoted.cut = walk.end != ExtensionWalk::End::transport;
  } else {
    if (const std::uint32_t payload_length = be16(ip + 4); payload_length != 0)
      length = std::min(length, fixed_octets + payload_length);
    const ExtensionWalk walk = walk_extension_headers(ip, length);
    quoted = {ip + 8,
              ip + 24,
              length,
              walk.headers,
              walk.protocol,
              walk.is_later_fragment(),
              walk.end != ExtensionWalk::End::transport};
    if (quoted.later_fragment && needs_first_fragment(quoted.protocol, version))
      note_fragment(draft, FragmentPart::quoted, walk.fragment_id, 0);
  }
  return true;
}

/// Gives the packet the quoted packet's key, as if sent by the quoted packet's receiver. Returns how many octets of the
/// quoted packet are there; 0, leaving the key alone, where the quotation does not hold an IP header.
template <std::uint8_t version>
std::uint32_t follow_quotation(const std::uint8_t* quotation, std::uint32_t length, PacketDraft& draft) noexcept {
  Quoted quoted;
  if (!read_quotation<version>(quotation, length, quoted, draft))
    return 0;
  PacketRecord& record = draft.record;
  record.key.protocol = quoted.protocol;
  record.bits |= PacketBits::icmp_error;
  const bool ports = protocol_has_ports(quoted.protocol) && !quoted.later_fragment && !quoted.cut &&
                     left_after(quoted.length, quoted.headers) >= 4;
  record.key.has_ports = ports;
  const std::uint8_t* at = quotation + (ports ? quoted.headers : 0);
  set_endpoints<version>(draft, quoted.destination, quoted.source, ports ? be16(at + 2) : 0, ports ? be16(at) : 0,
                         true);
  return quoted.length;
}

template <std::uint8_t version>
void icmp(const Datagram& datagram, std::uint32_t wanted, PacketDraft& draft) noexcept {
  constexpr std::uint32_t type_and_code = 2, header = 8;
  PacketRecord& record = draft.record;
  record.payload_length = left_after(datagram.transport_length(), header);
  const std::uint8_t* message = datagram.transport();
  const std::uint32_t available = datagram.transport_available();
  if (available >= type_and_code) {
    record.icmp_type = message[0];
    record.icmp_code = message[1];
    record.bits |= PacketBits::transport;
  }
  if (available >= header) {
    record.icmp_rest = be32(message + 4);
    record.bits |= PacketBits::icmp_rest;
    const std::uint8_t* quotation = message + header;
    const std::uint32_t length = quotation_length<version>(message, available);
    if (const std::uint32_t quoted =
            is_icmp_error<version>(message[0]) ? follow_quotation<version>(quotation, length, draft) : 0;
        quoted != 0) {
      if (wanted & Need::icmp_sender)
        draft.add_block(PacketBlock::icmp_sender, datagram.source, addresses_length(version) / 2);
      if (wanted & Need::icmp_quotation)
        draft.carry_quotation(quotation, quoted);
      return;
    }
  }
  set_endpoints<version>(draft, datagram.source, datagram.destination, 0, 0);
}

} // namespace

void add_link_blocks(const LinkHeaders& headers, const std::uint8_t* frame, std::uint32_t wanted,
                     PacketDraft& draft) noexcept {
  if ((wanted & Need::ethernet) && headers.ethernet_at != LinkHeaders::no_ethernet) {
    EthernetHeader ethernet;
    const std::uint8_t* const at = frame + headers.ethernet_at;
    std::memcpy(ethernet.destination, at, sizeof ethernet.destination);
    std::memcpy(ethernet.source, at + sizeof ethernet.destination, sizeof ethernet.source);
    ethernet.type = headers.ether_type;
    draft.add_block(PacketBlock::ethernet, &ethernet, sizeof ethernet);
  }
  if (wanted & Need::vlan_tags)
    draft.add_octets(PacketBlock::vlan_tags, headers.tags.data(), headers.tag_count * sizeof(VlanTag));
  if (wanted & Need::tunnels)
    draft.add_octets(PacketBlock::tunnels, headers.layers.data(), headers.layer_count * sizeof(TunnelHead));
}

bool note_ipv4_fragment(const std::uint8_t* ip, PacketDraft& draft) noexcept {
  const bool later = be16(ip + 6) & 0x1fff;
  draft.record.bits |= PacketBits::fragment;
  if (needs_first_fragment(ip[9], 4))
    note_fragment(draft, later ? FragmentPart::later : FragmentPart::first, be16(ip + 4), ip[9]);
  return later;
}

bool note_ipv6_fragment(const ExtensionWalk& walk, PacketDraft& draft) noexcept {
  draft.record.bits |= PacketBits::fragment;
  const bool atomic = !walk.is_later_fragment() && !walk.is_first_fragment(); // RFC 6946
  if (!atomic && needs_first_fragment(walk.fragment_protocol, 6))
    note_fragment(draft, walk.is_later_fragment() ? FragmentPart::later : FragmentPart::first, walk.fragment_id, 0);
  return walk.is_later_fragment();
}

Outcome take_headers(Datagram& datagram, const ExtensionWalk& walk, PacketDraft& draft) noexcept {
  if (walk.end == ExtensionWalk::End::bad)
    return Outcome::bad_ip_header;
  // Where all of the datagram is there, it is the datagram that ends too early.
  const bool whole = datagram.available == datagram.length;
  if (walk.end == ExtensionWalk::End::cut)
    return whole ? Outcome::bad_ip_length : Outcome::short_ip;
  if (walk.headers > datagram.length)
    return Outcome::bad_ip_length;
  datagram.headers = walk.headers;
  draft.record.key.protocol = walk.protocol;
  return Outcome::packet;
}

std::uint32_t cut_tcp_header(const std::uint8_t* segment, std::uint32_t available, PacketRecord& record) noexcept {
  const auto there = [&](std::uint32_t octets, std::uint16_t bit) {
    if (available < octets)
      return false;
    record.bits |= bit;
    return true;
  };
  if (there(8, PacketBits::sequence))
    record.sequence = be32(segment + 4);
  if (there(12, PacketBits::acknowledgement))
    record.acknowledgement = be32(segment + 8);
  if (there(14, PacketBits::transport))
    record.tcp_flags = tcp_flags_of(be16(segment + 12));
  if (there(16, PacketBits::window))
    record.tcp_window = be16(segment + 14);
  return available > 12 ? (segment[12] >> 4) * 4u : 0;
}

void note_tcp_fault(std::uint32_t header, PacketDraft& draft) noexcept {
  constexpr std::uint32_t fixed_octets = 20;
  if (header < fixed_octets || !(draft.record.bits & PacketBits::fragment))
    draft.faults |= Fault::tcp_header;
}

void note_udp_fault(std::uint32_t length, PacketDraft& draft) noexcept {
  constexpr std::uint32_t header = 8;
  const bool says_none = length == 0, is_whole = !(draft.record.bits & PacketBits::fragment);
  if (length < header ? !says_none : is_whole)
    draft.faults |= Fault::udp_length;
}

template <std::uint8_t version>
Outcome other_transport(const Datagram& datagram, std::uint32_t wanted, PacketDraft& draft) noexcept {
  PacketRecord& record = draft.record;
  const std::uint8_t protocol = record.key.protocol;
  if (protocol == (version == 4 ? icmpv4 : icmpv6)) {
    icmp<version>(datagram, wanted, draft);
    return Outcome::packet;
  }
  if (!protocol_has_ports(protocol)) {
    record.payload_length = datagram.transport_length();
    set_endpoints<version>(draft, datagram.source, datagram.destination, 0, 0);
    return Outcome::packet;
  }
  static_assert(protocol_has_ports(sctp) && protocol_has_ports(udp_lite));
  if (datagram.transport_available() < 4)
    return datagram.without_ports();
  const std::uint32_t header = protocol == sctp ? 12 : 8; // RFC 9260, 3.1; RFC 3828, 3.1
  const std::uint8_t* at = datagram.transport();
  record.payload_length = left_after(datagram.transport_length(), header);
  record.key.has_ports = 1;
  set_endpoints<version>(draft, datagram.source, datagram.destination, be16(at), be16(at + 2));
  return Outcome::packet;
}

template Outcome other_transport<4>(const Datagram&, std::uint32_t, PacketDraft&) noexcept;
template Outcome other_transport<6>(const Datagram&, std::uint32_t, PacketDraft&) noexcept;

} // namespace orbweaver::dissection
