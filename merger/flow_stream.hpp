// SPDX-License-Identifier: GPL-3.0-or-later
// What may stand in a flow stream, and what is said of anything else. Owned by the merger; no state.
#pragma once

#include "common/stream/record.hpp"

#include <cstdint>
#include <string>

namespace orbweaver {

/// Why a record does not belong into a stream of flows of `record_bytes` octets each.
[[nodiscard]] inline std::string what_is_odd(const RecordHeader& record, std::uint32_t record_bytes) {
  if (record.kind == RecordKind::flow)
    return "a flow of " + std::to_string(record.length) + " octets, its field table says " +
           std::to_string(record_bytes);
  return "a record of kind " + std::to_string(static_cast<unsigned>(record.kind)) + " and " +
         std::to_string(record.length) + " octets among flows";
}

} // namespace orbweaver
