// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of a record that does not belong into a stream of flows. Owned by the merger; no state.
#pragma once

#include "common/stream/record.hpp"

#include <string>

namespace orbweaver {

[[nodiscard]] inline std::string what_is_odd(const RecordHeader& record) {
  return "a record of kind " + std::to_string(static_cast<unsigned>(record.kind)) + " and " +
         std::to_string(record.length) + " octets among flows";
}

} // namespace orbweaver
