// SPDX-License-Identifier: GPL-3.0-or-later
// What a connection and its flow have in common: protocol, the peer's address and port, and the local port; where the
// targets connect to us (server mode), the peer's address and port alone. Owned by the merger; no state, any thread.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/job_record.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace orbweaver {

struct JoinKey {
  std::uint8_t peer[16]{}; ///< IPv4 in the first 4, the rest 0
  std::int32_t peer_port = 0;
  std::int32_t local_port = 0; ///< 0 in server mode
  std::uint8_t version = 0;
  std::uint8_t protocol = 0;
  std::uint8_t zero[6]{};

  [[nodiscard]] std::uint64_t hash() const noexcept { return XXH3_64bits(this, sizeof *this); }
  friend bool operator==(const JoinKey& a, const JoinKey& b) noexcept { return std::memcmp(&a, &b, sizeof a) == 0; }
};
static_assert(sizeof(JoinKey) == 32, "has no padding, so that all its octets can be hashed and compared");

[[nodiscard]] inline JoinKey join_key(std::uint8_t protocol, const Address& peer, std::int32_t peer_port,
                                      std::int32_t local_port) noexcept {
  JoinKey key;
  std::memcpy(key.peer, peer.octets, peer.version == 4 ? 4 : 16);
  key.version = peer.version;
  key.protocol = protocol;
  key.peer_port = peer_port;
  key.local_port = local_port;
  return key;
}

[[nodiscard]] inline JoinKey key_of(const ConnectionRecord& connection, bool server_mode) noexcept {
  if (server_mode)
    return join_key(connection.protocol, connection.source, connection.source_port, 0);
  return join_key(connection.protocol, connection.destination, connection.destination_port, connection.source_port);
}

/// The key of the connection that a flow belongs to; `reversed` where its first packet seen was the answer.
[[nodiscard]] inline JoinKey key_of(const FlowRecord& flow, bool server_mode, bool reversed) noexcept {
  const bool peer_is_source = server_mode != reversed;
  const auto& peer = peer_is_source ? flow.source : flow.destination;
  const auto peer_port = peer_is_source ? flow.source_port : flow.destination_port;
  const auto local_port = peer_is_source ? flow.destination_port : flow.source_port;
  return join_key(flow.protocol, peer, peer_port, server_mode ? 0 : local_port);
}

} // namespace orbweaver
