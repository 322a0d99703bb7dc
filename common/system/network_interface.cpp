// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/network_interface.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"

#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace orbweaver {
namespace {

/// IFF_UP and others, or nothing where they cannot be found out.
std::optional<short> interface_flags(const std::string& name) {
  const FileDescriptor probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size()); // short enough, since it exists
  if (!probe || ioctl(probe.get(), SIOCGIFFLAGS, &request) != 0)
    return std::nullopt;
  return request.ifr_flags;
}

} // namespace

bool interface_is_loopback(const std::string& name) {
  return (interface_flags(name).value_or(0) & IFF_LOOPBACK) != 0;
}

bool interface_has_address(const std::string& name) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0)
    throw Error("cannot list the addresses of " + name + ": " + errno_text());
  bool has = false;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next)
    has = has || (one->ifa_name == name && one->ifa_addr != nullptr &&
                  (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6));
  freeifaddrs(list);
  return has;
}

std::string interface_names() {
  std::string names;
  struct if_nameindex* list = if_nameindex();
  for (const struct if_nameindex* one = list; one != nullptr && one->if_name != nullptr; ++one)
    names += (names.empty() ? "" : ", ") + std::string(one->if_name);
  if (list != nullptr)
    if_freenameindex(list);
  return names.empty() ? "none" : names;
}

bool interface_exists(const std::string& name) {
  return name.size() < IFNAMSIZ && if_nametoindex(name.c_str()) != 0;
}

void require_interface(const std::string& name) {
  if (!interface_exists(name))
    throw Error("there is no interface " + name + "; there are: " + interface_names());
  if ((interface_flags(name).value_or(IFF_UP) & IFF_UP) == 0)
    throw Error("interface " + name + " is down: ip link set " + name + " up");
}

} // namespace orbweaver
