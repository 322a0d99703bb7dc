// SPDX-License-Identifier: GPL-3.0-or-later
// Connections that are opened and closed, nothing else: connect kind `tcp`. One thread, under the event loop.
#pragma once

#include "spider/connect/connector.hpp"
#include "spider/engine/event_loop.hpp"

namespace orbweaver {

/// ok: the handshake was completed, whatever came after; failed: refused, unreachable; timeout: no answer in time.
/// A request for Fast Open changes nothing: there is no data that could go with the SYN.
class TcpConnector final : public Connector {
public:
  explicit TcpConnector(EventLoop& loop) noexcept : loop_(loop) {}
  [[nodiscard]] std::unique_ptr<Connection> start(const ConnectRequest& request, Completion done) override;

private:
  EventLoop& loop_;
};

} // namespace orbweaver
