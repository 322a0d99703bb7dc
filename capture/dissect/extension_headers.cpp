// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/extension_headers.hpp"

#include "capture/dissect/octets.hpp"

#include <algorithm>

namespace orbweaver {
namespace {

constexpr std::uint8_t hop_by_hop = 0, fragment = 44, authentication = 51;
constexpr std::uint32_t fragment_header_octets = 8;

/// The jumbo payload length among hop-by-hop options (RFC 2675, section 2); 0 where there is none.
std::uint32_t jumbo_payload_length(const std::uint8_t* options, std::uint32_t length) noexcept {
  constexpr std::uint8_t pad1 = 0, jumbo_payload = 0xc2;
  std::uint32_t at = 0;
  while (at < length) {
    if (options[at] == pad1) {
      ++at;
      continue;
    }
    if (length - at < 2 || length - at - 2 < options[at + 1])
      return 0;
    if (options[at] == jumbo_payload && options[at + 1] == 4)
      return be32(options + at + 2);
    at += 2u + options[at + 1];
  }
  return 0;
}

void read_fragment_header(ExtensionWalk& walk, const std::uint8_t* header) noexcept {
  const std::uint16_t word = be16(header + 2);
  walk.has_fragment_header = true;
  walk.fragment_protocol = header[0];
  walk.fragment_offset = word >> 3;
  walk.more_fragments = word & 1;
  walk.fragment_id = be32(header + 4);
}

} // namespace

ExtensionWalk walk_extension_headers(const std::uint8_t* ip, std::uint32_t captured) noexcept {
  ExtensionWalk walk{};
  walk.protocol = ip[6];
  walk.headers = 40;
  for (unsigned count = 0; is_extension_header(walk.protocol); ++count) {
    if (count == max_extension_headers) {
      walk.end = ExtensionWalk::End::too_many;
      return walk;
    }
    const std::uint32_t left = left_after(captured, walk.headers);
    if (left < (walk.protocol == fragment ? fragment_header_octets : 2)) {
      walk.end = ExtensionWalk::End::cut;
      return walk;
    }
    const std::uint8_t* header = ip + walk.headers;
    std::uint32_t length = (header[1] + 1u) * 8;
    if (walk.protocol == fragment) {
      length = fragment_header_octets;
      read_fragment_header(walk, header);
    } else if (walk.protocol == authentication) {
      length = (header[1] + 2u) * 4; // RFC 4302, section 2.2
    } else if (walk.protocol == hop_by_hop) {
      walk.jumbo_length = jumbo_payload_length(header + 2, std::min(left, length) - 2);
    }
    walk.protocol = header[0];
    walk.headers += length;
    if (walk.is_later_fragment())
      break;
  }
  walk.end = ExtensionWalk::End::transport;
  return walk;
}

} // namespace orbweaver
