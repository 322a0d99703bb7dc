// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/network_interface.hpp"

#include "common/error.hpp"

#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace orbweaver {
namespace {

/// True where it cannot be found out.
bool interface_is_up(const std::string& name) {
  const int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return true;
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size()); // short enough, since it exists
  const bool asked = ioctl(probe, SIOCGIFFLAGS, &request) == 0;
  close(probe);
  return !asked || (request.ifr_flags & IFF_UP) != 0;
}

} // namespace

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
  if (!interface_is_up(name))
    throw Error("interface " + name + " is down: ip link set " + name + " up");
}

} // namespace orbweaver
