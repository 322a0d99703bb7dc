// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/links/tunnels.hpp"

#include "capture/links/link_cursor.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>

namespace orbweaver {
namespace links {
namespace {

/// A tunnel's place in a datagram, and how it is noted.
class Tunnel {
public:
  Tunnel(const OuterDatagram& outer, TunnelSet taken, LinkHeaders& headers) noexcept
      : outer_(outer), taken_(taken), headers_(headers) {}

  /// Whether tunnels of that kind are taken off.
  [[nodiscard]] bool takes(TunnelKind kind) const noexcept { return taken_.has(kind); }
  [[nodiscard]] Cursor cursor() const noexcept {
    constexpr std::uint32_t longest = 65'535;
    const std::uint32_t wire = outer_.is_fragment ? longest : outer_.transport.length;
    return {outer_.transport.octets, outer_.transport.available, wire, &headers_};
  }
  [[nodiscard]] const OuterDatagram& outer() const noexcept { return outer_; }

  /// It is one of that kind: what is found in it lies behind this layer.
  void is(TunnelKind kind) const noexcept { note(kind, 0, 0); }
  void is(TunnelKind kind, std::uint32_t identifier) const noexcept { note(kind, identifier, 1); }

private:
  void note(TunnelKind kind, std::uint32_t identifier, std::uint8_t has_identifier) const noexcept {
    NotedLayer& layer = headers_.layers[headers_.layer_count++];
    layer.head = {kind, outer_.version, has_identifier, 0, identifier};
    const std::size_t half = addresses_length(outer_.version) / 2;
    std::memcpy(layer.addresses.data(), outer_.source, half);
    std::memcpy(layer.addresses.data() + half, outer_.destination, half);
  }

