// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/key_extension.hpp"

#include "common/stream/records/needs.hpp"

#include <algorithm>
#include <cstring>

namespace orbweaver {
namespace {

/// Writes a layer and returns its octets.
std::uint32_t put_layer(const NotedLayer& layer, std::uint8_t* out) noexcept {
  const std::uint32_t addresses = layer.head.version == 0 ? 0 : addresses_length(layer.head.version);
  std::memcpy(out, &layer.head, sizeof layer.head);
  std::memcpy(out + sizeof layer.head, layer.addresses.data(), addresses);
  return static_cast<std::uint32_t>(sizeof layer.head) + addresses;
}

/// Whether a layer is of the key: every tunnel that was taken off is, a link's own where it was asked for.
bool is_of_key(const NotedLayer& layer, TunnelSet taken) noexcept {
  return layer.head.version != 0 || taken.has(layer.head.kind);
}

} // namespace

std::uint32_t tunnel_octets(const LinkHeaders& headers, std::uint8_t* out) noexcept {
  std::uint32_t length = 0;
  for (std::uint32_t place = 0; place < headers.layer_count; ++place)
    length += put_layer(headers.layers[place], out + length);
  return length;
}

void add_key_extension(const LinkHeaders& headers, std::uint32_t wanted, TunnelSet taken, PacketDraft& draft) noexcept {
  std::uint8_t octets[max_key_extension];
  std::uint32_t length = 0;
  bool says_something = false;
  if (wanted & Need::key_vlan) {
    says_something = headers.tag_count != 0;
    octets[length++] = static_cast<std::uint8_t>(headers.tag_count);
    for (std::uint32_t place = 0; place < headers.tag_count; ++place) {
      const std::uint16_t id = headers.tags[place].id();
      std::memcpy(octets + length, &id, sizeof id);
      length += sizeof id;
    }
  }
  if (wanted & Need::key_tunnel) {
    std::uint8_t& count = octets[length++] = 0;
    for (std::uint32_t place = 0; place < headers.layer_count; ++place)
      if (is_of_key(headers.layers[place], taken)) {
        length += put_layer(headers.layers[place], octets + length);
        ++count;
      }
    says_something |= count != 0;
  }
  if (!says_something)
    return;
  draft.record.key.extended = 1;
  draft.add_octets(PacketBlock::key_extension, octets, length);
}

void orient_key_extension(PacketDraft& draft, std::uint32_t wanted) noexcept {
  if (!draft.record.key.extended || !(wanted & Need::key_tunnel))
    return;
  const std::uint32_t own = addresses_length(draft.record.key.version) / 2;
  const bool same = std::memcmp(draft.addresses, draft.addresses + own, own) == 0;
  const bool from_high = draft.record.bits & PacketBits::from_high;
  std::uint8_t* at = draft.blocks + sizeof(std::uint16_t);
  if (wanted & Need::key_vlan)
    at += 1 + *at * sizeof(std::uint16_t);
  for (std::uint8_t left = *at++; left != 0; --left) {
    const auto head = read_block<TunnelHead>(at);
    at += sizeof head;
    if (head.version == 0)
      continue;
    const std::uint32_t half = addresses_length(head.version) / 2;
    // Of a host that talks to itself the endpoints have no order: the tunnel's addresses have one of their own.
    if (same ? std::memcmp(at, at + half, half) > 0 : from_high)
      std::swap_ranges(at, at + half, at + half);
    at += std::size_t{2} * half;
  }
}

void replace_block(PacketDraft& draft, std::uint16_t bit, std::span<const std::uint8_t> octets) noexcept {
  std::uint8_t* const at =
      draft.blocks + octets_before(bit, draft.record.blocks, draft.record.key.version, draft.blocks);
  const std::size_t old = draft.record.blocks & bit ? 2u + read_block<std::uint16_t>(at) : 0u;
  const std::size_t now = octets.empty() ? 0 : 2 + octets.size();
  const std::uint8_t* const rest = at + old;
  std::memmove(at + now, rest, static_cast<std::size_t>(draft.blocks + draft.blocks_length - rest));
  draft.blocks_length = static_cast<std::uint32_t>(draft.blocks_length + now - old);
  draft.record.blocks =
      static_cast<std::uint16_t>(octets.empty() ? draft.record.blocks & ~bit : draft.record.blocks | bit);
  if (!octets.empty()) {
    const auto told = static_cast<std::uint16_t>(octets.size());
    std::memcpy(at, &told, sizeof told);
    std::memcpy(at + sizeof told, octets.data(), octets.size());
  }
}

} // namespace orbweaver
