// SPDX-License-Identifier: GPL-3.0-or-later
// What connections over one socket of ours have in common: their time, their timer, and how they come to an end. One
// thread, under the event loop.
#pragma once

#include "common/clock.hpp"
#include "common/stream/ring/wait.hpp"
#include "spider/connect/connector.hpp"
#include "spider/connect/socket.hpp"
#include "spider/engine/event_loop.hpp"

#include <cstdint>
#include <utility>

namespace orbweaver {

class SocketConnection : public Connection {
public:
  ~SocketConnection() override { close(); }

protected:
  SocketConnection(EventLoop& loop, Completion&& done) : loop_(loop), done_(std::move(done)) {
    result_.start_ns = realtime_ns();
  }

  /// Calls ready(events) whenever the socket is, until it is closed; it times out when the request's time is over.
  template <typename Ready>
  void watch(const ConnectRequest& request, std::uint32_t events, Ready&& ready) {
    loop_.watch(socket_.fd.get(), events, std::forward<Ready>(ready));
    timer_ = loop_.call_at(monotonic_ns() + request.timeout_ns, [this] { complete(ConnectionState::timeout); });
  }

  /// For what ends before it has begun: a completion is never called from within start().
  template <typename End>
  void end_soon(End&& end) {
    timer_ = loop_.call_soon(std::forward<End>(end));
  }

  /// It could not even be started: the system said so at once.
  void note_start() noexcept {
    result_.source_port = socket_.port;
    result_.never_left = refused_at_once(socket_.error);
  }

  /// `error`: errno, where it is one that it ends by.
  void complete(ConnectionState state, int error = 0) {
    close();
    result_.state = state;
    if (state == ConnectionState::failed)
      result_.error = error;
    result_.stop_ns = realtime_ns();
    const Completion done = std::move(done_);
    ConnectResult result = std::move(result_);
    done(std::move(result)); // may destroy this, but not what it is given
  }

  EventLoop& loop_;
  ConnectResult result_;
  BoundSocket socket_;

private:
  void close() noexcept {
    loop_.cancel(std::exchange(timer_, 0));
    if (socket_.fd)
      loop_.forget(socket_.fd.get());
    socket_.fd.reset();
  }

  Completion done_;
  EventLoop::Timer timer_ = 0;
};

} // namespace orbweaver
