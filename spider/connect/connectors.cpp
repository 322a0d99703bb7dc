// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/connectors.hpp"

#include "common/error.hpp"
#include "spider/connect/dns_connector.hpp"
#include "spider/connect/http_connector.hpp"
#include "spider/connect/tcp_connector.hpp"

#include <string>

namespace orbweaver {

std::unique_ptr<Connector> make_connector(ConnectKind kind, EventLoop& loop) {
  switch (kind) {
  case ConnectKind::tcp:
    return std::make_unique<TcpConnector>(loop);
  case ConnectKind::http:
  case ConnectKind::https:
    return std::make_unique<HttpConnector>(loop);
  case ConnectKind::dnstcp:
  case ConnectKind::dnsudp:
    return std::make_unique<DnsConnector>(loop);
  default:
    throw UsageError("connect kind '" + std::string(to_string(kind)) + "' makes no connections");
  }
}

} // namespace orbweaver
