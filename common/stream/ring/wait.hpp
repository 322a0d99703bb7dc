// SPDX-License-Identifier: GPL-3.0-or-later
// How an end of a ring waits for the other: spin, then yield, then sleep on a futex in the ring's header.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <sched.h>

namespace orbweaver {

/// Tells the processor that this is a spin loop.
inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Asks for a cache line that will be written and that another core has: as one's own, in one step.
inline void prefetch_for_write(const void* at) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0"
               :
               : "m"(*static_cast<const char*>(at))); // the builtin is a plain prefetch without -mprfchw
#else
  __builtin_prefetch(at, 1);
#endif
}

/// Nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] inline std::uint64_t monotonic_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// Sleeps while `word` is `expected`, until futex_wake, a signal, or the time is over. Works between processes.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::chrono::nanoseconds time) noexcept;

/// Wakes one sleeper on `word`.
void futex_wake(std::atomic<std::uint32_t>& word) noexcept;

/// Sleeps at most this long at a time, so that a stop request or a dead peer is noticed.
inline constexpr std::chrono::milliseconds longest_sleep{20};

/// Waits until `ready()` for one round (spin, yield, then at most one sleep of `sleep`); returns what `ready()` said
/// last.
/// `word` is the waiter's own futex word. The sleeper's store of 1 and its second look are ordered by a full fence that
/// pairs with the one in wake_peer: either the waiter sees the change, or the other end sees the 1.
template <typename Ready>
bool wait_round(std::atomic<std::uint32_t>& word, bool busy_poll, Ready&& ready,
                std::chrono::nanoseconds sleep = longest_sleep) noexcept {
  constexpr int spins = 64, yields = 2;
  for (int i = 0; i < (busy_poll ? 4096 : spins); ++i) {
    if (ready())
      return true;
    spin_pause();
  }
  if (busy_poll)
    return false;
  for (int i = 0; i < yields; ++i) {
    sched_yield();
    if (ready())
      return true;
  }
  word.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst); // pairs with the fence in wake_peer
  if (!ready())
    futex_wait(word, 1, sleep);
  word.store(0, std::memory_order_relaxed);
  return ready();
}

/// Wakes the other end if it sleeps on `word` and `worthwhile()`; called after a release store that it waits for.
template <typename Worthwhile>
void wake_peer(std::atomic<std::uint32_t>& word, Worthwhile&& worthwhile) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst); // pairs with the fence in wait_round
  if (word.load(std::memory_order_relaxed) != 0 && worthwhile()) [[unlikely]] {
    word.store(0, std::memory_order_relaxed);
    futex_wake(word);
  }
}
inline void wake_peer(std::atomic<std::uint32_t>& word) noexcept {
  wake_peer(word, [] { return true; });
}

} // namespace orbweaver
