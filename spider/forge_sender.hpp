// SPDX-License-Identifier: GPL-3.0-or-later
// Sends forged IP datagrams on raw sockets, IPv4 and IPv6. One thread.
//
// The system knows nothing of what is sent. To a SYN+ACK it answers with a reset, so that the target does not wait on;
// to a datagram it would answer that the port is unreachable, unless somebody has that port: so the sender takes it for
// as long as an answer may come.
#pragma once

#include "spider/connect.hpp"
#include "spider/socket.hpp"

#include <cstdint>
#include <deque>
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
  /// A UDP port that is taken until then (CLOCK_MONOTONIC).
  struct Guard {
    std::uint64_t until_ns;
    FileDescriptor socket;
  };
  static constexpr std::size_t max_guards = 1024;

  void guard_port(const ConnectRequest& request, std::uint16_t port);

  std::string interface_;
  FileDescriptor ip4_;
  FileDescriptor ip6_; ///< none where the system has no IPv6
  std::deque<Guard> guards_;
};

} // namespace orbweaver
