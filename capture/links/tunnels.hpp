// SPDX-License-Identifier: GPL-3.0-or-later
// IP packets in IP packets: what a datagram carries in one of the tunnels that are to be taken off. A tunnel is one
// where all that its headers say can be, and where an IP header is found behind them: a port's number alone says
// nothing. Reads what was captured of the datagram and belongs to it, and what inner headers leave of that.
#pragma once

#include "capture/dissect/packet_draft.hpp"
#include "capture/links/link_layers.hpp"
#include "common/stream/records/tunnel_set.hpp"

#include <cstdint>

namespace orbweaver {

/// A datagram that may be a tunnel's.
struct OuterDatagram {
  Transport transport;
  std::uint8_t version;  ///< of IP
  std::uint8_t protocol; ///< behind its extension headers
  const std::uint8_t* source;
  const std::uint8_t* destination;
  bool is_fragment; ///< the first of its datagram, whose headers speak of more than it has
};

/// Where the inner packet is, in `transport.octets`; of another kind than IPv4 and IPv6 where there is none. Notes the
/// tunnel and what lies within it in `headers`: there is room for a layer.
[[nodiscard]] NetworkLayer look_into_tunnel(const OuterDatagram& outer, TunnelSet taken, LinkHeaders& headers) noexcept;

} // namespace orbweaver
