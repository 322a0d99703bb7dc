// SPDX-License-Identifier: GPL-3.0-or-later
// The spider's event loop: sockets that become ready (epoll) and timers. One thread; calls come from run_once() alone,
// and each may watch, forget, schedule and cancel whatever it likes, itself too.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace orbweaver {

class EventLoop {
public:
  /// `events` as epoll gave them: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP.
  using Ready = std::function<void(std::uint32_t events)>;
  using Timer = std::uint64_t; ///< never 0

  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  /// Calls `ready` whenever one of `events` (EPOLLIN, EPOLLOUT) holds, until forget(fd), which must come before the
  /// descriptor is closed. Throws Error where the system refuses.
  void watch(int fd, std::uint32_t events, Ready ready);
  /// Changes what is waited for.
  void change(int fd, std::uint32_t events);
  void forget(int fd) noexcept;

  /// Calls `due` once, when CLOCK_MONOTONIC (monotonic_ns) has come to that time, in the order of the times.
  Timer call_at(std::uint64_t time_ns, std::function<void()> due);
  /// Does nothing for a timer that was called or cancelled, or for 0.
  void cancel(Timer timer) noexcept;
  /// Calls it in the next round.
  Timer call_soon(std::function<void()> due);

  /// Waits until something is ready or due, at most that long, and calls what is; returns how many calls it made.
  std::size_t run_once(std::chrono::milliseconds longest);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace orbweaver
