// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/dissector.hpp"

namespace orbweaver::dissection {
namespace {

constexpr std::uint8_t icmpv4 = 1, authentication = 51, icmpv6 = 58, sctp = 132, udp_lite = 136;

/// Whether a fragment of that protocol needs its datagram's first fragment: for the ports, or for the protocol itself
/// where more headers follow in the first one only.
constexpr bool needs_first_fragment(std::uint8_t protocol, std::uint8_t version, std::uint32_t wanted) noexcept {
  const bool has_id = (wanted & Need::key_icmp_id) && protocol == (version == 4 ? icmpv4 : icmpv6);
  return protocol_has_ports(protocol) || protocol == authentication || has_id ||
         (version == 6 && is_extension_header(protocol));
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

/// Whether an ICMP message of that type has an identifier that its answer has too (RFC 792, RFC 950, RFC 4443, RFC
/// 8335).
template <std::uint8_t version>
constexpr bool has_identifier(std::uint8_t type) noexcept {
  if constexpr (version == 4)
    return type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 42 || type == 43;
  else
    return type == 128 || type == 129 || type == 160 || type == 161;
}

/// What stands in the place of both ports of an ICMP message with so many octets, where identifiers are of the key.
template <std::uint8_t version>
std::uint16_t identifier_of(const std::uint8_t* message, std::uint32_t available, std::uint32_t wanted) noexcept {
  constexpr std::uint32_t identifier_end = 6;
  return (wanted & Need::key_icmp_id) && available >= identifier_end && has_identifier<version>(message[0])
             ? be16(message + 4)
             : std::uint16_t{0};
}

/// Reads the quoted IP header and notes a quoted later fragment in the draft. Returns whether there is an IP header of
/// the right version.
template <std::uint8_t version>
bool read_quotation(const std::uint8_t* ip, std::uint32_t length, std::uint32_t wanted, Quoted& quoted,
                    PacketDraft& draft) noexcept {
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
    if (quoted.later_fragment && needs_first_fragment(quoted.protocol, version, wanted))
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
    if (quoted.later_fragment && needs_first_fragment(quoted.protocol, version, wanted))
      note_fragment(draft, FragmentPart::quoted, walk.fragment_id, 0);
  }
  return true;
}

/// Gives the packet the quoted packet's key, as if sent by the quoted packet's receiver. Returns how many octets of the
/// quoted packet are there; 0, leaving the key alone, where the quotation does not hold an IP header.
template <std::uint8_t version>
std::uint32_t follow_quotation(const std::uint8_t* quotation, std::uint32_t length, std::uint32_t wanted,
                               PacketDraft& draft) noexcept {
  Quoted quoted;
  if (draft.fragment_part == FragmentPart::first)
    draft.fragment_part = FragmentPart::none; // what it quotes is no key of the error's later fragments
  if (!read_quotation<version>(quotation, length, wanted, quoted, draft))
    return 0;
  PacketRecord& record = draft.record;
  record.key.protocol = quoted.protocol;
  record.bits |= PacketBits::icmp_error;
  const bool ports = protocol_has_ports(quoted.protocol) && !quoted.later_fragment && !quoted.cut &&
                     left_after(quoted.length, quoted.headers) >= 4;
  record.key.has_ports = ports;
  const std::uint8_t* at = quotation + (ports ? quoted.headers : 0);
  std::uint16_t from = ports ? be16(at + 2) : std::uint16_t{0}, to = ports ? be16(at) : std::uint16_t{0};
  if (quoted.protocol == (version == 4 ? icmpv4 : icmpv6) && !quoted.later_fragment && !quoted.cut)
    from = to = identifier_of<version>(quotation + quoted.headers, left_after(quoted.length, quoted.headers), wanted);
  set_endpoints<version>(draft, quoted.destination, quoted.source, from, to, true);
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
            is_icmp_error<version>(message[0]) ? follow_quotation<version>(quotation, length, wanted, draft) : 0;
        quoted != 0) {
      if (wanted & Need::icmp_sender)
        draft.add_block(PacketBlock::icmp_sender, datagram.source, addresses_length(version) / 2);
      if (wanted & Need::icmp_quotation)
        draft.carry_quotation(quotation, quoted);
      return;
    }
  }
  const std::uint16_t identifier = identifier_of<version>(message, available, wanted);
  set_endpoints<version>(draft, datagram.source, datagram.destination, identifier, identifier);
}

} // namespace

std::span<const std::uint8_t> quotation_of(const PacketDraft& draft) noexcept {
  constexpr std::uint32_t header = 8;
  const auto& [message, available, length] = draft.transport;
  if (!(draft.record.bits & PacketBits::icmp_error) || available < header)
    return {};
  return {message + header, draft.record.key.version == 4 ? quotation_length<4>(message, available)
                                                          : quotation_length<6>(message, available)};
}

bool quote(std::span<const std::uint8_t> quoted, std::uint32_t wanted, PacketDraft& draft) noexcept {
  const auto length = static_cast<std::uint32_t>(quoted.size());
  draft.fragment_part = FragmentPart::none;
  return draft.record.key.version == 4 ? follow_quotation<4>(quoted.data(), length, wanted, draft) != 0
                                       : follow_quotation<6>(quoted.data(), length, wanted, draft) != 0;
}

void add_link_blocks(const LinkHeaders& headers, std::uint32_t wanted, PacketDraft& draft) noexcept {
  if ((wanted & Need::ethernet) && headers.ethernet) {
    EthernetHeader ethernet;
    const std::uint8_t* const at = headers.ethernet;
    std::memcpy(ethernet.destination, at, sizeof ethernet.destination);
    std::memcpy(ethernet.source, at + sizeof ethernet.destination, sizeof ethernet.source);
    ethernet.type = headers.ether_type;
    draft.add_block(PacketBlock::ethernet, &ethernet, sizeof ethernet);
  }
  if (wanted & Need::vlan_tags)
    draft.add_octets(PacketBlock::vlan_tags, headers.tags.data(), headers.tag_count * sizeof(VlanTag));
  if (wanted & Need::tunnels) {
    std::uint8_t octets[max_tunnel_octets];
    draft.add_octets(PacketBlock::tunnels, octets, tunnel_octets(headers, octets));
  }
}

bool note_ipv4_fragment(const std::uint8_t* ip, std::uint32_t wanted, PacketDraft& draft) noexcept {
  const bool later = be16(ip + 6) & 0x1fff;
  draft.record.bits |= PacketBits::fragment;
  if (needs_first_fragment(ip[9], 4, wanted))
    note_fragment(draft, later ? FragmentPart::later : FragmentPart::first, be16(ip + 4), ip[9]);
  return later;
}

bool note_ipv6_fragment(const ExtensionWalk& walk, std::uint32_t wanted, PacketDraft& draft) noexcept {
  draft.record.bits |= PacketBits::fragment;
  const bool atomic = !walk.is_later_fragment() && !walk.is_first_fragment(); // RFC 6946
  if (!atomic && needs_first_fragment(walk.fragment_protocol, 6, wanted))
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
