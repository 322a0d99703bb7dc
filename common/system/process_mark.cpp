// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/process_mark.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orbweaver {

namespace {

std::uint32_t own_space() noexcept {
  struct stat status {};
  return stat("/proc/self/ns/pid", &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

/// What /proc says of a process.
struct Seen {
  bool gone; ///< a zombie
  std::uint64_t started;
};
std::optional<Seen> look_at(pid_t pid) noexcept {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
  const int fd = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return std::nullopt;
  std::array<char, 1024> text{};
  const auto size = read(fd, text.data(), text.size() - 1);
  close(fd);
  // "pid (name) state ...": the name may hold anything, so the last parenthesis counts. The start time is the 20th word
  // from the state on (proc(5)).
  const char* at = size > 0 ? std::strrchr(text.data(), ')') : nullptr;
  if (!at || at[1] == '\0')
    return std::nullopt;
  const char state = at[2];
  for (int word = 0; at && word < 20; ++word)
    at = std::strchr(at + 1, ' ');
  return at ? std::optional(Seen{state == 'Z' || state == 'X', std::strtoull(at, nullptr, 10)}) : std::nullopt;
}

bool is_silent(std::uint64_t heartbeat_ns) noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  return now_ns > heartbeat_ns && now_ns - heartbeat_ns > ProcessMark::longest_silence_ns;
}

/// Whether a process of that id runs, whichever it is.
bool runs(pid_t pid) noexcept {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0)
    return errno != ESRCH && errno != EINVAL; // EINVAL: the id of a thread
  pollfd ended{fd, POLLIN, 0};
  const bool has_ended = poll(&ended, 1, 0) > 0;
  close(fd);
  return !has_ended;
}

} // namespace

void ProcessMark::set_self() noexcept {
  const pid_t self = getpid();
  const auto seen = look_at(self);
  started.store(seen ? seen->started : 0, std::memory_order_relaxed);
  space.store(own_space(), std::memory_order_relaxed);
  pid.store(self, std::memory_order_release);
}

bool ProcessMark::lives(std::uint64_t heartbeat_ns) const noexcept {
  const pid_t id = pid.load(std::memory_order_acquire);
  if (id <= 0)
    return false;
  if (const auto its_space = space.load(std::memory_order_relaxed);
      its_space != 0 && own_space() != 0 && its_space != own_space())
    return !is_silent(heartbeat_ns);
  if (!runs(id))
    return false;
  const auto seen = look_at(id);
  if (!seen) // there is no /proc to look into
    return heartbeat_ns == 0 || !is_silent(heartbeat_ns);
  const auto then = started.load(std::memory_order_relaxed);
  return !seen->gone && (then == 0 || then == seen->started);
}

bool ProcessMark::is_parent() const noexcept {
  return getppid() == pid.load(std::memory_order_relaxed);
}

} // namespace orbweaver