  const OuterDatagram& outer_;
  TunnelSet taken_;
  LinkHeaders& headers_;
};

constexpr std::uint16_t erspan_2 = 0x88be, erspan_3 = 0x22eb, ppp_in_gre = 0x880b;
constexpr std::uint16_t redirected = 0x883e, metadata = 0x8909;

/// Mirrored frames: as they are, behind 8 octets (version 1), or behind 12 and 8 more (version 2).
NetworkLayer erspan(const Tunnel& tunnel, Cursor cursor, std::uint16_t type, bool is_numbered) noexcept {
  constexpr std::uint8_t version_2 = 1, version_3 = 2;
  if (!tunnel.takes(TunnelKind::erspan))
    return other;
  if (type == erspan_2 && !is_numbered) { // the first form, which has no header
    tunnel.is(TunnelKind::erspan);
    return ethernet(cursor);
  }
  const std::uint32_t fixed_octets = type == erspan_2 ? 8 : 12;
  if (!cursor.has(fixed_octets))
    return cut;
  const std::uint8_t* const header = cursor.at();
  if (header[0] >> 4 != (type == erspan_2 ? version_2 : version_3))
    return other;
  tunnel.is(TunnelKind::erspan, be16(header + 2) & 0x3ff);
  bool is_frame = true;
  std::uint32_t octets = fixed_octets;
  if (type == erspan_3) {
    constexpr std::uint8_t frame = 0, packet = 2;
    const auto content = static_cast<std::uint8_t>((be16(header + 10) >> 10) & 0x1f);
    if (content != frame && content != packet)
      return other;
    is_frame = content == frame;
    octets += header[11] & 1 ? 8 : 0;
  }
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return is_frame ? ethernet(cursor) : by_version(cursor, other);
}

/// PPTP's (RFC 2637, 4.1): length, call, acknowledgements, PPP.
NetworkLayer point_to_point(const Tunnel& tunnel, Cursor cursor, std::uint16_t flags, std::uint16_t type) noexcept {
  constexpr std::uint16_t has_key = 0x2000, is_numbered = 0x1000, has_acknowledgement = 0x0080;
  if (type != ppp_in_gre || !(flags & has_key) || !tunnel.takes(TunnelKind::gre))
    return other;
  if (!(flags & is_numbered))
    return other; // an acknowledgement alone
  const std::uint32_t octets = flags & has_acknowledgement ? 16 : 12;
  if (!cursor.has(octets))
    return cut;
  const std::uint16_t length = be16(cursor.at(4));
  tunnel.is(TunnelKind::gre, be16(cursor.at(6)));
  cursor.skip(octets);
  cursor.limit(length);
  return ppp(cursor);
}

/// Source routes (RFC 1701) end with one that is empty. False: they do not end.
bool skip_routes(Cursor& cursor) noexcept {
  for (;;) {
    if (!cursor.has(4))
      return false;
    const std::uint32_t family = be16(cursor.at()), length = cursor.at()[3];
    cursor.skip(4);
    if (family == 0 && length == 0)
      return true;
    if (!cursor.has(length))
      return false;
    cursor.skip(length);
  }
}

/// RFC 2784 with RFC 2890's key and number and RFC 1701's routes; version 1 is PPTP's.
NetworkLayer gre(const Tunnel& tunnel, Cursor cursor) noexcept {
  constexpr std::uint16_t has_checksum = 0x8000, has_routes = 0x4000, has_key = 0x2000, is_numbered = 0x1000;
  if (!cursor.has(4))
    return cut;
  const std::uint16_t flags = be16(cursor.at()), type = be16(cursor.at(2));
  if ((flags & 7) == 1)
    return point_to_point(tunnel, cursor, flags, type);
  if ((flags & 7) != 0)
    return other;
  std::uint32_t octets = 4;
  const std::uint32_t key_at = octets += flags & (has_checksum | has_routes) ? 4 : 0;
  octets += (flags & has_key ? 4 : 0) + (flags & is_numbered ? 4 : 0);
  if (!cursor.has(octets))
    return cut;
  const std::uint32_t key = flags & has_key ? be32(cursor.at(key_at)) : 0;
  cursor.skip(octets);
  if ((flags & has_routes) && !skip_routes(cursor))
    return other;
  if (type == erspan_2 || type == erspan_3)
    return erspan(tunnel, cursor, type, flags & is_numbered);
  if (!tunnel.takes(TunnelKind::gre))
    return other;
  if (flags & has_key)
    tunnel.is(TunnelKind::gre, key);
  else
    tunnel.is(TunnelKind::gre);
  switch (type) {
  case ppp_in_gre:
    return ppp(cursor);
  case redirected: // by a cache's protocol: at once, or behind four octets more
    if (cursor.has(5) && *cursor.at() >> 4 != 4)
      cursor.skip(4);
    return by_version(cursor, other);
  case metadata: { // whose ethertype stands before it
    if (!cursor.has(8))
      return cut;
    const std::uint16_t behind = be16(cursor.at());
    cursor.skip(8);
    return ethertype(cursor, behind);
  }
  default:
    return type > 1500 ? ethertype(cursor, type) : other;
  }
}

/// A VXLAN header and its generic extension (RFC 7348, section 5; draft-ietf-nvo3-vxlan-gpe): flags, of which one says
/// that there is an identifier, the protocol where another says so.
NetworkLayer vxlan(const Tunnel& tunnel, Cursor cursor, bool is_generic) noexcept {
  constexpr std::uint8_t has_identifier = 0x08, has_protocol = 0x04, management = 0x01, version = 0x30;
  if (!cursor.has(8))
    return cut;
  const std::uint8_t flags = *cursor.at(), protocol = cursor.at()[3];
  const bool says_protocol = flags & has_protocol;
  if (!(flags & has_identifier) || (is_generic && (flags & (version | management))))
    return other;
  tunnel.is(TunnelKind::vxlan, be32(cursor.at(4)) >> 8);
  cursor.skip(8);
  return says_protocol ? next_protocol(cursor, protocol) : ethernet(cursor);
}

/// RFC 8926, 3.4.
NetworkLayer geneve(const Tunnel& tunnel, Cursor cursor) noexcept {
  constexpr std::uint8_t control = 0x80;
  if (!cursor.has(8))
    return cut;
  const std::uint8_t version_and_length = *cursor.at();
  const std::uint32_t octets = 8 + (version_and_length & 0x3fu) * 4;
  const std::uint16_t type = be16(cursor.at(2));
  if (version_and_length >> 6 != 0 || (cursor.at()[1] & control))
    return other;
  tunnel.is(TunnelKind::geneve, be32(cursor.at(4)) >> 8);
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return type > 1500 ? ethertype(cursor, type) : other;
}

/// User packets of GTP version 1 (3GPP TS 29.281, 5): flags, type, length, endpoint, four octets more where one of
/// three flags says so, extension headers.
NetworkLayer gtp(const Tunnel& tunnel, Cursor cursor) noexcept {
  constexpr std::uint8_t version_and_protocol = 0xf0, version_1 = 0x30, any_optional = 0x07, extended = 0x04;
  constexpr std::uint8_t user_packet = 255;
  if (!cursor.has(8))
    return cut;
  const std::uint8_t flags = *cursor.at();
  if ((flags & version_and_protocol) != version_1 || cursor.at()[1] != user_packet)
    return other;
  const std::uint16_t length = be16(cursor.at(2));
  tunnel.is(TunnelKind::gtp, be32(cursor.at(4)));
  cursor.skip(8);
  if (length > cursor.wire_left())
    return other;
  cursor.limit(length);
  if (flags & any_optional) {
    if (!cursor.has(4))
      return cut;
    std::uint8_t next = flags & extended ? cursor.at()[3] : std::uint8_t{0};
    cursor.skip(4);
    while (next != 0) {
      if (!cursor.has(1))
        return cut;
      const std::uint32_t octets = *cursor.at() * 4u;
      if (octets == 0)
        return other;
      if (!cursor.has(octets))
        return cut;
      next = cursor.at()[octets - 1];
      cursor.skip(octets);
    }
  }
  return by_version(cursor, other);
}

/// RFC 4380, 5.1: authentication, then where it came from, then IPv6.
NetworkLayer teredo(const Tunnel& tunnel, Cursor cursor) noexcept {
  constexpr std::uint16_t origin = 0, authentication = 1;
  if (!cursor.has(2))
    return cut;
  if (be16(cursor.at()) == authentication) {
    if (!cursor.has(4))
      return cut;
    const std::uint32_t octets = 4u + cursor.at()[2] + cursor.at()[3] + 9;
    if (!cursor.has(octets + 2))
      return cut;
    cursor.skip(octets);
  }
  if (be16(cursor.at()) == origin) {
    if (!cursor.has(9))
      return cut;
    cursor.skip(8);
  }
  if (*cursor.at() >> 4 != 6)
    return other;
  tunnel.is(TunnelKind::teredo);
  return cursor.found(Network::ipv6);
}

/// A session of version 3 (RFC 3931, 4.1): how long its cookie is, and whether a sublayer's header is there, was agreed
/// on when it was set up. What fits best tells, if anything does.
NetworkLayer l2tp_session(const Tunnel& tunnel, Cursor cursor) noexcept {
  if (!cursor.has(4))
    return cut;
  const std::uint32_t session = be32(cursor.at());
  if (session == 0)
    return other; // control
  tunnel.is(TunnelKind::l2tp, session);
  cursor.skip(4);
  LinkHeaders* const headers = cursor.headers();
  const LinkHeaders before = *headers;
  NetworkLayer best = other;
  LinkHeaders best_headers = before;
  Fit best_fit = Fit::none;
  for (const std::uint32_t octets : {0u, 4u, 8u, 12u})
    for (const auto inner : {ethernet, ppp}) {
      if (!cursor.has(octets))
        continue;
      Cursor behind = cursor;
      behind.skip(octets);
      *headers = before;
      const NetworkLayer network = inner(behind);
      if (const Fit fit = fit_of(cursor, network); fit > best_fit) {
        best = network;
        best_headers = *headers;
        best_fit = fit;
      }
    }
  *headers = best_headers;
  return best;
}

/// Data messages of version 2 (RFC 2661, 3.1), and of version 3.
NetworkLayer l2tp(const Tunnel& tunnel, Cursor cursor) noexcept {
  constexpr std::uint16_t control = 0x8000, has_length = 0x4000, is_numbered = 0x0800, has_offset = 0x0200;
  constexpr std::uint16_t reserved = 0x34f0;
  if (!cursor.has(2))
    return cut;
  const std::uint16_t flags = be16(cursor.at());
  if (flags & control)
    return other;
  if ((flags & 0xf) == 3) {
    if (!cursor.has(4))
      return cut;
    cursor.skip(4);
    return l2tp_session(tunnel, cursor);
  }
  if ((flags & 0xf) != 2 || (flags & reserved))
    return other;
  std::uint32_t octets = flags & has_length ? 4 : 2;
  if (!cursor.has(octets + 4))
    return cut;
  if (flags & has_length) {
    const std::uint16_t length = be16(cursor.at(2));
    if (length > cursor.wire_left())
      return other;
    cursor.limit(length);
    if (!cursor.has(octets + 4))
      return other;
  }
  tunnel.is(TunnelKind::l2tp, be32(cursor.at(octets)));
  octets += 4 + (flags & is_numbered ? 4 : 0);
  if (flags & has_offset) {
    if (!cursor.has(octets + 2))
      return cut;
    octets += 2u + be16(cursor.at(octets));
  }
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return ppp(cursor);
}

/// Labels in a datagram (RFC 4023, RFC 7510): the tunnel is known by the outer one.
NetworkLayer labels(const Tunnel& tunnel, const Cursor& cursor) noexcept {
  if (!cursor.has(4))
    return cut;
  LinkHeaders* const headers = cursor.headers();
  tunnel.is(TunnelKind::mpls, be32(cursor.at()) >> 12);
  const std::uint32_t noted = headers->layer_count;
  const NetworkLayer network = mpls(cursor);
  if (headers->layer_count > noted) { // the first of them stands there already
    std::move(headers->layers.begin() + noted + 1, headers->layers.begin() + headers->layer_count,
              headers->layers.begin() + noted);
    --headers->layer_count;
  }
  return network;
}

/// By the ports, of which most tunnels have but one; the datagram's own length bounds it.
NetworkLayer in_udp(const Tunnel& tunnel) noexcept {
  constexpr std::uint32_t header = 8;
  Cursor cursor = tunnel.cursor();
  if (!cursor.has(header))
    return cut;
  const std::uint16_t from = be16(cursor.at()), to = be16(cursor.at(2)), length = be16(cursor.at(4));
  if (length != 0) // a first fragment's says how long the whole datagram is, and offloaded segments have none
    cursor.limit(std::max<std::uint32_t>(length, header));
  cursor.skip(header);
  const auto is_one_of = [&](std::uint16_t port) { return from == port || to == port; };
  if ((to == 4789 || to == 8472) && tunnel.takes(TunnelKind::vxlan))
    return vxlan(tunnel, cursor, false);
  if (to == 4790 && tunnel.takes(TunnelKind::vxlan))
    return vxlan(tunnel, cursor, true);
  if (to == 6081 && tunnel.takes(TunnelKind::geneve))
    return geneve(tunnel, cursor);
  if (to == 4754)
    return gre(tunnel, cursor); // RFC 8086
  if (to == 6635 && tunnel.takes(TunnelKind::mpls))
    return labels(tunnel, cursor);
  if (is_one_of(2152) && tunnel.takes(TunnelKind::gtp))
    return gtp(tunnel, cursor);
  if (is_one_of(3544) && tunnel.takes(TunnelKind::teredo))
    return teredo(tunnel, cursor);
  if (is_one_of(1701) && tunnel.takes(TunnelKind::l2tp))
    return l2tp(tunnel, cursor);
  return other;
}

/// IP at once.
NetworkLayer ip_in_ip(const Tunnel& tunnel, TunnelKind kind, Network network) noexcept {
  if (!tunnel.takes(kind))
    return other;
  tunnel.is(kind);
  return tunnel.cursor().found(network);
}

NetworkLayer etherip(const Tunnel& tunnel) noexcept {
  constexpr std::uint16_t version_3 = 0x3000;
  Cursor cursor = tunnel.cursor();
  if (!tunnel.takes(TunnelKind::etherip))
    return other;
  if (!cursor.has(2))
    return cut;
  if (be16(cursor.at()) != version_3)
    return other;
  tunnel.is(TunnelKind::etherip);
  cursor.skip(2);
  return ethernet(cursor);
}

} // namespace
} // namespace links

NetworkLayer look_into_tunnel(const OuterDatagram& outer, TunnelSet taken, LinkHeaders& headers) noexcept {
  const links::Tunnel tunnel(outer, taken, headers);
  switch (outer.protocol) {
  case 4:
    return links::ip_in_ip(tunnel, TunnelKind::ipip, Network::ipv4);
  case 41:
    return links::ip_in_ip(tunnel, outer.version == 4 ? TunnelKind::six_in_four : TunnelKind::ipip, Network::ipv6);
  case 17:
    return links::in_udp(tunnel);
  case 47:
    return links::gre(tunnel, tunnel.cursor());
  case 97:
    return links::etherip(tunnel);
  case 115:
    return taken.has(TunnelKind::l2tp) ? links::l2tp_session(tunnel, tunnel.cursor()) : links::other;
  case 137:
    return taken.has(TunnelKind::mpls) ? links::labels(tunnel, tunnel.cursor()) : links::other;
  default:
    return links::other;
  }
}

} // namespace orbweaver
