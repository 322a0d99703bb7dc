// SPDX-License-Identifier: GPL-3.0-or-later
// The system calls that every stage makes; those of its own are beside each stage.
#include "common/cage/cage.hpp"
#include "common/stream/ring/shared_memory.hpp"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>

namespace orbweaver {

namespace {

constexpr std::uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;

constexpr CageCall calls[] = {
    // Memory, and none of it to be run.
    {"brk"},
    {"madvise"},
    {"mmap", {{2, 0, PROT_EXEC}}},
    {"mprotect", {{2, 0, PROT_EXEC}}},
    {"mremap"},
    {"munmap"},
    // Waiting.
    {"clock_nanosleep"},
    {"futex"},
    {"nanosleep"},
    {"poll"},
    {"ppoll"},
    {"pselect6"},
    {"restart_syscall"},
    {"sched_yield"},
    {"select"},
    // Clocks, where the kernel has them not in the process's own memory.
    {"clock_gettime"},
    {"gettimeofday"},
    {"time"},
    // Who we are.
    {"getcpu"},
    {"getegid"},
    {"geteuid"},
    {"getgid"},
    {"getpid"},
    {"getppid"},
    {"gettid"},
    {"getuid"},
    {"sysinfo"},
    // What is open.
    {"close"},
    {"fcntl"},
    {"fstat"},
    {"ioctl", {{1, TCGETS}}}, // whether it is a terminal
    {"ioctl", {{1, TCGETS2}}},
    {"lseek"},
    {"pread64"},
    {"pwrite64"},
    {"read"},
    {"readv"},
    {"write"},
    {"writev"},
    // Whether the other end of a ring lives: a pidfd, and /proc. Landlock says that nothing else can be read.
    {"openat", {{2, O_RDONLY, writes}}},
    {"pidfd_open"},
    // The last one out removes the session's shared memory: Landlock says where.
    {"getdents64"},
    {"lstat"},
    {"newfstatat"},
    {"stat"},
    {"statx"},
    {"unlink"},
    {"unlinkat"},
    // A stream in a file that ends at its limit.
    {"ftruncate"},
    // Signals, and ending by one.
    {"exit"},
    {"exit_group"},
    {"getrandom"},
    {"rt_sigaction"},
    {"rt_sigprocmask"},
    {"rt_sigreturn"},
    {"sigaltstack"},
    {"tgkill", {{0, CageCall::this_process}}},
};

constexpr CageCall thread[] = {
    {"clone", {{0, CLONE_THREAD, CLONE_THREAD}}},
    {"clone3", {}, ENOSYS}, // its flags cannot be looked at: the C library then takes the older call
    {"prlimit64", {{2, 0, CageCall::whole}}},
    {"rseq"},
    {"sched_getaffinity"},
    {"set_robust_list"},
};

} // namespace

std::span<const CageCall> base_calls() noexcept {
  return calls;
}

std::span<const CageCall> thread_calls() noexcept {
  return thread;
}

std::vector<CagePath> base_paths() {
  std::vector<CagePath> paths{{"/proc", CagePath::Rights::read}};
  for (const auto& folder : Segment::folders())
    paths.push_back({folder, CagePath::Rights::remove});
  return paths;
}

} // namespace orbweaver
