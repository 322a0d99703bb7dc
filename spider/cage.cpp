// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/cage.hpp"

#include <asm/ioctls.h>
#include <cerrno>
#include <cstdlib>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace orbweaver {

namespace {

constexpr std::uint32_t socket_type = 0xF; // the rest are flags

constexpr CageCall calls[] = {
    // Connections: TCP and UDP alone. A raw socket, where the plugin forges, is open already.
    {"bind"},
    {"connect"},
    {"getpeername"},
    {"getsockname"},
    {"getsockopt"},
    {"ioctl", {{1, FIONBIO}}},
    {"ioctl", {{1, FIONREAD}}},
    {"recvfrom"},
    {"recvmmsg"},
    {"recvmsg"},
    {"sendmmsg"},
    {"sendmsg"},
    {"sendto"},
    {"setsockopt"},
    {"shutdown"},
    {"socket", {{0, AF_INET}, {1, SOCK_DGRAM, socket_type}}},
    {"socket", {{0, AF_INET}, {1, SOCK_STREAM, socket_type}}},
    {"socket", {{0, AF_INET6}, {1, SOCK_DGRAM, socket_type}}},
    {"socket", {{0, AF_INET6}, {1, SOCK_STREAM, socket_type}}},
    // The libraries ask which addresses there are (rtnetlink), and wake themselves. Of a daemon that looks names up for
    // the C library nothing is asked: it does so itself.
    {"socket", {{0, AF_NETLINK}, {2, NETLINK_ROUTE}}},
    {"socket", {{0, AF_UNIX}}, EACCES},
    {"socketpair"},
    // The event loop.
    {"epoll_create1"},
    {"epoll_ctl"},
    {"epoll_pwait"},
    {"epoll_wait"},
    {"eventfd2"},
    {"pipe2"},
    // The libraries read how names are resolved and whom TLS trusts; Landlock says which files.
    {"access"},
    {"faccessat"},
    {"faccessat2"},
    {"readlink"},
    {"readlinkat"},
    {"uname"},
    // A library of theirs that is to be loaded now, as /etc/nsswitch.conf may name one, is done without.
    {"mmap", {{2, PROT_EXEC, PROT_EXEC}}, EACCES},
    // The helper's end.
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
};

} // namespace

CageRules spider_cage() {
  CageRules rules;
  rules.program = "orbweaver-spider";
  rules.calls = {base_calls(), thread_calls(), calls};
  rules.paths = base_paths();
  for (const char* path : readable)
    rules.paths.push_back({path, CagePath::Rights::read});
  for (const char* const name : {"SSL_CERT_DIR", "SSL_CERT_FILE"}) // where OpenSSL looks first
    if (const char* const path = secure_getenv(name))
      rules.paths.push_back({path, CagePath::Rights::read});
  rules.tcp = true;
  return rules;
}

} // namespace orbweaver
