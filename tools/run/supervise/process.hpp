// SPDX-License-Identifier: GPL-3.0-or-later
// A child process: a stage of the session. Started, asked to end, and waited for by the front command's only thread.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace orbweaver {

/// What a child gets for its standard input and output; its standard error is always ours.
struct ChildStreams {
  bool inherit_stdin = false;  ///< else /dev/null
  bool inherit_stdout = false; ///< else our standard error, so that only data goes to standard output
};

class Process {
public:
  Process() = default;

  /// Starts a program by its path. The child ignores SIGINT, SIGHUP and SIGQUIT, which a terminal sends to the whole
  /// group: the front command decides what they mean. It has SIGTERM blocked until it unblocks it. Throws Error.
  /// `handed` are handed on under their numbers.
  static Process start(const std::string& program, const std::vector<std::string>& arguments, ChildStreams streams,
                       const std::vector<int>& handed = {});

  /// Whether it was started and has not been seen to end.
  [[nodiscard]] bool running() const noexcept { return pid_ > 0 && !status_; }

  /// Looks whether it has ended, without waiting; true the one time that it is found to have.
  bool reap() noexcept;

  /// Waits until it has ended.
  void wait() noexcept;

  /// Sends a signal, if it is running.
  void kill(int signal) const noexcept;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// The signal that ended it, or 0. Only once it has ended.
  [[nodiscard]] int end_signal() const noexcept;
  /// Its exit status, or -1 where a signal ended it. Only once it has ended.
  [[nodiscard]] int exit_status() const noexcept;

private:
  pid_t pid_ = 0;
  std::optional<int> status_; ///< as waitpid gave it
};

/// "SIGKILL", "SIGSEGV", or "signal 40" for one without a name.
[[nodiscard]] std::string signal_name(int signal);

} // namespace orbweaver
