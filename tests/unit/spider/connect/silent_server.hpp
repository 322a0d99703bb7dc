// SPDX-License-Identifier: GPL-3.0-or-later
// A port on loopback that answers no SYN: its queue of connections is full.
#pragma once

#include "spider/connect/socket.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <vector>

namespace orbweaver::loopback {

class SilentServer {
public:
  SilentServer() {
    Address where{};
    where.version = 4; // 0.0.0.0: every address of loopback
    SocketAddress local = socket_address(where, 0);
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(listener_.get(), local.get(), local.length) == 0);
    REQUIRE(listen(listener_.get(), 0) == 0);
    REQUIRE(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&local.storage), &local.length) == 0);
    port_ = ntohs(reinterpret_cast<const sockaddr_in*>(&local.storage)->sin_port);
    const std::uint8_t loopback[] = {127, 0, 0, 1};
    std::copy(std::begin(loopback), std::end(loopback), where.octets);
    const SocketAddress target = socket_address(where, port_);
    // Connections that nobody accepts, until one is not answered any more.
    for (bool answered = true; answered;) {
      FileDescriptor& filler = fillers_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      static_cast<void>(connect(filler.get(), target.get(), target.length));
      pollfd ready{filler.get(), POLLOUT, 0};
      answered = poll(&ready, 1, 100) == 1;
    }
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
  FileDescriptor listener_;
  std::vector<FileDescriptor> fillers_;
  std::uint16_t port_ = 0;
};

} // namespace orbweaver::loopback
