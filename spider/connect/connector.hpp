// SPDX-License-Identifier: GPL-3.0-or-later
// What makes connections of one kind for the engine. All of it runs in the spider's one thread, under its event loop.
#pragma once

#include "spider/connect/connect.hpp"

#include <functional>
#include <memory>

namespace orbweaver {

/// A connection under way. Destroying it ends it at once; its completion is then never called.
class Connection {
public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;
};

/// Called once, from the event loop and never from within start(), when the connection has ended and its socket is
/// closed. The Connection may be destroyed from within it.
using Completion = std::function<void(ConnectResult&&)>;

class Connector {
public:
  Connector() = default;
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  virtual ~Connector() = default;

  /// Starts a connection; it ends at the latest when its timeout is over. What cannot even be started completes as
  /// failed. Reads of what a server sends are bounded in time and in octets.
  [[nodiscard]] virtual std::unique_ptr<Connection> start(const ConnectRequest& request, Completion done) = 0;
};

} // namespace orbweaver
