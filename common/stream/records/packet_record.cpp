// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/records/packet_record.hpp"

namespace orbweaver {
namespace {

/// Whether the content of a block with a length, of `length` octets from `content` on, is what such a block may hold.
bool content_valid(std::uint16_t bit, std::span<const std::uint8_t> content) noexcept {
  switch (bit) {
  case PacketBlock::vlan_tags:
    return content.size() % sizeof(VlanTag) == 0 && content.size() <= max_vlan_tags * sizeof(VlanTag);
  case PacketBlock::tunnels: {
    std::uint32_t layers = 0;
    bool known = true;
    const bool whole = for_each_tunnel_layer(content, [&](const TunnelLayer& layer) {
      ++layers;
      known &= static_cast<std::size_t>(layer.kind) - 1 < tunnel_kinds;
    });
    return whole && known && layers <= max_tunnel_layers;
  }
  case PacketBlock::key_extension:
    return !content.empty() && content.size() <= max_key_extension;
  case PacketBlock::tcp_options:
    return content.size() <= max_tcp_options;
  default:
    return true;
  }
}

} // namespace

bool packet_blocks_valid(const PacketRecord& record, std::span<const std::uint8_t> octets) noexcept {
  if (record.blocks & ~PacketBlock::all || record.key.extended != (record.blocks & PacketBlock::key_extension))
    return false;
  const bool six = record.key.version == 6;
  for (unsigned left = record.blocks; left != 0; left &= left - 1) {
    const BlockShape& shape = block_shapes[std::countr_zero(left)];
    const auto bit = static_cast<std::uint16_t>(left & -left);
    if (octets.size() < shape.octets[six])
      return false;
    const std::uint8_t* const head = octets.data();
    octets = octets.subspan(shape.octets[six]);
    if (bit == PacketBlock::payload && (head[2] == 0 || head[2] > payload_kinds.size()))
      return false;
    if (!shape.has_length)
      continue;
    const auto length = read_block<std::uint16_t>(head);
    if (octets.size() < length || !content_valid(bit, octets.first(length)))
      return false;
    octets = octets.subspan(length);
  }
  return octets.empty();
}

} // namespace orbweaver
