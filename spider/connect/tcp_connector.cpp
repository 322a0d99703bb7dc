// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/tcp_connector.hpp"

#include "spider/connect/socket_connection.hpp"

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

class TcpConnection final : public SocketConnection {
public:
  TcpConnection(EventLoop& loop, const ConnectRequest& request, Completion&& done)
      : SocketConnection(loop, std::move(done)) {
    socket_ = open_connection(request, SOCK_STREAM, begin_connect);
    note_start();
    if (socket_.error == EINPROGRESS)
      watch(request, EPOLLOUT, [this](std::uint32_t events) { ready(events); });
    else
      end_soon([this] { complete(state_of(socket_.error), socket_.error); });
  }

private:
  void ready(std::uint32_t events) {
    int error = 0;
    socklen_t length = sizeof error;
    if (events & (EPOLLERR | EPOLLHUP))
      getsockopt(socket_.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    complete(state_of(error), error);
  }
};

} // namespace

std::unique_ptr<Connection> TcpConnector::start(const ConnectRequest& request, Completion done) {
  return std::make_unique<TcpConnection>(loop_, request, std::move(done));
}

} // namespace orbweaver
