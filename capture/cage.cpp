// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/cage.hpp"

#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/wireless.h>
#include <sys/socket.h>

namespace orbweaver {

namespace {

constexpr std::uint32_t request_kind = 0xFFFFFF00; // the last octet says which of its kind

constexpr CageCall live[] = {
    // Packets, how many the kernel lost of them (PACKET_STATISTICS), and how the link is (rtnetlink). A link that comes
    // back has new sockets.
    {"bind"},
    {"getsockname"},
    {"getsockopt"},
    {"recvfrom"},
    {"recvmsg"},
    {"sendto"},
    {"setsockopt"},
    {"socket", {{0, AF_NETLINK}, {2, NETLINK_ROUTE}}},
    {"socket", {{0, AF_PACKET}}},
    // libpcap and libtrace ask what kind of interface it is, and wake themselves. What changes one takes a right.
    {"eventfd2"},
    {"ioctl", {{1, SIOCGIFNAME& request_kind, request_kind}}},
    {"ioctl", {{1, SIOCGIWNAME& request_kind, request_kind}}},
    {"access"},
    {"readlink"},
    {"readlinkat"},
    {"uname"},
    {"socket", {{0, AF_INET}, {1, SOCK_DGRAM, 0xF}}},
    {"socket", {{0, AF_INET6}, {1, SOCK_DGRAM, 0xF}}},
    {"socket", {{0, AF_NETLINK}, {2, NETLINK_GENERIC}}}, // of wireless ones
    {"socket", {{0, AF_UNIX}, {1, SOCK_DGRAM, 0xF}}},
    {"socket", {{0, AF_UNIX}, {1, SOCK_RAW, 0xF}}}, // the kernel makes a datagram socket of it
};

} // namespace

/// A file takes no right, and no call but those of all stages; those that are opened later take theirs. What else takes
/// one, going before other processes, is done.
CageRules capture_cage(const CaptureArguments& arguments, const Source& source) {
  CageRules rules;
  rules.program = "orbweaver-capture";
  rules.calls = {base_calls()};
  rules.paths = base_paths();
  for (const auto& path : source.paths_to_come())
    rules.paths.push_back({path, CagePath::Rights::read});
  if (!source.live())
    return rules;
  rules.calls.emplace_back(live);
  rules.capabilities = {CAP_NET_RAW};
  if (arguments.source.kernel_buffer_mib != 0 && arguments.inputs.front().starts_with("int:"))
    rules.capabilities.push_back(CAP_NET_ADMIN); // SO_RCVBUFFORCE, each time that the socket is opened
  for (const char* const path : {"/sys/class/net", "/sys/devices"})
    rules.paths.push_back({path, CagePath::Rights::read});
  return rules;
}

} // namespace orbweaver
