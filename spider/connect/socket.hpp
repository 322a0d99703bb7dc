// SPDX-License-Identifier: GPL-3.0-or-later
// Sockets as the spider's connections need them: from the address and the interface asked for, with a local port that
// is known before the first packet leaves. One thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "spider/connect/connect.hpp"

#include <cerrno>
#include <cstdint>
#include <optional>
#include <sys/socket.h>

namespace orbweaver {

/// An address with a port as the socket calls want it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
[[nodiscard]] SocketAddress socket_address(const Address& address, std::uint16_t port) noexcept;

/// A socket that is bound to its local port.
struct BoundSocket {
  FileDescriptor fd;
  std::int32_t port = -1; ///< -1: it could not be made or bound, or no connection begun; `error` says why
  int error = 0;          ///< errno
};

/// Makes a non-blocking, close-on-exec socket (SOCK_STREAM or SOCK_DGRAM) for a connection and binds it to
/// request.source on request.interface, on a port of the system's ephemeral range (net.ipv4.ip_local_port_range) that
/// next_local_port() gives: ports go round, so that a five-tuple comes again as late as it can. All that it sends has
/// the request's code point. EADDRNOTAVAIL where the
/// range has none but those that the job's earlier connections had.
[[nodiscard]] BoundSocket open_bound_socket(const ConnectRequest& request, int type) noexcept;

/// Begins to connect; returns errno: EINPROGRESS where TCP has begun, 0 where all is done.
[[nodiscard]] int begin_connect(int fd, const SocketAddress& target) noexcept;

/// Whether errno of a first connect() or send() says that nothing left: the system itself refused, for want of a route,
/// an address or a right. An answer to what has left comes by the same way, and is none of these.
[[nodiscard]] constexpr bool refused_at_once(int error) noexcept {
  return error != 0 && error != EINPROGRESS && error != EAGAIN && error != EINTR && error != ECONNREFUSED &&
         error != ECONNRESET;
}

/// A local port whose last connection to the very same target is in TIME-WAIT is passed over before a packet leaves
/// (EADDRNOTAVAIL), so many times.
inline constexpr int max_port_tries = 16;

/// Opens a bound socket and has `begin(fd, target)`, which returns errno as begin_connect() does, begin a connection to
/// request.destination; again on the next port where the port is taken for this target. `error` is what came of it.
template <typename Begin>
[[nodiscard]] BoundSocket open_connection(const ConnectRequest& request, int type, Begin&& begin) noexcept {
  const SocketAddress target = socket_address(request.destination, request.destination_port);
  BoundSocket socket;
  for (int tries = 0; tries < max_port_tries; ++tries) {
    socket = open_bound_socket(request, type);
    if (!socket.fd)
      return socket;
    socket.error = begin(socket.fd.get(), target);
    if (socket.error != EADDRNOTAVAIL)
      return socket;
  }
  socket.port = -1;
  return socket;
}

/// The next port of the ephemeral range. Whoever sends without a socket (forged packets) takes its ports here too.
[[nodiscard]] std::uint16_t next_local_port() noexcept;

/// The next that none of the job's earlier connections had; nothing where the range has no other.
[[nodiscard]] std::optional<std::uint16_t> next_local_port(const ConnectRequest& request) noexcept;

} // namespace orbweaver
