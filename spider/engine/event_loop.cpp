// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/engine/event_loop.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/stream/ring/wait.hpp"
#include "spider/engine/timer_heap.hpp"

#include <algorithm>
#include <array>
#include <sys/epoll.h>
#include <utility>
#include <vector>

namespace orbweaver {

namespace {

/// What is watched on a descriptor. The generation tells an event of a descriptor that was closed in the same round
/// from one of the descriptor that got its number.
struct Watch {
  EventLoop::Ready ready;
  std::uint32_t generation = 0;
  bool active = false;
};

std::uint64_t event_key(int fd, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

} // namespace

struct EventLoop::State {
  FileDescriptor epoll;
  std::vector<Watch> watches; ///< by descriptor
  TimerHeap timers;
  std::uint64_t round_ns = 0; ///< what is due by then is called in this round
  bool calling = false;       ///< timers, now

  Watch* find(int fd) noexcept {
    const auto place = static_cast<std::size_t>(fd);
    return fd >= 0 && place < watches.size() && watches[place].active ? &watches[place] : nullptr;
  }

  std::size_t call_ready(const epoll_event& event) {
    const int fd = static_cast<int>(event.data.u64 & 0xFFFF'FFFF);
    const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32);
    Watch* watch = find(fd);
    if (!watch || watch->generation != generation)
      return 0;
    // Held here while it runs: it may forget itself, and the table may move.
    Ready ready = std::move(watch->ready);
    ready(event.events);
    watch = find(fd);
    if (watch && watch->generation == generation)
      watch->ready = std::move(ready);
    return 1;
  }

  std::size_t call_due() {
    round_ns = monotonic_ns();
    calling = true;
    std::size_t calls = 0;
    for (; !timers.empty() && timers.earliest_ns() <= round_ns; ++calls)
      timers.pop()();
    calling = false;
    return calls;
  }

  /// Milliseconds that epoll may wait, rounded up so that a timer is due when it is over.
  [[nodiscard]] int wait_ms(std::chrono::milliseconds longest) const {
    auto wait = longest.count();
    if (!timers.empty()) {
      const std::uint64_t now = monotonic_ns(), due = timers.earliest_ns();
      const std::uint64_t left_ms = due > now ? (due - now + 999'999) / 1'000'000 : 0;
      wait = static_cast<decltype(wait)>(std::min(left_ms, static_cast<std::uint64_t>(wait)));
    }
    return static_cast<int>(wait);
  }
};

EventLoop::EventLoop() : state_(std::make_unique<State>()) {
  state_->epoll.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!state_->epoll)
    throw Error("cannot make an epoll descriptor: " + errno_text());
}

EventLoop::~EventLoop() = default;

void EventLoop::watch(int fd, std::uint32_t events, Ready ready) {
  auto& watches = state_->watches;
  if (static_cast<std::size_t>(fd) >= watches.size())
    watches.resize(std::max<std::size_t>(static_cast<std::size_t>(fd) + 1, watches.size() * 2));
  Watch& watch = watches[static_cast<std::size_t>(fd)];
  epoll_event event{};
  event.events = events;
  event.data.u64 = event_key(fd, watch.generation + 1);
  if (epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    throw Error("cannot wait for descriptor " + std::to_string(fd) + ": " + errno_text());
  watch.ready = std::move(ready);
  ++watch.generation;
  watch.active = true;
}

void EventLoop::change(int fd, std::uint32_t events) {
  const Watch* watch = state_->find(fd);
  if (!watch)
    throw Error("descriptor " + std::to_string(fd) + " is not watched");
  epoll_event event{};
  event.events = events;
  event.data.u64 = event_key(fd, watch->generation);
  if (epoll_ctl(state_->epoll.get(), EPOLL_CTL_MOD, fd, &event) != 0)
    throw Error("cannot wait for descriptor " + std::to_string(fd) + ": " + errno_text());
}

void EventLoop::forget(int fd) noexcept {
  Watch* watch = state_->find(fd);
  if (!watch)
    return;
  epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  watch->active = false;
  watch->ready = nullptr;
}

EventLoop::Timer EventLoop::call_at(std::uint64_t time_ns, std::function<void()> due) {
  // What a timer schedules comes in the next round at the earliest, so that every round ends.
  return state_->timers.add(state_->calling ? std::max(time_ns, state_->round_ns + 1) : time_ns, std::move(due));
}

void EventLoop::cancel(Timer timer) noexcept {
  state_->timers.cancel(timer);
}

EventLoop::Timer EventLoop::call_soon(std::function<void()> due) {
  return call_at(0, std::move(due));
}

std::size_t EventLoop::run_once(std::chrono::milliseconds longest) {
  std::array<epoll_event, 256> events;
  const int ready =
      epoll_wait(state_->epoll.get(), events.data(), static_cast<int>(events.size()), state_->wait_ms(longest));
  std::size_t calls = 0;
  for (int i = 0; i < ready; ++i)
    calls += state_->call_ready(events.at(static_cast<std::size_t>(i)));
  return calls + state_->call_due();
}

} // namespace orbweaver
