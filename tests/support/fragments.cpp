// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/fragments.hpp"

#include <algorithm>
#include <stdexcept>

namespace orbweaver::craft {
namespace {

/// Calls `make(offset, part, more)` for each part of `data`.
template <typename Make>
std::vector<Datagram> cut(std::span<const std::uint8_t> data, std::size_t fragment_octets, const Make& make) {
  std::vector<Datagram> fragments;
  for (std::size_t offset = 0; offset < data.size(); offset += fragment_octets) {
    const std::size_t octets = std::min(fragment_octets, data.size() - offset);
    fragments.push_back(datagram(make(offset, data.subspan(offset, octets), offset + octets < data.size())));
  }
  return fragments;
}

std::vector<Datagram> cut_ipv4(std::span<const std::uint8_t> bytes, std::size_t fragment_octets) {
  const std::size_t header_length = (bytes[0] & 0xfU) * 4U;
  const auto header = bytes.first(header_length);
  return cut(bytes.subspan(header_length), fragment_octets,
             [header](std::size_t offset, std::span<const std::uint8_t> part, bool more) {
               Bytes out(header.begin(), header.end());
               store_u16(out, 2, out.size() + part.size());
               store_u16(out, 6, offset / 8 | (more ? 0x2000U : 0U) | (out[6] & 0x80U) << 8);
               store_u16(out, 10, 0);
               store_u16(out, 10, internet_checksum(out));
               append(out, part);
               return out;
             });
}

struct Unfragmentable {
  std::size_t length;            // octets that every fragment repeats
  std::size_t next_header_field; // where they name what follows
};

/// The IPv6 header and the extension headers up to the last hop-by-hop or routing header.
Unfragmentable unfragmentable_part(std::span<const std::uint8_t> bytes) {
  constexpr std::uint8_t hop_by_hop_header = 0;
  constexpr std::uint8_t routing_header = 43;
  constexpr std::uint8_t options_header = 60;
  Unfragmentable part{.length = 40, .next_header_field = 6};
  std::uint8_t protocol = bytes[6];
  std::size_t at = 40;
  while (protocol == hop_by_hop_header || protocol == routing_header || protocol == options_header) {
    const std::size_t end = at + (bytes[at + 1] + 1U) * 8U;
    if (protocol != options_header)
      part = {.length = end, .next_header_field = at};
    protocol = bytes[at];
    at = end;
  }
  return part;
}

std::vector<Datagram> cut_ipv6(std::span<const std::uint8_t> bytes, std::size_t fragment_octets, std::uint32_t id) {
  constexpr std::uint8_t fragment_header = 44;
  constexpr std::size_t ipv6_header = 40;
  const Unfragmentable repeated = unfragmentable_part(bytes);
  const auto front = bytes.first(repeated.length);
  const std::uint8_t inner = bytes[repeated.next_header_field];
  return cut(bytes.subspan(repeated.length), fragment_octets,
             [=](std::size_t offset, std::span<const std::uint8_t> part, bool more) {
               Bytes out(front.begin(), front.end());
               out[repeated.next_header_field] = fragment_header;
               append_u8(out, inner);
               append_u8(out, 0);
               append_u16(out, offset | (more ? 1U : 0U));
               append_u32(out, id);
               append(out, part);
               store_u16(out, 4, out.size() - ipv6_header);
               return out;
             });
}

} // namespace

std::vector<Datagram> fragments_of(const Bytes& datagram, std::size_t fragment_octets, std::uint32_t ipv6_id) {
  if (fragment_octets == 0 || fragment_octets % 8 != 0)
    throw std::invalid_argument("a fragment carries a multiple of 8 octets");
  return datagram.at(0) >> 4 == 6 ? cut_ipv6(datagram, fragment_octets, ipv6_id) : cut_ipv4(datagram, fragment_octets);
}

} // namespace orbweaver::craft
