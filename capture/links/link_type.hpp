// SPDX-License-Identifier: GPL-3.0-or-later
// The kinds of frame that are understood, and the numbers that captures and libpcap give them
// (https://www.tcpdump.org/linktypes.html). Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace orbweaver {

/// How a frame begins.
enum class LinkType : std::uint8_t {
  ethernet,           ///< addresses and an EtherType
  raw_ip,             ///< at once with an IPv4 or IPv6 header
  linux_sll,          ///< Linux cooked capture, first version: 16 octets
  linux_sll2,         ///< Linux cooked capture, second version: 20 octets
  null,               ///< an address family of four octets, in the byte order of the machine that captured
  loop,               ///< an address family of four octets, in network order
  ppp,                ///< PPP, with or without HDLC's ff 03 in front
  ppp_serial,         ///< PPP in HDLC-like framing (RFC 1662), or Cisco's HDLC where the first octet says so
  ppp_ether,          ///< a PPPoE header (RFC 2516)
  ppp_with_direction, ///< an octet that says which way it went, in front of PPP or in place of its first octet
  cisco_hdlc,         ///< Cisco's HDLC: address, zero, EtherType; or PPP where it begins so
  hdlc_direction,     ///< the same after an octet that says which way it went
  frame_relay,        ///< a Q.922 address, and RFC 2427's or Cisco's encapsulation
  relay_direction,    ///< the same after an octet that says which way it went
  mpls,               ///< a label stack
  llc,                ///< LLC, as ATM has it (RFC 2684), or IP at once
  slip,               ///< 16 octets of what BPF says of a SLIP line, then IP
  enc,                ///< OpenBSD's IPsec interface: an address family, 8 octets more, then IP
  net_analyzer,       ///< 4 octets of a netANALYZER, then Ethernet
  ieee802_11,         ///< IEEE 802.11
  radiotap,           ///< a radiotap header in front of it
  prism,              ///< a Prism header in front of it, or an AVS header
  avs,                ///< an AVS header in front of it
  ppi,                ///< Per-Packet Information, then a frame of the link type that it says
  nflog,              ///< Linux' netfilter log: attributes, IP is one
  pflog,              ///< the BSDs' pf log
  old_pflog,          ///< the same before OpenBSD 3.4
  pktap,              ///< macOS' pktap, then a frame of the link type that it says
  juniper_ether,      ///< Juniper's header in front of Ethernet
  juniper_ppp,        ///< of PPP
  juniper_relay,      ///< of frame relay
  juniper_hdlc,       ///< of Cisco's HDLC
  juniper_atm1,       ///< of LLC behind a cookie of 4 octets
  juniper_atm2,       ///< of LLC, PPP or Ethernet behind a cookie of 8 octets
  juniper_service,    ///< of IP behind a cookie of 8 octets
};
inline constexpr unsigned link_types = static_cast<unsigned>(LinkType::juniper_service) + 1;

/// The kind that a capture's link type number means; nothing where it is none of them. Takes LINKTYPE_ values (in
/// files) as well as DLT_ values (from libpcap), which differ for few.
[[nodiscard]] std::optional<LinkType> link_type_of(std::uint32_t number) noexcept;

/// libpcap's DLT_ value, for which a filter is compiled. Raw IP is DLT_RAW, whatever its version was numbered as.
[[nodiscard]] int dlt_of(LinkType link) noexcept;

/// "147 (USER0)"; the number alone where libpcap knows no name.
[[nodiscard]] std::string describe_link_type(std::uint32_t number);

} // namespace orbweaver
