// SPDX-License-Identifier: GPL-3.0-or-later
// Sockets as the spider's connections need them: from the address and the interface asked for, with a local port that
// is known before the first packet leaves. One thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "spider/connect.hpp"

#include <cstdint>
#include <sys/socket.h>

namespace orbweaver {

/// An address with a port as the socket calls want it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
[[nodiscard]] SocketAddress socket_address(const FlowAddress& address, std::uint16_t port) noexcept;

/// A socket that is bound to its local port.
struct BoundSocket {
  FileDescriptor fd;
  std::int32_t port = -1; ///< -1: it could not be made or bound; `error` says why
  int error = 0;          ///< errno
};

/// Makes a non-blocking, close-on-exec socket (SOCK_STREAM or SOCK_DGRAM) for a connection and binds it to
/// request.source on request.interface, on a port of the system's ephemeral range (net.ipv4.ip_local_port_range) that
/// next_local_port() gives: ports go round, so that a five-tuple comes again as late as it can.
[[nodiscard]] BoundSocket open_bound_socket(const ConnectRequest& request, int type) noexcept;

/// The next port of the ephemeral range. Whoever sends without a socket (forged packets) takes its ports here too.
[[nodiscard]] std::uint16_t next_local_port() noexcept;

} // namespace orbweaver
