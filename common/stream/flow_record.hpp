// SPDX-License-Identifier: GPL-3.0-or-later
// A flow as it crosses from an observer to the merger: this core, then the state of each chosen chain as it lay in the
// flow table. The stream's field table says where each field is; readers go by that alone.
#pragma once

#include "common/stream/record.hpp"

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

/// The name of the IPFIX registry; empty for a value that does not exist.
[[nodiscard]] constexpr std::string_view to_string(EndReason reason) noexcept {
  switch (reason) {
  case EndReason::idle_timeout:
    return "idle timeout";
  case EndReason::active_timeout:
    return "active timeout";
  case EndReason::end_of_flow:
    return "end of Flow detected";
  case EndReason::forced_end:
    return "forced end";
  case EndReason::lack_of_resources:
    return "lack of resources";
  }
  return {};
}

/// An address as FieldType::address has it.
struct FlowAddress {
  std::uint8_t octets[16]; ///< network order; IPv4 in the first 4
  std::uint8_t version;    ///< 4 or 6
};
static_assert(sizeof(FlowAddress) == 17);

/// What every flow has. The chains' states follow, each at the offset that the observer gave it.
struct FlowRecord {
  RecordHeader header;
  std::uint64_t first_ns; ///< first and last packet, since the epoch
  std::uint64_t last_ns;
  std::uint64_t ring_drops; ///< packets lost on the way to its observer while the flow was open (LossRecord)
  std::int32_t source_port; ///< -1: none
  std::int32_t destination_port;
  FlowAddress source; ///< of the forward direction
  FlowAddress destination;
  std::uint8_t protocol;
  EndReason end_reason;
  std::uint8_t reserved[4];
};
static_assert(sizeof(FlowRecord) == 80);

} // namespace orbweaver
