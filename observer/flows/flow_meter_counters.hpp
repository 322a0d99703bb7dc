// SPDX-License-Identifier: GPL-3.0-or-later
// What a flow meter counts. No state.
#pragma once

#include <array>
#include <cstdint>

namespace orbweaver {

struct FlowMeterCounters {
  std::uint64_t packets_counted = 0;
  std::uint64_t packets_ignored = 0;
  std::uint64_t packets_lost = 0;
  std::uint64_t icmp_errors = 0;
  std::uint64_t flows_opened = 0;
  std::uint64_t flows_vetoed = 0;
  std::array<std::uint64_t, 6> ended{}; ///< by EndReason
};

} // namespace orbweaver
