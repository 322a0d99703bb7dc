// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/supervise/signals.hpp"

namespace orbweaver {

namespace {

bool is_ignored(int signal) noexcept {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

} // namespace

SignalWatch::SignalWatch(bool hangup_rotates) noexcept {
  sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGCHLD})
    sigaddset(&watched_, signal);
  if (hangup_rotates || !is_ignored(SIGHUP)) // what is blocked is kept, ignored or not
    sigaddset(&watched_, SIGHUP);
  sigprocmask(SIG_BLOCK, &watched_, &before_);
}

SignalWatch::~SignalWatch() {
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int SignalWatch::next(std::chrono::milliseconds time) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  const timespec timeout{seconds.count(), std::chrono::nanoseconds(time - seconds).count()};
  const int signal = sigtimedwait(&watched_, nullptr, &timeout);
  return signal > 0 ? signal : 0;
}

} // namespace orbweaver
