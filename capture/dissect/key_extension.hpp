// SPDX-License-Identifier: GPL-3.0-or-later
// What --flow-key adds to a flow's key, as it lies in a record (packet_blocks.hpp): VLANs, and the tunnels that were
// taken off. A packet without them has the plain key. Used on the capture thread.
#pragma once

#include "capture/dissect/packet_draft.hpp"
#include "capture/links/link_layers.hpp"
#include "common/stream/records/tunnel_set.hpp"

#include <cstdint>
#include <span>

namespace orbweaver {

/// Writes the layers as their block has them; returns how many octets. `out` has room for max_tunnel_octets.
std::uint32_t tunnel_octets(const LinkHeaders& headers, std::uint8_t* out) noexcept;

/// Extends a draft's key by what `wanted` asks for (Need) and the packet has: the first block of a draft, which has no
/// endpoints yet. Of a link's own layers those that are `taken` off.
void add_key_extension(const LinkHeaders& headers, std::uint32_t wanted, TunnelSet taken, PacketDraft& draft) noexcept;

/// Brings the addresses of a key extension's tunnels in the order of the draft's endpoints. Once, when it has those.
void orient_key_extension(PacketDraft& draft, std::uint32_t wanted) noexcept;

/// Puts other octets in place of a block that has a length, or adds or removes it.
void replace_block(PacketDraft& draft, std::uint16_t bit, std::span<const std::uint8_t> octets) noexcept;

} // namespace orbweaver
