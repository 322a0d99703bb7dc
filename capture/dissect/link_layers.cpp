// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/link_layers.hpp"

namespace orbweaver {
namespace {

/// A place in a frame; every step on checks that the octets are there. Notes what lies on the way, where that is
/// wanted.
class Cursor {
public:
  Cursor(const std::uint8_t* frame, std::uint32_t captured, LinkHeaders* headers) noexcept
      : frame_(frame), captured_(captured), headers_(headers) {}

  [[nodiscard]] bool has(std::uint32_t octets) const noexcept { return captured_ - offset_ >= octets; }
  [[nodiscard]] const std::uint8_t* at(std::uint32_t octets = 0) const noexcept { return frame_ + offset_ + octets; }
  [[nodiscard]] std::uint32_t offset() const noexcept { return offset_; }
  void skip(std::uint32_t octets) noexcept { offset_ += octets; } ///< only what has() said is there
  [[nodiscard]] LinkHeaders* headers() const noexcept { return headers_; }

private:
  const std::uint8_t* frame_;
  std::uint32_t captured_;
  std::uint32_t offset_ = 0;
  LinkHeaders* headers_;
};

constexpr NetworkLayer cut{Network::cut, 0};
constexpr NetworkLayer other{Network::other, 0};

/// An ethertype up to this is no type but the length of a frame with LLC (IEEE 802.3, 3.2.6).
constexpr std::uint16_t longest_llc_frame = 1500;

NetworkLayer ethertype(Cursor cursor, std::uint16_t type) noexcept;

/// IP whose version only its first four bits tell; `otherwise` where they tell none.
NetworkLayer by_version(const Cursor& cursor, NetworkLayer otherwise) noexcept {
  if (!cursor.has(1))
    return cut;
  switch (*cursor.at() >> 4) {
  case 4:
    return {Network::ipv4, cursor.offset()};
  case 6:
    return {Network::ipv6, cursor.offset()};
  default:
    return otherwise;
  }
}

/// Label stack entries up to the bottom of the stack (RFC 3032, 2.1). What follows says itself whether it is IP: a
/// pseudo-wire's control word begins with 0 or 1 to tell it apart (RFC 4385, section 3).
NetworkLayer mpls(Cursor cursor) noexcept {
  for (bool bottom = false; !bottom; cursor.skip(4)) {
    if (!cursor.has(4))
      return cut;
    bottom = cursor.at()[2] & 1;
    if (cursor.headers())
      cursor.headers()->add(TunnelKind::mpls, be32(cursor.at()) >> 12);
  }
  return by_version(cursor, other);
}

/// LLC (IEEE 802.2) with SNAP in front of an ethertype (RFC 1042); without SNAP it carries no IP.
NetworkLayer llc(Cursor cursor) noexcept {
  constexpr std::uint8_t unnumbered = 3;
  if (!cursor.has(3))
    return cut;
  if (be16(cursor.at()) != 0xaaaa || cursor.at()[2] != unnumbered)
    return other;
  if (!cursor.has(8))
    return cut;
  if (cursor.at()[3] != 0 || be16(cursor.at(4)) != 0)
    return other; // an organisation's own numbers
  const std::uint16_t type = be16(cursor.at(6));
  cursor.skip(8);
  return type > longest_llc_frame ? ethertype(cursor, type) : other; // so that frames cannot nest without end
}

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
    return {Network::ipv4, cursor.offset()};
  case 0x0057:
    return {Network::ipv6, cursor.offset()};
  case 0x0281: // MPLS unicast and multicast (RFC 3032, section 4.3)
  case 0x0283:
    return mpls(cursor);
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

/// PPP in HDLC-like framing, or Cisco's HDLC: address 0f (unicast) or 8f (broadcast), a zero, an ethertype.
NetworkLayer ppp_serial(Cursor cursor) noexcept {
  if (!cursor.has(1))
    return cut;
  if (*cursor.at() != 0x0f && *cursor.at() != 0x8f)
    return ppp(cursor);
  if (!cursor.has(4))
    return cut;
  const std::uint16_t type = be16(cursor.at(2));
  cursor.skip(4);
  return ethertype(cursor, type);
}

/// A PPPoE session header (RFC 2516, section 4): version, code, session, length. Discovery carries no PPP.
NetworkLayer pppoe(Cursor cursor) noexcept {
  if (!cursor.has(6))
    return cut;
  const bool session = cursor.at()[1] == 0;
  if (cursor.headers())
    cursor.headers()->add(TunnelKind::pppoe, be16(cursor.at(2)));
  cursor.skip(6);
  return session ? ppp_protocol(cursor) : other;
}

NetworkLayer ethertype(Cursor cursor, std::uint16_t type) noexcept {
  for (;;) {
    if (cursor.headers())
      cursor.headers()->ether_type = type;
    switch (type) {
    case 0x0800:
      return {Network::ipv4, cursor.offset()};
    case 0x86dd:
      return {Network::ipv6, cursor.offset()};
    case 0x8100: // VLAN (IEEE 802.1Q), provider tag (802.1ad), and the QinQ that was before it
    case 0x88a8:
    case 0x9100:
      if (!cursor.has(4))
        return cut;
      if (cursor.headers())
        cursor.headers()->add(VlanTag{type, be16(cursor.at())});
      type = be16(cursor.at(2));
      cursor.skip(4);
      break;
    case 0x8847:
    case 0x8848:
      return mpls(cursor);
    case 0x8864:
      return pppoe(cursor);
    default:
      return type <= longest_llc_frame ? llc(cursor) : other;
    }
  }
}

NetworkLayer ethernet(Cursor cursor) noexcept {
  if (!cursor.has(14))
    return cut;
  const std::uint16_t type = be16(cursor.at(12));
  cursor.skip(14);
  if (cursor.headers())
    cursor.headers()->is_ethernet = true;
  return ethertype(cursor, type);
}

/// A Linux cooked header of `octets`, whose protocol field is at `protocol_at`. It is an ethertype, or below 1536 one
/// of Linux's own numbers, of which 4 is LLC.
NetworkLayer linux_cooked(Cursor cursor, std::uint32_t octets, std::uint32_t protocol_at) noexcept {
  constexpr std::uint16_t first_ethertype = 0x0600, linux_llc = 4;
  if (!cursor.has(octets))
    return cut;
  const std::uint16_t protocol = be16(cursor.at(protocol_at));
  cursor.skip(octets);
  return protocol >= first_ethertype || protocol == linux_llc ? ethertype(cursor, protocol) : other;
}

/// An address family in either byte order: the value is small, so the order shows. IPv6 has a number of its own on
/// Linux (10), NetBSD and OpenBSD (24), FreeBSD (28) and macOS (30).
NetworkLayer address_family(Cursor cursor) noexcept {
  if (!cursor.has(4))
    return cut;
  std::uint32_t family = be32(cursor.at());
  if (family > 0xffff)
    family = __builtin_bswap32(family);
  cursor.skip(4);
  switch (family) {
  case 2:
    return {Network::ipv4, cursor.offset()};
  case 10:
  case 24:
  case 28:
  case 30:
    return {Network::ipv6, cursor.offset()};
  default:
    return other;
  }
}

} // namespace

NetworkLayer walk_link_layers(LinkType link, const std::uint8_t* frame, std::uint32_t captured,
                              LinkHeaders* headers) noexcept {
  const Cursor cursor(frame, captured, headers);
  switch (link) {
  case LinkType::ethernet:
    return ethernet(cursor);
  case LinkType::raw_ip:
    return by_version(cursor, {Network::bad_version, 0});
  case LinkType::linux_sll:
    return linux_cooked(cursor, 16, 14);
  case LinkType::linux_sll2:
    return linux_cooked(cursor, 20, 0);
  case LinkType::null:
  case LinkType::loop:
    return address_family(cursor);
  case LinkType::ppp:
    return ppp(cursor);
  case LinkType::ppp_serial:
    return ppp_serial(cursor);
  case LinkType::ppp_ether:
    return pppoe(cursor);
  }
  return other;
}

} // namespace orbweaver
