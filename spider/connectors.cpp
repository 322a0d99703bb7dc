// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connectors.hpp"

#include "common/error.hpp"
#include "spider/tcp_connector.hpp"

#include <string>

namespace orbweaver {

std::unique_ptr<Connector> make_connector(ConnectKind kind, EventLoop& loop) {
  switch (kind) {
  case ConnectKind::tcp:
    return std::make_unique<TcpConnector>(loop);
  default:
    throw UsageError("connect kind '" + std::string(to_string(kind)) + "' makes no connections");
  }
}

} // namespace orbweaver
