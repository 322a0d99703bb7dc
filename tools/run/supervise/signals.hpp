// SPDX-License-Identifier: GPL-3.0-or-later
// The signals of the front command, taken one by one where it waits: no handler runs anywhere else.
#pragma once

#include <chrono>
#include <csignal>

namespace orbweaver {

/// Blocks the signals that end a run (SIGINT, SIGTERM, SIGQUIT; SIGHUP unless it was ignored, as nohup does) and
/// SIGCHLD, until it is destroyed. `hangup_rotates`: SIGHUP does not end a run, and is taken even where it was ignored.
class SignalWatch {
public:
  explicit SignalWatch(bool hangup_rotates = false) noexcept;
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The next signal, or 0 when none came in that time.
  [[nodiscard]] int next(std::chrono::milliseconds time) noexcept;

private:
  sigset_t watched_{};
  sigset_t before_{};
};

} // namespace orbweaver
