// SPDX-License-Identifier: GPL-3.0-or-later
// The system calls that every stage makes; those of its own are beside each stage.
#include "common/stream/shared_memory.hpp"
#include "common/system/cage.hpp"

#include <asm/ioctls.h>
#include <fcntl.h>

namespace orbweaver {

namespace {

using enum CageCall::When;

constexpr CageCall calls[] = {
    // Memory.
    {"brk"},
    {"madvise"},
    {"mmap"},
    {"mprotect"},
    {"mremap"},
    {"munmap"},
    // Waiting, and telling whether the other end of a ring lives.
    {"clock_nanosleep"},
    {"futex"},
    {"kill", masked, 1, ~0ULL, 0},
    {"nanosleep"},
    {"pidfd_open"},
    {"poll"},
    {"ppoll"},
    {"restart_syscall"},
    {"sched_yield"},
    // Clocks, where the kernel has them not in the process's own memory.
    {"clock_gettime"},
    {"gettimeofday"},
    // Who we are.
    {"getcpu"},
    {"geteuid"},
    {"getpid"},
    {"getppid"},
    {"gettid"},
    {"getuid"},
    {"sysinfo"},
    // What is open.
    {"close"},
    {"fcntl"}, // the C library looks at a folder that it lists
    {"fstat"},
    {"ioctl", masked, 1, ~0ULL, TCGETS}, // whether it is a terminal
    {"lseek"},
    {"newfstatat"},
    {"read"},
    {"readv"},
    {"write"},
    {"writev"},
    // The last one out removes the session's shared memory: Landlock says where.
    {"getdents64"},
    {"lstat"},
    {"openat", masked, 2, O_DIRECTORY | O_ACCMODE | O_CREAT, O_DIRECTORY},
    {"stat"},
    {"unlink"},
    // Signals, and ending by one.
    {"exit"},
    {"exit_group"},
    {"getrandom"},
    {"rt_sigaction"},
    {"rt_sigprocmask"},
    {"rt_sigreturn"},
    {"tgkill", own_process, 0},
};

} // namespace

std::span<const CageCall> base_calls() noexcept {
  return calls;
}

std::vector<CagePath> shared_memory_paths() {
  std::vector<CagePath> paths;
  for (const auto& folder : Segment::folders())
    paths.push_back({folder, CagePath::Rights::remove});
  return paths;
}

} // namespace orbweaver
