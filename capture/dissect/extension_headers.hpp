// SPDX-License-Identifier: GPL-3.0-or-later
// The walk over IPv6 extension headers (RFC 8200, section 4) and over IPv4's authentication headers (RFC 4302), of a
// packet itself or of one quoted by an ICMP error.
#pragma once

#include <cstdint>

namespace orbweaver {

/// Whether a next-header value is one that the walk goes past: hop-by-hop options, routing, fragment, AH, destination
/// options, mobility, HIP, shim6. ESP and "no next header" end it, and so does whatever is not an extension header.
[[nodiscard]] constexpr bool is_extension_header(std::uint8_t next_header) noexcept {
  switch (next_header) {
  case 0:
  case 43:
  case 44:
  case 51:
  case 60:
  case 135:
  case 139:
  case 140:
    return true;
  default:
    return false;
  }
}

/// More extension headers than this in one packet make it malformed.
inline constexpr unsigned max_extension_headers = 32;

struct ExtensionWalk {
  enum class End : std::uint8_t {
    transport, ///< at the transport header, or at a later fragment's data
    cut,       ///< the octets that are there end within the extension headers
    bad,       ///< above max_extension_headers, or one that is shorter than can be
  };
  std::uint32_t headers;          ///< octets from the IP header to the transport header; may be above those there
  std::uint32_t fragment_id;      ///< with a fragment header
  std::uint16_t fragment_offset;  ///< in units of 8 octets
  std::uint8_t fragment_protocol; ///< next header of the fragment header
  std::uint8_t protocol;          ///< the next header where the walk ended
  bool has_fragment_header;
  bool more_fragments;
  End end;

  [[nodiscard]] bool is_later_fragment() const noexcept { return fragment_offset != 0; }
  [[nodiscard]] bool is_first_fragment() const noexcept { return fragment_offset == 0 && more_fragments; }
};

/// Walks from the IPv6 header at `ip`, of whose datagram `available` octets are there, at least 40, and stops behind
/// the fragment header of a later fragment.
[[nodiscard]] ExtensionWalk walk_extension_headers(const std::uint8_t* ip, std::uint32_t available) noexcept;

/// Walks past the authentication headers behind an IPv4 header of `header` octets, all of which are there.
[[nodiscard]] ExtensionWalk walk_authentication_headers(const std::uint8_t* ip, std::uint32_t header,
                                                        std::uint32_t available) noexcept;

/// The length of the datagram whose hop-by-hop options, directly behind the IPv6 header, have the jumbo payload option
/// (RFC 2675, section 2); 0 where there is none, or it says what cannot be. At least 40 octets are captured.
[[nodiscard]] std::uint32_t jumbogram_length(const std::uint8_t* ip, std::uint32_t captured) noexcept;

} // namespace orbweaver
