// SPDX-License-Identifier: GPL-3.0-or-later
// The clock that connection records and captured packets share.
#pragma once

#include <chrono>
#include <cstdint>

namespace orbweaver {

/// Nanoseconds of CLOCK_REALTIME.
[[nodiscard]] inline std::uint64_t realtime_ns() noexcept {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count());
}

} // namespace orbweaver
