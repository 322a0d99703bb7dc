// SPDX-License-Identifier: GPL-3.0-or-later
// DNS queries: connect kinds `dnstcp` and `dnsudp`. One thread, under the event loop.
#pragma once

#include "spider/connect/connector.hpp"
#include "spider/engine/event_loop.hpp"

namespace orbweaver {

/// One A query for the domain to one server, over TCP with its length before it (RFC 1035, 4.2.2) or in one datagram;
/// nothing is sent twice by us.
///
/// ok: a response to this query came, whatever it says; failed: anything else came, or the connection ended;
/// timeout: no whole message in time. Members of an ok one: `dns_rcode`, `dns_answers` (a count); otherwise `dns_error`
/// where there is more to say than the state. With Fast Open the query goes with the SYN; where the system's client
/// side is off (bit 1 of net.ipv4.tcp_fastopen) the connection is a plain one.
class DnsConnector final : public Connector {
public:
  /// The loop must outlive it.
  explicit DnsConnector(EventLoop& loop) noexcept : loop_(loop) {}
  [[nodiscard]] std::unique_ptr<Connection> start(const ConnectRequest& request, Completion done) override;

private:
  EventLoop& loop_;
};

} // namespace orbweaver
