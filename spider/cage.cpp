// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/cage.hpp"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

namespace orbweaver {

namespace {

using enum CageCall::When;

constexpr std::uint64_t socket_type = 0xF; // the rest are flags

constexpr CageCall calls[] = {
    // Connections: TCP and UDP alone. A raw socket, where the plugin forges, is open already.
    {"bind"},
    {"connect"},
    {"getpeername"},
    {"getsockname"},
    {"getsockopt"},
    {"ioctl", masked, 1, ~0ULL, FIONBIO},
    {"ioctl", masked, 1, ~0ULL, FIONREAD},
    {"recvfrom"},
    {"recvmmsg"},
    {"recvmsg"},
    {"sendmmsg"},
    {"sendmsg"},
    {"sendto"},
    {"setsockopt"},
    {"shutdown"},
    {"socket", masked, 1, socket_type, SOCK_DGRAM},
    {"socket", masked, 1, socket_type, SOCK_STREAM},
    {"socketpair"}, // by which libcurl wakes itself
    // The event loop.
    {"epoll_create1"},
    {"epoll_ctl"},
    {"epoll_pwait"},
    {"epoll_wait"},
    {"eventfd2"},
    {"fcntl"},
    {"pipe2"},
    {"select"},
    {"pselect6"},
    // The libraries read how names are resolved and whom TLS trusts; Landlock says which files. None is written.
    {"access"},
    {"faccessat"},
    {"faccessat2"},
    {"getegid"},
    {"getgid"},
    {"openat", masked, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
    {"pread64"},
    {"readlink"},
    {"uname"},
    // A thread of theirs, and no process: the flags tell.
    {"clone", masked, 0, CLONE_THREAD, CLONE_THREAD},
    {"clone3", not_there},
    {"prlimit64", masked, 2, ~0ULL, 0},
    {"rseq"},
    {"sched_getaffinity"},
    {"set_robust_list"},
    {"sigaltstack"},
    // A stream in a file; the helper's end.
    {"ftruncate"},
    {"pwrite64"},
    {"wait4"},
};

constexpr const char* readable[] = {
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/dev/urandom",
    "/dev/null",
    "/etc/localtime",
    "/proc/sys/net/ipv4/ip_local_port_range",
};

} // namespace

CageRules spider_cage() {
  CageRules rules;
  rules.program = "orbweaver-spider";
  rules.calls = {base_calls(), calls};
  for (const char* path : readable)
    rules.paths.push_back({path, CagePath::Rights::read});
  rules.tcp = true;
  return rules;
}

} // namespace orbweaver
