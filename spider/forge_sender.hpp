// SPDX-License-Identifier: GPL-3.0-or-later
// Sends forged IP datagrams on raw sockets, IPv4 and IPv6. One thread.
#pragma once

#include "spider/connect.hpp"
#include "spider/socket.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace orbweaver {

class ForgeSender {
public:
  /// Opens a raw socket for each family, on that interface (empty: any). Throws Error that says which right is missing
  /// (CAP_NET_RAW) and how to give it.
  explicit ForgeSender(const std::string& interface);

  /// Sends a whole IP datagram, from its first octet, as it is. ok: the system took it, which says nothing about an
  /// answer; failed: it did not. `source_port` is only passed on to the result.
  [[nodiscard]] ConnectResult send(const ConnectRequest& request, std::uint16_t source_port,
                                   std::span<const std::uint8_t> datagram) noexcept;

private:
  FileDescriptor ip4_;
  FileDescriptor ip6_;
};

} // namespace orbweaver
