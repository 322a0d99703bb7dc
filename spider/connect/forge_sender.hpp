// SPDX-License-Identifier: GPL-3.0-or-later
// Sends forged IP datagrams on raw sockets, IPv4 and IPv6. One thread.
//
// The system knows nothing of what is sent. To a SYN+ACK it answers with a reset, so that the target does not wait on;
// to a datagram it would answer that the port is unreachable, unless somebody has that port. So the sender takes some
// ports, keeps them to its end, and has the datagrams leave from these in turn: an answer finds its port taken however
// many are under way and however late it comes. Few will do, since no two connections to a target have the same.
#pragma once

#include "spider/connect/connect.hpp"
#include "spider/connect/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

namespace orbweaver {

class ForgeSender {
public:
  /// Opens a raw socket for each family, on that interface (empty: any). Throws Error that says which right is missing
  /// (CAP_NET_RAW) and how to give it.
  explicit ForgeSender(const std::string& interface);

  /// The port to forge the request's datagram from; nothing where none can be had. No two requests of a job get the
  /// same (ports_had). Those of UDP are taken, for as long as the sender lives.
  [[nodiscard]] std::optional<std::uint16_t> port_for(const ConnectRequest& request);

  /// Sends a whole IP datagram, from its first octet, as it is. ok: the system took it, which says nothing about an
  /// answer; failed: it did not. `source_port` is only passed on to the result.
  [[nodiscard]] ConnectResult send(const ConnectRequest& request, std::uint16_t source_port,
                                   std::span<const std::uint8_t> datagram) noexcept;

private:
  /// A UDP port that is taken.
  struct Guard {
    std::uint16_t port;
    FileDescriptor socket;
  };
  /// Of each family, the one to use next in front.
  using Guards = std::deque<Guard>;
  /// With both families still within the open files that any process may have, and little of the ephemeral range.
  static constexpr std::size_t usual_guards = 256;

  bool take_port(Guards& guards, const ConnectRequest& request);

  std::string interface_;
  FileDescriptor ip4_;
  FileDescriptor ip6_; ///< none where the system has no IPv6
  Guards guards4_, guards6_;
};

} // namespace orbweaver
