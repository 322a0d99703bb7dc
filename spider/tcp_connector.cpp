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
    const int error = connect(request);
    if (error != EINPROGRESS) {
      result_.state = state_of(error);
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
  /// Begins; returns errno, EINPROGRESS where all is well. A port whose last connection to this very target is in
  /// TIME-WAIT is passed over: nothing has left yet.
  int connect(const ConnectRequest& request) noexcept {
    const SocketAddress target = socket_address(request.destination, request.destination_port);
    int error = EADDRNOTAVAIL;
    for (int tries = 0; tries < most_tries && error == EADDRNOTAVAIL; ++tries) {
      socket_ = open_bound_socket(request, SOCK_STREAM);
      if (!socket_.fd)
        return socket_.error;
      error = ::connect(socket_.fd.get(), target.get(), target.length) == 0 ? 0 : errno;
    }
    result_.source_port = error == EADDRNOTAVAIL ? -1 : socket_.port;
    return error;
  }

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

  static constexpr int most_tries = 16;

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
