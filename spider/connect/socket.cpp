// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <netinet/in.h>
#include <random>

namespace orbweaver {

namespace {

/// The ephemeral ports of this network namespace, and where their round is.
struct PortRound {
  std::uint32_t first = 32768, last = 60999, next = 0;

  PortRound() {
    std::uint32_t low = 0, high = 0;
    if (std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range"); range >> low >> high && low > 0 && low <= high)
      first = low, last = high;
    // Not where the run before began: its ports may still be in TIME-WAIT.
    next = std::random_device()() % count();
  }

  [[nodiscard]] std::uint32_t count() const noexcept { return last - first + 1; }
  [[nodiscard]] std::uint16_t take() noexcept {
    const std::uint32_t port = first + next;
    next = next + 1 == count() ? 0 : next + 1;
    return static_cast<std::uint16_t>(port);
  }
};

PortRound& port_round() noexcept {
  static PortRound round;
  return round;
}

/// Of all packets of the socket, the SYN too.
bool set_traffic_class(int fd, int family, int traffic_class) noexcept {
  return family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_TOS, &traffic_class, sizeof traffic_class) == 0
                           : setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class) == 0;
}

/// Ports that somebody else holds are passed over, but not for ever.
constexpr std::uint32_t most_tries = 1024;

} // namespace

SocketAddress socket_address(const Address& address, std::uint16_t port) noexcept {
  SocketAddress result;
  if (address.version == 4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.octets, sizeof in.sin_addr);
    std::memcpy(&result.storage, &in, result.length = sizeof in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.octets, sizeof in.sin6_addr);
    std::memcpy(&result.storage, &in, result.length = sizeof in);
  }
  return result;
}

BoundSocket open_bound_socket(const ConnectRequest& request, int type) noexcept {
  BoundSocket bound;
  const int family = request.source.version == 4 ? AF_INET : AF_INET6;
  bound.fd.reset(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!bound.fd) {
    bound.error = errno;
    return bound;
  }
  // A port whose earlier connection, to somebody else, is in TIME-WAIT is free for this one.
  const int on = 1;
  setsockopt(bound.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Where that is not permitted, the source address alone decides.
  if (!request.interface.empty())
    setsockopt(bound.fd.get(), SOL_SOCKET, SO_BINDTODEVICE, request.interface.c_str(),
               static_cast<socklen_t>(request.interface.size()));
  if (request.code_point != 0 && !set_traffic_class(bound.fd.get(), family, request.code_point << 2)) {
    bound.error = errno; // another packet than the one that was asked for says nothing
    bound.fd.reset();
    return bound;
  }
  for (std::uint32_t tries = std::min(port_round().count(), most_tries); tries > 0; --tries) {
    const auto port = next_local_port(request);
    if (!port) {
      bound.error = EADDRNOTAVAIL;
      break;
    }
    const SocketAddress address = socket_address(request.source, *port);
    if (bind(bound.fd.get(), address.get(), address.length) == 0) {
      bound.port = *port;
      bound.error = 0;
      return bound;
    }
    bound.error = errno;
    if (bound.error != EADDRINUSE)
      break;
  }
  bound.fd.reset();
  return bound;
}

int begin_connect(int fd, const SocketAddress& target) noexcept {
  return connect(fd, target.get(), target.length) == 0 ? 0 : errno;
}

std::uint16_t next_local_port() noexcept {
  return port_round().take();
}

std::optional<std::uint16_t> next_local_port(const ConnectRequest& request) noexcept {
  const auto& had = request.ports_had;
  for (std::size_t tries = 0; tries <= had.size(); ++tries) { // no more of them in a row than there are
    const std::uint16_t port = next_local_port();
    if (std::find(had.begin(), had.end(), port) == had.end())
      return port;
  }
  return std::nullopt;
}

} // namespace orbweaver
