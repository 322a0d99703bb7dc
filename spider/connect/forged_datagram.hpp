// SPDX-License-Identifier: GPL-3.0-or-later
// Datagrams that no socket would send, built by libtins. No state, any thread.
#pragma once

#include "spider/connect/connect.hpp"

#include <cstdint>
#include <vector>

namespace orbweaver {

/// What is not as it should be.
struct Forgery {
  bool evil = false;              ///< the reserved bit of the IPv4 header is set (RFC 3514); nothing for IPv6
  bool zero_udp_checksum = false; ///< "no checksum" (RFC 768); forbidden over IPv6 but for tunnels (RFC 8200, 8.1)
};

/// A whole IP datagram from request.source and `source_port` to the request's destination: for tcpsyn a SYN with a
/// random sequence number and the MSS option, for dnsudp an A query for its domain, with its code point. Lengths and
/// checksums are right but for the forgery. Empty for other kinds, and where the domain is no name.
[[nodiscard]] std::vector<std::uint8_t> forge_datagram(const ConnectRequest& request, std::uint16_t source_port,
                                                       Forgery forgery = {});

} // namespace orbweaver
