// SPDX-License-Identifier: GPL-3.0-or-later
// One flow in the table. What a packet looks at first lies in the first cache line; the chains' states follow.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/packet_record.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace orbweaver {

/// Where a flow is in its life.
enum class FlowState : std::uint8_t {
  free,      ///< the slot is not in use
  active,    ///< waits for packets
  completed, ///< a chain said so; leaves a few seconds after its last packet
  vetoed,    ///< a chain did not want it: its packets are ignored
  dormant,   ///< its record has left, and it is not idle yet: its next packet begins another one
};

/// Where the flows of a table have key extensions, which most tables have not: behind the chains' states, two octets of
/// length and the extension.
struct KeyRoom {
  std::uint32_t offset = 0; ///< in a Flow
  std::uint32_t octets = 0; ///< with the length; 0: there is none

  /// A packet's extension, or as much of one as there is room for: a stream that says what its keys have has no other.
  [[nodiscard]] std::span<const std::uint8_t> of(PacketView packet) const noexcept {
    const auto extension = packet.key_extension();
    return extension.first(std::min<std::size_t>(extension.size(), octets < 2 ? 0 : octets - 2));
  }
};

struct Flow {
  FlowKeyHead key;
  std::uint8_t addresses[32]; ///< as in PacketRecord; IPv4 has the first 8, the rest is 0
  std::uint64_t last_ns;      ///< the latest time of its packets, as they say it
  std::uint64_t latest_ns;    ///< the latest by the packet clock: when the flow is idle follows from it
  std::uint32_t idle_entry_s; ///< the second, modulo 2^32, of the slot's entry in the idle wheel (FlowBits::in_idle)
  FlowState state;
  std::uint8_t bits; ///< FlowBits
  union {
    std::uint16_t completed;   ///< chains that said complete, where all of them have to; then FlowMeter's
    std::uint16_t packets_low; ///< of a flow that is kept: its packets, the low half (BesideFlow)
  };

  std::uint64_t first_ns; ///< the earliest time of its packets, as they say it
  std::uint32_t hash;
  union {
    std::uint32_t losses_before; ///< packets that the ring had lost when the flow opened, modulo 2^32
    std::uint32_t next_free;     ///< in a free slot
  };
  // The chains' states follow here, in the second cache line and on.

  [[nodiscard]] std::byte* states() noexcept { return reinterpret_cast<std::byte*>(this) + states_offset; }

  /// `room`: what the table has for key extensions.
  [[nodiscard]] bool has_key_of(PacketView packet, KeyRoom room) const noexcept {
    if (std::memcmp(&key, &packet->key, sizeof key) != 0)
      return false;
    const bool same = key.version == 4 ? std::memcmp(addresses, packet.addresses(), 8) == 0
                                       : std::memcmp(addresses, packet.addresses(), 32) == 0;
    return same && (key.extended == 0 || has_extension_of(packet, room)); // the packet has one where the flow has
  }
  [[gnu::noinline]] bool has_extension_of(PacketView packet, KeyRoom room) const noexcept {
    const auto extension = room.of(packet);
    const auto* at = reinterpret_cast<const std::uint8_t*>(this) + room.offset;
    return room.octets == 0 || (read_block<std::uint16_t>(at) == extension.size() &&
                                std::memcmp(at + 2, extension.data(), extension.size()) == 0);
  }
  void set_extension_of(PacketView packet, KeyRoom room) noexcept {
    const auto extension = room.of(packet);
    const auto length = static_cast<std::uint16_t>(extension.size());
    if (room.octets == 0)
      return;
    auto* at = reinterpret_cast<std::uint8_t*>(this) + room.offset;
    std::memcpy(at, &length, sizeof length);
    std::memcpy(at + sizeof length, extension.data(), extension.size());
  }

  static constexpr std::uint32_t states_offset = 80;
};
static_assert(offsetof(Flow, first_ns) == 64, "the first line holds what every packet touches");
static_assert(offsetof(Flow, losses_before) + 4 == Flow::states_offset);

namespace FlowBits {
inline constexpr std::uint8_t forward_from_high = 0x01; ///< the forward direction is from the key's second endpoint
// The slot has an entry in that wheel. They stay with the slot, as its entries do.
inline constexpr std::uint8_t in_idle = 0x02;
inline constexpr std::uint8_t in_active = 0x04;
inline constexpr std::uint8_t in_leaving = 0x08;
inline constexpr std::uint8_t in_wheels = in_idle | in_active | in_leaving;
/// Who opened it is known: the direction stays, whoever sends a SYN.
inline constexpr std::uint8_t opener_known = 0x10;
} // namespace FlowBits

} // namespace orbweaver
