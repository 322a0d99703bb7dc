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
  ethernet,   ///< addresses and an EtherType
  raw_ip,     ///< at once with an IPv4 or IPv6 header
  linux_sll,  ///< Linux cooked capture, first version: 16 octets
  linux_sll2, ///< Linux cooked capture, second version: 20 octets
  null,       ///< an address family of four octets, in the byte order of the machine that captured
  loop,       ///< an address family of four octets, in network order
  ppp,        ///< PPP, with or without HDLC's ff 03 in front
  ppp_serial, ///< PPP in HDLC-like framing (RFC 1662), or Cisco's HDLC where the first octet says so
  ppp_ether,  ///< a PPPoE header (RFC 2516)
};
inline constexpr unsigned link_types = 9;

/// The kind that a capture's link type number means; nothing where it is none of them. Takes LINKTYPE_ values (in
/// files) as well as DLT_ values (from libpcap), which differ for raw IP only.
[[nodiscard]] std::optional<LinkType> link_type_of(std::uint32_t number) noexcept;

/// libpcap's DLT_ value, for which a filter is compiled. Raw IP is DLT_RAW, whatever its version was numbered as.
[[nodiscard]] int dlt_of(LinkType link) noexcept;

/// "147 (USER0)"; the number alone where libpcap knows no name.
[[nodiscard]] std::string describe_link_type(std::uint32_t number);

} // namespace orbweaver
