// SPDX-License-Identifier: GPL-3.0-or-later
// A flow as it crosses from an observer to the merger: this core, then the state of each chosen chain as it lay in the
// flow table, then a tail with what is of variable length; and an event that a chain emitted while the flow went on.
// The stream's description says where each field is; readers go by that alone.
#pragma once

#include "common/stream/field_types.hpp"
#include "common/stream/record.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace orbweaver {

/// Why a flow ended: IPFIX element 136, flowEndReason (RFC 5102, 5.11.3).
enum class EndReason : std::uint8_t {
  idle_timeout = 1,
  active_timeout = 2,
  end_of_flow = 3,
  forced_end = 4,
  lack_of_resources = 5,
};

/// Their names in the IPFIX registry.
constexpr std::array<std::string_view, 6> enumerator_names(EndReason) noexcept {
  return {"", "idle timeout", "active timeout", "end of Flow detected", "forced end", "lack of resources"};
}

/// The name of a reason; empty for a value that does not exist.
[[nodiscard]] constexpr std::string_view to_string(EndReason reason) noexcept {
  const auto names = enumerator_names(reason);
  const auto place = static_cast<std::size_t>(reason);
  return place < names.size() ? names[place] : std::string_view();
}

/// What every flow has. The chains' states follow, each at the offset that the observer gave it.
struct FlowRecord {
  RecordHeader header;
  std::uint64_t first_ns; ///< first and last packet, since the epoch
  std::uint64_t last_ns;
  std::uint64_t ring_drops; ///< packets lost on the way to its observer while the flow was open (LossRecord)
  std::int32_t source_port; ///< -1: none
  std::int32_t destination_port;
  Address source; ///< of the forward direction
  Address destination;
  std::uint8_t protocol;
  EndReason end_reason;
  std::uint8_t reserved[4];
};
static_assert(sizeof(FlowRecord) == 80);

/// What every event has; the event's own fields follow it.
struct EventRecord {
  RecordHeader header;
  std::uint64_t time_ns;    ///< of the packet that made it, since the epoch
  std::int32_t source_port; ///< of the flow that it is of, as in FlowRecord
  std::int32_t destination_port;
  Address source;
  Address destination;
  std::uint8_t protocol;
  std::uint8_t reserved[5];
};
static_assert(sizeof(EventRecord) == 64);

} // namespace orbweaver
