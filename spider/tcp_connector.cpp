// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/tcp_connector.hpp"

#include "common/wait.hpp"
#include "spider/clock.hpp"
#include "spider/socket.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/epoll.h>

namespace orbweaver {

namespace {

/// What an error of connect() says of the path. A reset comes as ECONNREFUSED while the handshake is under way; these
/// two come when it was completed.
ConnectionState state_of(int error) noexcept {
  switch (error) {
  case 0:
  case ECONNRESET:
  case EPIPE:
    return ConnectionState::ok;
  case ETIMEDOUT:
    return ConnectionState::timeout;
  default:
    return ConnectionState::failed;
  }
}

class TcpConnection final : public Connection {
public:
  TcpConnection(EventLoop& loop, const ConnectRequest& request, Completion&& done)
      : loop_(loop), done_(std::move(done)) {
    result_.start_ns = realtime_ns();
    socket_ = open_connection(request, SOCK_STREAM, begin_connect);
    result_.source_port = socket_.port;
    if (socket_.error != EINPROGRESS) {
      result_.state = state_of(socket_.error);
      timer_ = loop_.call_soon([this] { complete(); });
      return;
    }
    loop_.watch(socket_.fd.get(), EPOLLOUT, [this](std::uint32_t events) { ready(events); });
    timer_ = loop_.call_at(monotonic_ns() + request.timeout_ns, [this] {
      result_.state = ConnectionState::timeout;
      complete();
    });
  }
  ~TcpConnection() override { close(); }

private:
  void ready(std::uint32_t events) {
    int error = 0;
    socklen_t length = sizeof error;
    if (events & (EPOLLERR | EPOLLHUP))
      getsockopt(socket_.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    result_.state = state_of(error);
    complete();
  }

  void complete() {
    close();
    result_.stop_ns = realtime_ns();
    const Completion done = std::move(done_);
    ConnectResult result = std::move(result_);
    done(std::move(result)); // may destroy this, but not what it is given
  }

  void close() noexcept {
    loop_.cancel(std::exchange(timer_, 0));
    if (socket_.fd)
      loop_.forget(socket_.fd.get());
    socket_.fd.reset();
  }

  EventLoop& loop_;
  Completion done_;
  ConnectResult result_;
  BoundSocket socket_;
  EventLoop::Timer timer_ = 0;
};

} // namespace

std::unique_ptr<Connection> TcpConnector::start(const ConnectRequest& request, Completion done) {
  return std::make_unique<TcpConnection>(loop_, request, std::move(done));
}

} // namespace orbweaver
