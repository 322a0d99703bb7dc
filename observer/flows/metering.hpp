// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of the flow meter's implementation share: seconds, reasons, sizes. No state.
#pragma once

#include "observer/flows/flow_meter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace orbweaver {

namespace metering {

inline constexpr std::uint64_t ns_per_s = 1'000'000'000;
/// A wheel for a timeout reaches a second further: a time within a second counts from the second's end.
constexpr std::uint64_t horizon_of(std::uint64_t timeout_s) noexcept {
  return timeout_s + 1;
}

/// Beyond this a second is no time of day but damage (in 2554): the clock does not follow it, so that a timeout later
/// still fits into nanoseconds.
inline constexpr std::uint64_t last_second =
    std::numeric_limits<std::uint64_t>::max() / ns_per_s - horizon_of(max_timeout_s);

inline std::uint64_t ceil_seconds(std::uint64_t ns) noexcept {
  return ns / ns_per_s + (ns % ns_per_s != 0);
}

inline std::uint32_t table_hash(const PacketRecord& record) noexcept {
  return static_cast<std::uint32_t>(record.flow_hash);
}

/// Why a flow leaves that leaves for this reason if it is still active.
inline EndReason reason_of(const Flow& flow, EndReason if_active) noexcept {
  return flow.state == FlowState::completed ? EndReason::end_of_flow : if_active;
}

/// Whether it is a connection of one endpoint with itself, which has one direction.
inline bool is_with_itself(const Flow& flow) noexcept {
  const std::size_t octets = addresses_length(flow.key.version) / 2;
  return flow.key.ports[0] == flow.key.ports[1] && std::memcmp(flow.addresses, flow.addresses + octets, octets) == 0;
}

inline FlowRecord record_of(const Flow& flow, EndReason reason, std::uint64_t losses) noexcept {
  FlowRecord record{};
  record.first_ns = flow.first_ns;
  record.last_ns = flow.last_ns;
  record.ring_drops = static_cast<std::uint32_t>(losses) - flow.losses_before;
  record.protocol = flow.key.protocol;
  record.end_reason = reason;
  const FlowEnds ends = ends_of(flow);
  record.source = ends.source;
  record.destination = ends.destination;
  record.source_port = ends.source_port;
  record.destination_port = ends.destination_port;
  return record;
}

/// Entries that the wheels hold at most for each slot: one that it leaves by, and two before a sweep in each other one.
inline std::uint64_t timers_a_flow(const FlowMeterOptions& options) noexcept {
  return options.active_timeout_s != 0 ? 5 : 3;
}

inline std::uint64_t most_flows(const FlowMeterOptions& options) noexcept {
  return std::min(options.max_flows, TimerPool::most_entries / timers_a_flow(options));
}

inline std::uint64_t buckets_of(const FlowMeterOptions& options) noexcept {
  std::uint64_t buckets = 0;
  for (const std::uint64_t timeout_s : {options.idle_timeout_s, options.active_timeout_s, options.complete_timeout_s})
    buckets += TimerWheel::buckets(horizon_of(timeout_s));
  return buckets;
}

} // namespace metering

} // namespace orbweaver
