// SPDX-License-Identifier: GPL-3.0-or-later
// The flow hash: XXH3 of the canonical key, seeded for each session, so that nobody outside can aim at one bucket or
// one observer. Equal for both directions, as the key is. Capture computes it once; observers use it as it is.
#pragma once

#include "capture/dissect/packet_draft.hpp"
#include "common/stream/records/packet_record.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <span>

namespace orbweaver {

/// Hash of the key's head and its addresses (8 octets for IPv4, 32 for IPv6) in the order of the record.
[[nodiscard]] inline std::uint64_t flow_hash(const FlowKeyHead& head, const std::uint8_t* addresses,
                                             std::uint64_t seed) noexcept {
  std::uint8_t key[sizeof head + 32];
  std::memcpy(key, &head, sizeof head);
  if (head.version == 6) {
    std::memcpy(key + sizeof head, addresses, 32);
    return XXH3_64bits_withSeed(key, sizeof head + 32, seed);
  }
  std::memcpy(key + sizeof head, addresses, 8);
  return XXH3_64bits_withSeed(key, sizeof head + 8, seed);
}

/// The same of a key that may be extended.
[[nodiscard]] inline std::uint64_t flow_hash(const PacketDraft& draft, std::uint64_t seed) noexcept {
  if (!draft.record.key.extended) [[likely]]
    return flow_hash(draft.record.key, draft.addresses, seed);
  const std::span<const std::uint8_t> extension = draft.key_extension();
  const std::uint32_t addresses = addresses_length(draft.record.key.version);
  std::uint8_t key[sizeof(FlowKeyHead) + 32 + max_key_extension];
  std::memcpy(key, &draft.record.key, sizeof(FlowKeyHead));
  std::memcpy(key + sizeof(FlowKeyHead), draft.addresses, addresses);
  std::memcpy(key + sizeof(FlowKeyHead) + addresses, extension.data(), extension.size());
  return XXH3_64bits_withSeed(key, sizeof(FlowKeyHead) + addresses + extension.size(), seed);
}

/// Which of `observers` a flow belongs to. Takes the upper half of the hash, so that an observer's table, which uses
/// the lower half that records carry, is filled evenly.
[[nodiscard]] constexpr std::uint32_t shard_of(std::uint64_t hash, std::uint32_t observers) noexcept {
  return static_cast<std::uint32_t>((hash >> 32) * observers >> 32);
}

} // namespace orbweaver
