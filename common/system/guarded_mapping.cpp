// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/guarded_mapping.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <errno.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

struct GuardedMapping::Entry {
  std::uintptr_t begin, end;
  std::string text; ///< what is said
  volatile std::sig_atomic_t* lost;
  std::size_t place;

  ~Entry();
};

namespace {

/// A process has a ring for each observer, a control segment and a few files; `stats` looks at all of a session.
constexpr std::size_t most_mappings = 1024;

/// A signal handler may look at them at any time.
struct Slot {
  std::atomic<bool> taken;
  std::atomic<std::uintptr_t> begin, end;
  std::atomic<const char*> text;
  std::atomic<volatile std::sig_atomic_t*> lost;
};
std::array<Slot, most_mappings> slots;
volatile std::sig_atomic_t lost_somewhere = 0;

void say(const char* text) noexcept {
  static_cast<void>(!write(STDERR_FILENO, text, std::strlen(text)));
}

extern "C" void on_bus_error(int signal, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const auto& slot : slots) {
    if (info->si_code <= 0 || at < slot.begin.load(std::memory_order_acquire) ||
        at >= slot.end.load(std::memory_order_relaxed))
      continue;
    auto* const lost = slot.lost.load(std::memory_order_relaxed);
    if (!lost) {
      say(program_invocation_short_name);
      say(slot.text.load(std::memory_order_relaxed));
      _exit(1);
    }
    const auto page_octets = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    void* const page = reinterpret_cast<void*>(at / page_octets * page_octets);
    if (mmap(page, page_octets, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
      break;
    *lost = 1;
    lost_somewhere = 1;
    return;
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void handle_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

} // namespace

volatile std::sig_atomic_t& GuardedMapping::any_lost() noexcept {
  return lost_somewhere;
}

GuardedMapping::Entry::~Entry() {
  if (place == most_mappings)
    return;
  slots[place].begin.store(UINTPTR_MAX, std::memory_order_release);
  slots[place].taken.store(false, std::memory_order_release);
}

GuardedMapping::GuardedMapping(const void* data, std::size_t octets, std::string name, volatile std::sig_atomic_t* lost)
    : entry_(std::make_shared<Entry>()) {
  auto& entry = *entry_;
  entry.begin = reinterpret_cast<std::uintptr_t>(data);
  entry.end = entry.begin + octets;
  entry.text = ": error: " + std::move(name) + " was cut shorter by somebody else while it was in use: ending\n";
  entry.lost = lost;
  for (entry.place = 0; entry.place < most_mappings; ++entry.place) {
    auto& slot = slots[entry.place];
    if (slot.taken.exchange(true, std::memory_order_acquire))
      continue;
    slot.end.store(entry.end, std::memory_order_relaxed);
    slot.text.store(entry.text.c_str(), std::memory_order_relaxed);
    slot.lost.store(lost, std::memory_order_relaxed);
    slot.begin.store(entry.begin, std::memory_order_release);
    break;
  }
  static const bool handled = (handle_bus_errors(), true);
  static_cast<void>(handled);
}

} // namespace orbweaver
