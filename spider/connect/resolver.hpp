// SPDX-License-Identifier: GPL-3.0-or-later
// Looks domains up in the DNS, by c-ares. One thread, under the event loop.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/job_record.hpp"
#include "spider/connect/connector.hpp"
#include "spider/engine/event_loop.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbweaver {

class Resolver {
public:
  struct Answer {
    std::vector<Address> addresses;              ///< of the A and AAAA records: IPv4 first, each once
    ConnectionState state = ConnectionState::ok; ///< else failed, or timeout: no answer came in time
    std::string problem;                         ///< why there are no addresses, in a few words
  };
  using Done = std::function<void(Answer&& answer)>;

  /// The loop must outlive it. `name_servers`: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; none: the system's. A look-up
  /// takes `timeout_ns` at the longest; it asks three times within it. Throws UsageError for what names no server,
  /// Error where c-ares cannot start.
  Resolver(EventLoop& loop, const std::vector<std::string>& name_servers, std::uint64_t timeout_ns);
  /// Its look-ups must be gone.
  ~Resolver();

  /// Throws UsageError for what names no server.
  static void check(const std::vector<std::string>& name_servers);

  /// Calls `done` once, from the event loop and never from within this call. Destroying what is returned ends the
  /// look-up; it may be destroyed from within `done`.
  [[nodiscard]] std::unique_ptr<Connection> look_up(const std::string& domain, Done done);

private:
  class Channel;
  std::unique_ptr<Channel> channel_;
};

} // namespace orbweaver
