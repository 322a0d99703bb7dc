// SPDX-License-Identifier: GPL-3.0-or-later
// The packet clock: the time that packets say, in whole seconds rounded up, never backwards.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace orbweaver {

class PacketClock {
public:
  /// Moves the clock to ceil(time_ns in seconds). Returns whether it stepped; the first call always steps.
  [[nodiscard]] bool advance(std::uint64_t time_ns) noexcept {
    if (time_ns < next_step_ns_) [[likely]]
      return false;
    return step(time_ns);
  }

  /// Seconds since the epoch; 0 before the first step.
  [[nodiscard]] std::uint64_t second() const noexcept { return second_; }

private:
  static constexpr std::uint64_t ns_per_second = 1'000'000'000;
  /// The last second whose end can be told in 64 bits of nanoseconds: the clock stands still there (the year 2554).
  static constexpr std::uint64_t last_second = std::numeric_limits<std::uint64_t>::max() / ns_per_second;

  bool step(std::uint64_t time_ns) noexcept {
    const bool first = next_step_ns_ == 0;
    const std::uint64_t second = std::min(time_ns / ns_per_second + (time_ns % ns_per_second != 0), last_second);
    const bool stepped = first || second > second_;
    second_ = second;
    next_step_ns_ = second * ns_per_second + 1;
    return stepped;
  }

  std::uint64_t second_ = 0;
  std::uint64_t next_step_ns_ = 0; ///< the first time that steps the clock; 0 before the first packet
};

} // namespace orbweaver
