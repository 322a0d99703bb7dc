// SPDX-License-Identifier: GPL-3.0-or-later
// Who a process is, as it writes itself down in shared memory, and whether it still runs. A process id alone does not
// tell: ids are given again, and with one /dev/shm for several pid namespaces (containers) they are not even of one
// list. So its start time stands beside it, and the namespace; of a process of another one only its heartbeats tell.
#pragma once

#include <atomic>
#include <cstdint>
#include <sys/types.h>

namespace orbweaver {

/// In shared memory. Written by the process itself; all zero: nobody has.
struct ProcessMark {
  std::atomic<std::uint64_t> started; ///< clock ticks since the machine's start, as in /proc/PID/stat; 0: not known
  std::atomic<pid_t> pid;
  std::atomic<std::uint32_t> space; ///< lower half of the inode of its pid namespace

  /// Marks this process.
  void set_self() noexcept;

  /// Whether the process that it is of runs; one that has died and only waits to be reaped does not. `heartbeat_ns` is
  /// when it last gave a sign of life (CLOCK_MONOTONIC), 0 where it gives none: after longest_silence_ns without one a
  /// process that cannot be looked at counts as dead. Looks at the process table: for slow paths.
  [[nodiscard]] bool lives(std::uint64_t heartbeat_ns) const noexcept;

  /// Whether it is this one's parent.
  [[nodiscard]] bool is_parent() const noexcept;

  static constexpr std::uint64_t longest_silence_ns = 60'000'000'000;
};
static_assert(sizeof(ProcessMark) == 16);

} // namespace orbweaver
