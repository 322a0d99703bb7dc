// SPDX-License-Identifier: GPL-3.0-or-later
// How long a stage was away: the longest time between two looks at the clock. A stage's loop looks once a round, a
// sleep while nothing comes included (20 ms, or what the source takes); what is longer is a stall: the process had no
// core, waited for room in a ring, or was busy with one thing. Owned by the loop; one thread, a subtraction a look.
#pragma once

#include <chrono>
#include <cstdint>

namespace orbweaver {

class DutyCycle {
public:
  /// `now_ns` of CLOCK_MONOTONIC. The first look begins the first round.
  void look(std::uint64_t now_ns) noexcept {
    if (now_ns - last_ns_ > stall_max_ns_ && last_ns_ != 0) [[unlikely]]
      note(now_ns - last_ns_);
    last_ns_ = now_ns;
  }

  [[nodiscard]] std::uint64_t stall_max_ns() const noexcept { return stall_max_ns_; }
  /// When that time was over, in seconds since the epoch; 0 before the second look.
  [[nodiscard]] std::uint64_t stall_max_second() const noexcept { return stall_max_second_; }

private:
  [[gnu::noinline]] void note(std::uint64_t away_ns) noexcept {
    using namespace std::chrono;
    stall_max_ns_ = away_ns;
    stall_max_second_ =
        static_cast<std::uint64_t>(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
  }

  std::uint64_t last_ns_ = 0;
  std::uint64_t stall_max_ns_ = 0;
  std::uint64_t stall_max_second_ = 0;
};

} // namespace orbweaver
