// SPDX-License-Identifier: GPL-3.0-or-later
// Below the bottom of an MPLS label stack nothing says what follows: an IP packet (RFC 3032), or a pseudo-wire's
// Ethernet frame, with a control word in front of it (RFC 4385, section 3) or without (RFC 4448, 4.6). The first four
// bits rule some of that out, no more: an address of Ethernet may begin with 4 or 6, or with 0. So all that it can be
// is walked, and a checksum decides; where none can be had, lengths.
#include "capture/dissect/internet_checksum.hpp"
#include "capture/links/link_cursor.hpp"

namespace orbweaver::links {
namespace {

std::uint32_t captured_of(const NetworkLayer& network) noexcept {
  return network.captured_end - network.offset;
}

/// Whether a packet of that length may be all there is: behind it comes at most what fills the shortest frame, and a
/// check sequence.
constexpr bool fills(std::uint32_t length, std::uint32_t wire, std::uint32_t padding) noexcept {
  constexpr std::uint32_t check_sequence = 4;
  return length <= wire && wire - length <= padding + check_sequence;
}

Fit fit_of_ipv4(const std::uint8_t* ip, std::uint32_t captured, std::uint32_t wire) noexcept {
  constexpr std::uint32_t fixed_octets = 20, padding = 60 - 14 - fixed_octets;
  if (captured < fixed_octets)
    return captured == 0 || ip[0] >> 4 == 4 ? Fit::lengths : Fit::none;
  const std::uint32_t header = (ip[0] & 0x0fu) * 4, length = be16(ip + 2);
  if (ip[0] >> 4 != 4 || header < fixed_octets)
    return Fit::none;
  if (header <= captured && ipv4_checksum_is_right(ip, header))
    return Fit::checksum;
  return length >= header && fills(length, wire, padding) ? Fit::lengths : Fit::none;
}

Fit fit_of_ipv6(const std::uint8_t* ip, std::uint32_t captured, std::uint32_t wire) noexcept {
  constexpr std::uint32_t fixed_octets = 40, padding = 60 - 14 - fixed_octets;
  if (captured < fixed_octets)
    return captured == 0 || ip[0] >> 4 == 6 ? Fit::lengths : Fit::none;
  return ip[0] >> 4 == 6 && fills(fixed_octets + be16(ip + 4), wire, padding) ? Fit::lengths : Fit::none;
}

} // namespace

Fit fit_of(const Cursor& cursor, const NetworkLayer& network) noexcept {
  const std::uint8_t* const ip = cursor.at() + (network.offset - cursor.offset());
  const std::uint32_t wire = left_after(network.wire_end, network.offset);
  if (network.kind == Network::ipv4)
    return fit_of_ipv4(ip, captured_of(network), wire);
  return network.kind == Network::ipv6 ? fit_of_ipv6(ip, captured_of(network), wire) : Fit::none;
}

namespace {

/// Between two that fit by their lengths; of IPv4 a checksum said no already.
bool transport_says(const Cursor& cursor, const NetworkLayer& network) noexcept {
  constexpr std::uint32_t fixed_octets = 40;
  if (network.kind != Network::ipv6 || captured_of(network) < fixed_octets)
    return false;
  const std::uint8_t* const ip = cursor.at() + (network.offset - cursor.offset());
  const std::uint32_t length = fixed_octets + be16(ip + 4);
  return length <= captured_of(network) && ipv6_checksum_is_right(ip, length);
}

/// A frame so many octets on, its tags noted apart.
NetworkLayer frame_after(Cursor cursor, std::uint32_t octets, LinkHeaders* noted) noexcept {
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  cursor.note_in(noted);
  return ethernet(cursor);
}

} // namespace

NetworkLayer below_labels(const Cursor& cursor) noexcept {
  constexpr std::uint32_t control_word = 4;
  if (!cursor.has(1))
    return cut;
  LinkHeaders* const headers = cursor.headers();
  LinkHeaders first_noted, second_noted;
  if (headers)
    first_noted = second_noted = *headers;
  const unsigned nibble = *cursor.at() >> 4;
  const bool is_ip = nibble == 4 || nibble == 6;
  const NetworkLayer first = is_ip         ? by_version(cursor, other)
                             : nibble == 0 ? frame_after(cursor, control_word, headers ? &first_noted : nullptr)
                                           : other;
  const Fit first_fit = fit_of(cursor, first);
  const auto take = [&](const NetworkLayer& network, const LinkHeaders& noted) {
    if (headers) {
      const std::uint16_t type = headers->ether_type;
      *headers = noted;
      headers->ether_type = type;
    }
    return network;
  };
  if (first_fit == Fit::checksum)
    return take(first, first_noted);
  const NetworkLayer second = frame_after(cursor, 0, headers ? &second_noted : nullptr);
  const Fit second_fit = fit_of(cursor, second);
  if (second_fit > first_fit || (second_fit != Fit::none && second_fit == first_fit && !transport_says(cursor, first) &&
                                 transport_says(cursor, second)))
    return take(second, second_noted);
  if (first_fit != Fit::none)
    return take(first, first_noted);
  return first.kind == Network::cut || (second.kind == Network::cut && nibble != 1) ? cut : other;
}

} // namespace orbweaver::links
