// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/extension_headers.hpp"

#include "capture/dissect/octets.hpp"

#include <algorithm>

namespace orbweaver {
namespace {

constexpr std::uint8_t fragment = 44, authentication = 51;
constexpr std::uint32_t ipv6_octets = 40, fragment_header_octets = 8, least_authentication_octets = 12;

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

/// Goes past one authentication header (RFC 4302, section 2).
ExtensionWalk::End pass_authentication(ExtensionWalk& walk, const std::uint8_t* ip, std::uint32_t available) noexcept {
  if (left_after(available, walk.headers) < 2)
    return ExtensionWalk::End::cut;
  const std::uint8_t* header = ip + walk.headers;
  const std::uint32_t length = (header[1] + 2u) * 4;
  if (length < least_authentication_octets)
    return ExtensionWalk::End::bad;
  walk.protocol = header[0];
  walk.headers += length;
  return ExtensionWalk::End::transport;
}

/// The same with any other extension header.
ExtensionWalk::End pass_extension(ExtensionWalk& walk, const std::uint8_t* ip, std::uint32_t available) noexcept {
  const std::uint32_t left = left_after(available, walk.headers);
  if (left < (walk.protocol == fragment ? fragment_header_octets : 2))
    return ExtensionWalk::End::cut;
  const std::uint8_t* header = ip + walk.headers;
  if (walk.protocol == fragment) {
    read_fragment_header(walk, header);
    walk.headers += fragment_header_octets;
  } else {
    walk.headers += (header[1] + 1u) * 8;
  }
  walk.protocol = header[0];
  return ExtensionWalk::End::transport;
}

} // namespace

ExtensionWalk walk_extension_headers(const std::uint8_t* ip, std::uint32_t available) noexcept {
  ExtensionWalk walk{};
  walk.protocol = ip[6];
  walk.headers = ipv6_octets;
  walk.end = ExtensionWalk::End::transport;
  for (unsigned count = 0; is_extension_header(walk.protocol) && !walk.is_later_fragment(); ++count) {
    if (count == max_extension_headers)
      walk.end = ExtensionWalk::End::bad;
    else
      walk.end = walk.protocol == authentication ? pass_authentication(walk, ip, available)
                                                 : pass_extension(walk, ip, available);
    if (walk.end != ExtensionWalk::End::transport)
      break;
  }
  return walk;
}

ExtensionWalk walk_authentication_headers(const std::uint8_t* ip, std::uint32_t header,
                                          std::uint32_t available) noexcept {
  ExtensionWalk walk{};
  walk.protocol = ip[9];
  walk.headers = header;
  walk.end = ExtensionWalk::End::transport;
  for (unsigned count = 0; walk.protocol == authentication && walk.end == ExtensionWalk::End::transport; ++count)
    walk.end = count < max_extension_headers ? pass_authentication(walk, ip, available) : ExtensionWalk::End::bad;
  return walk;
}

std::uint32_t jumbogram_length(const std::uint8_t* ip, std::uint32_t captured) noexcept {
  const std::uint32_t left = captured - ipv6_octets;
  if (left < 2)
    return 0;
  const std::uint8_t* header = ip + ipv6_octets;
  const std::uint32_t payload = jumbo_payload_length(header + 2, std::min(left, (header[1] + 1u) * 8) - 2);
  return payload > 65'535 && payload <= 0xffff'ffff - ipv6_octets ? ipv6_octets + payload : 0;
}

} // namespace orbweaver
