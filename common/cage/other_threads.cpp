// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/cage/other_threads.hpp"

#include <atomic>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <poll.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace orbweaver {

namespace {

constexpr int patience_ms = 1000;

void (*what_to_do)() noexcept = nullptr;
std::atomic<std::size_t> done{0};

extern "C" void on_turn(int) {
  const int before = errno;
  what_to_do();
  done.fetch_add(1, std::memory_order_release); // pairs with the load in run_in_other_threads
  errno = before;
}

std::vector<pid_t> other_threads() {
  std::vector<pid_t> threads;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", none)) {
    const auto name = entry.path().filename().string();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    if (thread != gettid())
      threads.push_back(thread);
  }
  return threads;
}

} // namespace

std::size_t run_in_other_threads(void (*act)() noexcept) {
  const auto threads = other_threads();
  if (threads.empty())
    return 0;
  what_to_do = act;
  done.store(0, std::memory_order_relaxed);
  const int signal = SIGRTMAX;
  struct sigaction action {
  }, before{};
  action.sa_handler = on_turn;
  action.sa_flags = SA_RESTART; // a thread that reads goes on reading
  sigfillset(&action.sa_mask);
  sigaction(signal, &action, &before);
  std::size_t asked = 0;
  for (const pid_t thread : threads)
    asked += syscall(SYS_tgkill, getpid(), thread, signal) == 0;
  for (int waited_ms = 0; done.load(std::memory_order_acquire) < asked && waited_ms < patience_ms; ++waited_ms)
    poll(nullptr, 0, 1);
  const auto missing = asked - done.load(std::memory_order_acquire);
  if (missing == 0) // or it may still come
    sigaction(signal, &before, nullptr);
  return missing;
}

} // namespace orbweaver
