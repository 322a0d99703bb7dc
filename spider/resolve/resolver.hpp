// SPDX-License-Identifier: GPL-3.0-or-later
// Looks domains up: an address is its own answer; then /etc/hosts and the DNS, in an order that can be the system's.
// The DNS is asked by c-ares, over a channel for each server, so that it is known who said what. One thread, under the
// event loop.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/job_record.hpp"
#include "spider/connect/connector.hpp"
#include "spider/engine/event_loop.hpp"
#include "spider/resolve/system_hosts.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbweaver {

class NameServer;

class Resolver {
public:
  struct Answer {
    std::vector<Address> addresses;              ///< of the A and AAAA records: IPv4 first, each once
    ConnectionState state = ConnectionState::ok; ///< else failed, or timeout: no answer came in time
    /// Why there are no addresses: "NXDOMAIN from 192.0.2.53", "timed out: no answer from 192.0.2.53".
    std::string problem;
  };
  using Done = std::function<void(Answer&& answer)>;

  /// The loop must outlive it. `name_servers`: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, asked in this order; none:
  /// the system's. `hosts` says what is asked beside them. A look-up takes `timeout_ns` at the longest; a server is
  /// asked three times within it. Throws UsageError for what names no server, Error where c-ares cannot start.
  Resolver(EventLoop& loop, const std::vector<std::string>& name_servers, std::uint64_t timeout_ns,
           SystemHosts hosts = {{HostSource::dns}, HostsFile({})});
  /// Its look-ups must be gone.
  ~Resolver();

  /// Throws UsageError for what names no server.
  static void check(const std::vector<std::string>& name_servers);

  /// Calls `done` once, from the event loop and never from within this call. Destroying what is returned ends the
  /// look-up; it may be destroyed from within `done`.
  [[nodiscard]] std::unique_ptr<Connection> look_up(const std::string& domain, Done done);

private:
  class LookUp;

  EventLoop& loop_;
  std::uint64_t timeout_ns_;
  SystemHosts hosts_;
  std::vector<std::unique_ptr<NameServer>> servers_;
};

} // namespace orbweaver
