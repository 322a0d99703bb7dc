// SPDX-License-Identifier: GPL-3.0-or-later
// Cuts a datagram into IPv4 (RFC 791, section 3.2) or IPv6 (RFC 8200, section 4.5) fragments.
#pragma once

#include "tests/support/ip_layers.hpp"

#include <vector>

namespace orbweaver::craft {

/// The fragments of an IPv4 or IPv6 datagram (bytes from its IP header on), in order, each ready to go under a link
/// layer: `ethernet() / fragments_of(...)[1]`. Every fragment but the last carries `fragment_octets` octets, a multiple
/// of 8. IPv6 fragments get a fragment header with `ipv6_id`; IPv4 ones keep the datagram's identification, and its
/// options are in all of them. Throws std::invalid_argument where `fragment_octets` is not such a multiple.
std::vector<Datagram> fragments_of(const Bytes& datagram, std::size_t fragment_octets, std::uint32_t ipv6_id = 1);

} // namespace orbweaver::craft
