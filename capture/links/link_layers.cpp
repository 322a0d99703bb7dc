// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/links/link_layers.hpp"

#include "capture/links/link_cursor.hpp"

#include <algorithm>
#include <optional>

namespace orbweaver {
namespace links {

namespace {

/// An ethertype up to this is no type but the length of a frame with LLC (IEEE 802.3, 3.2.6).
constexpr std::uint16_t longest_llc_frame = 1500;
constexpr std::uint8_t unnumbered = 3; // LLC's and frame relay's control octet

/// PPP from its protocol field on, one octet where it is compressed (RFC 1661, sections 2 and 6.5).
NetworkLayer ppp_protocol(Cursor cursor) noexcept {
  if (!cursor.has(1))
    return cut;
  std::uint16_t protocol = *cursor.at();
  if (!(protocol & 1)) {
    if (!cursor.has(2))
      return cut;
    protocol = be16(cursor.at());
    cursor.skip(1);
  }
  cursor.skip(1);
  switch (protocol) {
  case 0x0021:
    return cursor.found(Network::ipv4);
  case 0x0057:
    return cursor.found(Network::ipv6);
  case 0x0281: // MPLS unicast and multicast (RFC 3032, section 4.3)
  case 0x0283:
    return mpls(cursor);
  default:
    return other;
  }
}

/// PPP in HDLC-like framing, or Cisco's HDLC: address 0f (unicast) or 8f (broadcast).
NetworkLayer ppp_serial(Cursor cursor) noexcept {
  if (!cursor.has(1))
    return cut;
  return *cursor.at() == 0x0f || *cursor.at() == 0x8f ? cisco_hdlc(cursor) : ppp(cursor);
}

/// An octet that says which way a frame went: by itself, or in place of HDLC's address.
NetworkLayer ppp_with_direction(Cursor cursor) noexcept {
  constexpr std::uint8_t hdlc_control = 3;
  if (!cursor.has(2))
    return cut;
  cursor.skip(1);
  if (*cursor.at() == hdlc_control) {
    cursor.skip(1);
    return ppp_protocol(cursor);
  }
  return ppp(cursor);
}

/// A PPPoE session header (RFC 2516, section 4): version, code, session, length. Discovery carries no PPP.
NetworkLayer pppoe(Cursor cursor) noexcept {
  if (!cursor.has(6))
    return cut;
  const bool session = cursor.at()[1] == 0;
  const std::uint16_t length = be16(cursor.at(4));
  if (cursor.headers())
    cursor.headers()->add(TunnelKind::pppoe, be16(cursor.at(2)));
  cursor.skip(6);
  cursor.limit(length);
  return session ? ppp_protocol(cursor) : other;
}

/// SNAP behind its first octets: organisation and its own number (IEEE 802, 10.3). `padding`: before a bridged frame.
NetworkLayer snap(Cursor cursor, std::uint32_t padding) noexcept {
  if (!cursor.has(5))
    return cut;
  const std::uint32_t organisation = be32(cursor.at()) >> 8;
  const std::uint16_t type = be16(cursor.at(3));
  cursor.skip(5);
  switch (organisation) {
  case 0x000000:                                                       // an ethertype (RFC 1042)
  case 0x0000f8:                                                       // the same, by a bridge (IEEE 802.1H)
    return type > longest_llc_frame ? ethertype(cursor, type) : other; // so that frames cannot nest without end
  case 0x0080c2: // bridged, with and without frame check sequence (RFC 2684, 5.2; RFC 2427, 4.2)
    if (type != 1 && type != 7)
      return other;
    if (!cursor.has(padding))
      return cut;
    cursor.skip(padding);
    return ethernet(cursor);
  default:
    return other;
  }
}

} // namespace

/// In RFC 2427's encapsulation and in LLC's (RFC 2684, 5.1).
NetworkLayer nlpid(Cursor cursor) noexcept {
  if (cursor.has(1) && *cursor.at() == 0)
    cursor.skip(1); // padding
  if (!cursor.has(1))
    return cut;
  const std::uint8_t identifier = *cursor.at();
  cursor.skip(1);
  switch (identifier) {
  case 0xcc:
    return cursor.found(Network::ipv4);
  case 0x8e:
    return cursor.found(Network::ipv6);
  case 0x80:
    return snap(cursor, 0);
  default:
    return other;
  }
}

NetworkLayer by_version(const Cursor& cursor, NetworkLayer otherwise) noexcept {
  if (!cursor.has(1))
    return cut;
  switch (*cursor.at() >> 4) {
  case 4:
    return cursor.found(Network::ipv4);
  case 6:
    return cursor.found(Network::ipv6);
  default:
    return otherwise;
  }
}

NetworkLayer by_family(const Cursor& cursor, std::uint32_t family) noexcept {
  switch (family) {
  case 2:
    return cursor.found(Network::ipv4);
  case 10: // Linux
  case 24: // NetBSD and OpenBSD
  case 28: // FreeBSD
  case 30: // macOS
    return cursor.found(Network::ipv6);
  default:
    return other;
  }
}

/// Label stack entries up to the bottom of the stack (RFC 3032, 2.1).
NetworkLayer mpls(Cursor cursor) noexcept {
  for (bool bottom = false; !bottom; cursor.skip(4)) {
    if (!cursor.has(4))
      return cut;
    bottom = cursor.at()[2] & 1;
    if (cursor.headers())
      cursor.headers()->add(TunnelKind::mpls, be32(cursor.at()) >> 12);
  }
  return below_labels(cursor);
}

/// LLC (IEEE 802.2) with SNAP in front of an ethertype (RFC 1042), or IP by its own number (RFC 948), or ISO's.
NetworkLayer llc(Cursor cursor) noexcept {
  if (!cursor.has(3))
    return cut;
  const std::uint16_t points = be16(cursor.at());
  if (cursor.at()[2] != unnumbered)
    return other;
  cursor.skip(3);
  switch (points) {
  case 0xaaaa:
    return snap(cursor, 2);
  case 0x0606:
    return by_version(cursor, other);
  case 0xfefe:
    return nlpid(cursor);
  default:
    return other;
  }
}

/// PPP with address and control octets ff 03, or without them (RFC 1662, section 3.1; RFC 1661, section 6.6).
NetworkLayer ppp(Cursor cursor) noexcept {
  if (!cursor.has(2))
    return cut;
  if (be16(cursor.at()) == 0xff03)
    cursor.skip(2);
  return ppp_protocol(cursor);
}

/// Address, a zero, an ethertype; or PPP, which begins with ff 03.
NetworkLayer cisco_hdlc(Cursor cursor) noexcept {
  if (!cursor.has(4))
    return cut;
  if (be16(cursor.at()) == 0xff03)
    return ppp(cursor);
  const std::uint16_t type = be16(cursor.at(2));
  cursor.skip(4);
  return type > longest_llc_frame ? ethertype(cursor, type) : other;
}

/// A Q.922 address of two to four octets, of which the last one has its lowest bit set; then RFC 2427's control octet
/// and identifier, or Cisco's ethertype.
NetworkLayer frame_relay(Cursor cursor) noexcept {
  std::uint32_t address = 0;
  for (bool last = false; !last; ++address) {
    if (address == 4)
      return other;
    if (!cursor.has(address + 1))
      return cut;
    last = cursor.at()[address] & 1;
  }
  if (address < 2)
    return other;
  cursor.skip(address);
  if (!cursor.has(2))
    return cut;
  if (*cursor.at() == unnumbered) {
    cursor.skip(1);
    return nlpid(cursor);
  }
  const std::uint16_t type = be16(cursor.at());
  cursor.skip(2);
  return type > longest_llc_frame ? ethertype(cursor, type) : other;
}

namespace {

/// Octets from behind the ethertype of a tag to the next ethertype, of those that have one at a fixed place.
std::uint32_t tag_octets(std::uint16_t type) noexcept {
  switch (type) {
  case 0x892f: // high-availability seamless redundancy (IEC 62439-3)
  case 0xf1c1: // redundancy tag (IEEE 802.1CB, 7.8)
  case 0x8926: // VN-Tag (Cisco)
    return 4;
  case 0x893f: // E-Tag (IEEE 802.1BR, 11)
    return 6;
  default:
    return 0;
  }
}

/// Steps over a tag; the ethertype behind it. Cisco's metadata: version, length in units of four octets, its options
/// of that length; of which one is the group tag.
std::optional<std::uint16_t> behind_metadata(Cursor& cursor) noexcept {
  if (!cursor.has(2))
    return std::nullopt;
  const std::uint32_t octets = 2u + std::max<std::uint32_t>(cursor.at()[1], 1) * 4u;
  if (!cursor.has(octets + 2))
    return std::nullopt;
  const std::uint16_t type = be16(cursor.at(octets));
  cursor.skip(octets + 2);
  return type;
}

/// MACsec's security tag (IEEE 802.1AE, 9.3) of a frame whose data is neither encrypted nor changed.
NetworkLayer macsec(Cursor cursor) noexcept {
  constexpr std::uint8_t version = 0x80, has_channel = 0x20, encrypted = 0x08, changed = 0x04;
  if (!cursor.has(6))
    return cut;
  const std::uint8_t control = *cursor.at();
  const std::uint32_t short_length = cursor.at()[1] & 0x3f;
  if (control & (version | encrypted | changed))
    return other;
  const std::uint32_t octets = control & has_channel ? 14 : 6;
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  if (short_length != 0)
    cursor.limit(short_length);
  if (!cursor.has(2))
    return cut;
  const std::uint16_t type = be16(cursor.at());
  cursor.skip(2);
  return ethertype(cursor, type);
}

constexpr std::uint16_t service_type = 0x894f;
constexpr std::uint8_t service_protocol = 4;

/// A network service header (RFC 8300, section 2.2), and one in the other.
NetworkLayer service_header(Cursor cursor) noexcept {
  for (;;) {
    if (!cursor.has(8))
      return cut;
    const std::uint16_t word = be16(cursor.at());
    const std::uint32_t octets = (word & 0x3fu) * 4;
    const std::uint8_t protocol = cursor.at()[3];
    const bool known_version = word >> 14 == 0, management = word & 0x2000;
    if (!known_version || management || octets < 8)
      return other;
    if (!cursor.has(octets))
      return cut;
    cursor.skip(octets);
    if (protocol != service_protocol)
      return next_protocol(cursor, protocol);
  }
}

/// A frame in the frame, so many octets on.
NetworkLayer frame_behind(Cursor cursor, std::uint32_t octets) noexcept {
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return ethernet(cursor);
}

/// TRILL's header with its options (RFC 6325, 3.1), then the frame.
NetworkLayer trill(const Cursor& cursor) noexcept {
  if (!cursor.has(6))
    return cut;
  return frame_behind(cursor, 6 + ((be16(cursor.at()) >> 6) & 0x1fu) * 4);
}

} // namespace

NetworkLayer ethertype(Cursor cursor, std::uint16_t type) noexcept {
  for (;;) {
    if (cursor.headers())
      cursor.headers()->ether_type = type;
    switch (type) {
    case 0x0800:
      return cursor.found(Network::ipv4);
    case 0x86dd:
      return cursor.found(Network::ipv6);
    case 0x8100: // VLAN (IEEE 802.1Q), provider tag (802.1ad), and the QinQ that was before it
    case 0x88a8:
    case 0x9100:
    case 0x9200:
    case 0x9300:
      if (!cursor.has(4))
        return cut;
      if (cursor.headers())
        cursor.headers()->add(VlanTag{type, be16(cursor.at())});
      type = be16(cursor.at(2));
      cursor.skip(4);
      break;
    case 0x892f:
    case 0xf1c1:
    case 0x8926:
    case 0x893f: {
      const std::uint32_t octets = tag_octets(type);
      if (!cursor.has(octets + 2))
        return cut;
      type = be16(cursor.at(octets));
      cursor.skip(octets + 2);
      break;
    }
    case 0x8909: // Cisco's metadata, TrustSec
      if (const auto next = behind_metadata(cursor))
        type = *next;
      else
        return cut;
      break;
    case 0x88e7: // a backbone's service tag (IEEE 802.1ah), then the customer's frame
      return frame_behind(cursor, 4);
    case 0x8903: // FabricPath: tree and hops, then the frame
      return frame_behind(cursor, 2);
    case 0x6558: // transparent Ethernet bridging (RFC 1701)
      return ethernet(cursor);
    case 0x22f3:
      return trill(cursor);
    case 0x88e5:
      return macsec(cursor);
    case service_type:
      return service_header(cursor);
    case 0x8847:
    case 0x8848:
      return mpls(cursor);
    case 0x8864:
      return pppoe(cursor);
    case 0x8870: // LLC in a frame that is longer than its length field could say
      return llc(cursor);
    default:
      if (type < 3 || type > longest_llc_frame)
        return other;
      cursor.limit(type);
      return llc(cursor);
    }
  }
}

NetworkLayer next_protocol(Cursor cursor, std::uint8_t protocol) noexcept {
  switch (protocol) {
  case 1:
    return cursor.found(Network::ipv4);
  case 2:
    return cursor.found(Network::ipv6);
  case 3:
    return ethernet(cursor);
  case service_protocol:
    return ethertype(cursor, service_type);
  case 5:
    return mpls(cursor);
  default:
    return other;
  }
}

NetworkLayer ethernet(Cursor cursor) noexcept {
  if (!cursor.nest())
    return other;
  if (!cursor.has(14))
    return cut;
  const std::uint16_t type = be16(cursor.at(12));
  if (LinkHeaders* const headers = cursor.headers(); headers && !headers->ethernet)
    headers->ethernet = cursor.at();
  cursor.skip(14);
  return ethertype(cursor, type);
}

namespace {

/// A Linux cooked header of `octets`, whose protocol field is at `protocol_at`. It is an ethertype, or below 1536 one
/// of Linux's own numbers, of which 4 is LLC.
NetworkLayer linux_cooked(Cursor cursor, std::uint32_t octets, std::uint32_t protocol_at) noexcept {
  constexpr std::uint16_t first_ethertype = 0x0600, linux_llc = 4;
  if (!cursor.has(octets))
    return cut;
  const std::uint16_t protocol = be16(cursor.at(protocol_at));
  cursor.skip(octets);
  if (protocol == linux_llc)
    return llc(cursor);
  return protocol >= first_ethertype ? ethertype(cursor, protocol) : other;
}

/// An address family in either byte order: the value is small, so the order shows. Then so many octets more.
NetworkLayer address_family(Cursor cursor, std::uint32_t more) noexcept {
  if (!cursor.has(4 + more))
    return cut;
  std::uint32_t family = be32(cursor.at());
  if (family > 0xffff)
    family = __builtin_bswap32(family);
  cursor.skip(4 + more);
  return by_family(cursor, family);
}

/// What follows so many octets that say nothing of it.
NetworkLayer behind(Cursor cursor, std::uint32_t octets, LinkType link) noexcept {
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return frame_of(cursor, link);
}

/// LLC, or IP alone on its circuit: no service access point has these numbers with IP's header lengths.
NetworkLayer llc_or_ip(const Cursor& cursor) noexcept {
  if (!cursor.has(1))
    return cut;
  const std::uint8_t first = *cursor.at();
  return (first >= 0x45 && first <= 0x4f) || first >> 4 == 6 ? by_version(cursor, other) : llc(cursor);
}

} // namespace

NetworkLayer frame_of(Cursor cursor, LinkType link) noexcept {
  switch (link) {
  case LinkType::ethernet:
    return ethernet(cursor);
  case LinkType::raw_ip:
    return by_version(cursor, bad_version);
  case LinkType::linux_sll:
    return linux_cooked(cursor, 16, 14);
  case LinkType::linux_sll2:
    return linux_cooked(cursor, 20, 0);
  case LinkType::null:
  case LinkType::loop:
    return address_family(cursor, 0);
  case LinkType::enc:
    return address_family(cursor, 8);
  case LinkType::ppp:
    return ppp(cursor);
  case LinkType::ppp_serial:
    return ppp_serial(cursor);
  case LinkType::ppp_ether:
    return pppoe(cursor);
  case LinkType::ppp_with_direction:
    return ppp_with_direction(cursor);
  case LinkType::cisco_hdlc:
    return cisco_hdlc(cursor);
  case LinkType::hdlc_direction:
    return behind(cursor, 1, LinkType::cisco_hdlc);
  case LinkType::frame_relay:
    return frame_relay(cursor);
  case LinkType::relay_direction:
    return behind(cursor, 1, LinkType::frame_relay);
  case LinkType::mpls:
    return mpls(cursor);
  case LinkType::llc:
    return llc_or_ip(cursor);
  case LinkType::slip:
    return behind(cursor, 16, LinkType::raw_ip);
  case LinkType::net_analyzer:
    return behind(cursor, 4, LinkType::ethernet);
  case LinkType::ieee802_11:
    return ieee802_11(cursor);
  case LinkType::radiotap:
    return radiotap(cursor);
  case LinkType::prism:
    return prism(cursor);
  case LinkType::avs:
    return avs(cursor);
  case LinkType::ppi:
    return ppi(cursor);
  case LinkType::nflog:
    return nflog(cursor);
  case LinkType::pflog:
    return pflog(cursor);
  case LinkType::old_pflog:
    return old_pflog(cursor);
  case LinkType::pktap:
    return pktap(cursor);
  case LinkType::juniper_ether:
  case LinkType::juniper_ppp:
  case LinkType::juniper_relay:
  case LinkType::juniper_hdlc:
  case LinkType::juniper_atm1:
  case LinkType::juniper_atm2:
  case LinkType::juniper_service:
    return juniper(cursor, link);
  }
  return other;
}

} // namespace links

NetworkLayer walk_link_layers(const Frame& frame, LinkHeaders* headers) noexcept {
  return links::frame_of({frame.data, frame.captured_length, frame.wire_length, headers}, frame.link);
}

} // namespace orbweaver
