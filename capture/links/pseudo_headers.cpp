// SPDX-License-Identifier: GPL-3.0-or-later
// What captures put before a packet that was on no wire in that form: firewall logs, and headers that say what link
// type follows.
#include "capture/links/link_cursor.hpp"

namespace orbweaver::links {
namespace {

/// A frame of the link type with that number.
NetworkLayer numbered(Cursor cursor, std::uint32_t number) noexcept {
  const auto link = link_type_of(number);
  return link && cursor.nest() ? frame_of(cursor, *link) : other;
}

} // namespace

/// Version, flags, length, link type; fields follow up to that length (CACE, "PPI Packet Header").
NetworkLayer ppi(Cursor cursor) noexcept {
  constexpr std::uint32_t fixed_octets = 8;
  if (!cursor.has(fixed_octets))
    return cut;
  const std::uint32_t length = le16(cursor.at(2)), link = le32(cursor.at(4));
  if (cursor.at()[0] != 0 || length < fixed_octets)
    return other;
  if (!cursor.has(length))
    return cut;
  cursor.skip(length);
  return numbered(cursor, link);
}

/// The header's length, whether a packet follows, its link type, and more (Apple, net/pktap.h). Little endian.
NetworkLayer pktap(Cursor cursor) noexcept {
  constexpr std::uint32_t least_octets = 12, packet_follows = 1;
  if (!cursor.has(least_octets))
    return cut;
  const std::uint32_t length = le32(cursor.at()), kind = le32(cursor.at(4)), link = le32(cursor.at(8));
  if (length < least_octets || kind != packet_follows)
    return other;
  if (!cursor.has(length))
    return cut;
  cursor.skip(length);
  return numbered(cursor, link);
}

namespace {

/// What attributes of a netfilter log say, in the byte order `big` or little.
NetworkLayer nflog_attributes(Cursor cursor, bool big) noexcept {
  constexpr std::uint16_t packet_header = 1, payload = 9, flag_bits = 0xc000;
  const std::uint8_t family = *cursor.at();
  std::uint16_t protocol = 0;
  cursor.skip(4);
  for (;;) {
    if (!cursor.has(4))
      return cursor.left() == 0 && cursor.wire_left() == 0 ? other : cut;
    const std::uint16_t length = big ? be16(cursor.at()) : le16(cursor.at());
    const auto type =
        static_cast<std::uint16_t>((big ? be16(cursor.at(2)) : le16(cursor.at(2))) & ~std::uint32_t{flag_bits});
    if (length < 4)
      return other;
    if (type == payload) {
      cursor.skip(4);
      cursor.limit(length - 4u);
      if (family == 2 || family == 10)
        return by_family(cursor, family);
      return protocol != 0 ? ethertype(cursor, protocol) : by_version(cursor, other);
    }
    if (!cursor.has(length))
      return cut;
    if (type == packet_header && length >= 6)
      protocol = be16(cursor.at(4));
    cursor.skip(std::min((length + 3u) & ~3u, cursor.left()));
  }
}

} // namespace

/// Family, version, resource; attributes of length and type in the byte order of the machine that captured: the one in
/// which there is a packet.
NetworkLayer nflog(const Cursor& cursor) noexcept {
  if (!cursor.has(4))
    return cut;
  if (cursor.at()[1] != 0)
    return other;
  const NetworkLayer little = nflog_attributes(cursor, false);
  return little.kind == Network::ipv4 || little.kind == Network::ipv6 || !cursor.has(8) ||
                 le16(cursor.at(4)) <= be16(cursor.at(4))
             ? little
             : nflog_attributes(cursor, true);
}

/// Its length without padding, and the family; the packet follows at a multiple of four octets.
NetworkLayer pflog(Cursor cursor) noexcept {
  constexpr std::uint32_t least_octets = 45;
  if (!cursor.has(2))
    return cut;
  const std::uint32_t length = cursor.at()[0];
  const std::uint8_t family = cursor.at()[1];
  if (length < least_octets)
    return other;
  const std::uint32_t octets = (length + 3) & ~3u;
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return by_family(cursor, family);
}

/// 28 octets, the family first.
NetworkLayer old_pflog(Cursor cursor) noexcept {
  constexpr std::uint32_t octets = 28;
  if (!cursor.has(octets))
    return cut;
  const std::uint32_t family = be32(cursor.at());
  cursor.skip(octets);
  return by_family(cursor, family);
}

namespace {

/// What an ATM card gives behind its cookie: LLC, Ethernet, PPP, or IP at once.
NetworkLayer from_atm(Cursor cursor, bool is_bridged) noexcept {
  if (!cursor.has(3))
    return cut;
  const std::uint32_t start = static_cast<std::uint32_t>(be16(cursor.at())) << 8 | cursor.at()[2];
  if (start == 0xaaaa03 || start == 0xfefe03)
    return llc(cursor);
  if (is_bridged)
    return ethernet(cursor);
  if (start >> 16 == 0x03) {
    cursor.skip(1);
    return nlpid(cursor);
  }
  const std::uint32_t protocol = start >> 8;
  if (protocol == 0x0021 || protocol == 0x0057 || protocol == 0x0281 || protocol == 0x0283)
    return ppp(cursor);
  return by_version(cursor, other);
}

} // namespace

/// "MGC", flags, where they say so extensions behind their length; then the frame, behind its card's cookie. Without a
/// link header four octets stand for it.
NetworkLayer juniper(Cursor cursor, LinkType link) noexcept {
  constexpr std::uint8_t incoming = 0x01, no_link_header = 0x02, extended = 0x80;
  if (!cursor.has(4))
    return cut;
  const std::uint32_t head = be32(cursor.at());
  if (head >> 8 != 0x4d4743)
    return other;
  const auto flags = static_cast<std::uint8_t>(head);
  cursor.skip(4);
  if (flags & extended) {
    if (!cursor.has(2))
      return cut;
    const std::uint32_t extensions = be16(cursor.at()) + 2u;
    if (!cursor.has(extensions))
      return cut;
    cursor.skip(extensions);
  }
  const std::uint32_t cookie = flags & no_link_header              ? 4
                               : link == LinkType::juniper_atm1    ? 4
                               : link == LinkType::juniper_atm2    ? 8
                               : link == LinkType::juniper_service ? 8
                                                                   : 0;
  if (!cursor.has(cookie))
    return cut;
  const std::uint8_t* const words = cursor.at();
  cursor.skip(cookie);
  if (flags & no_link_header)
    return by_version(cursor, other);
  switch (link) {
  case LinkType::juniper_ether:
    return ethernet(cursor);
  case LinkType::juniper_ppp:
    return ppp(cursor);
  case LinkType::juniper_relay:
    return frame_relay(cursor);
  case LinkType::juniper_hdlc:
    return cisco_hdlc(cursor);
  case LinkType::juniper_atm1:
    return words[0] == 0x80 ? other : from_atm(cursor, false); // a cell for management
  case LinkType::juniper_atm2: {
    constexpr std::uint8_t cell_type = 0x70;
    constexpr std::uint32_t gap_count = 0x3fe;
    return words[7] & cell_type ? other : from_atm(cursor, !(flags & incoming) && (be32(words) & gap_count));
  }
  default:
    return by_version(cursor, other);
  }
}

} // namespace orbweaver::links
