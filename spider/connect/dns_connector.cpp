// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/dns_connector.hpp"

#include "spider/connect/dns_message.hpp"
#include "spider/connect/socket_connection.hpp"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

namespace orbweaver {

namespace {

/// TCP's length prefix.
constexpr std::size_t prefix_octets = 2;

class DnsConnection final : public SocketConnection {
public:
  DnsConnection(EventLoop& loop, const ConnectRequest& request, Completion&& done)
      : SocketConnection(loop, std::move(done)), tcp_(request.kind == ConnectKind::dnstcp),
        query_(make_dns_query(dns_name(request))) {
    if (query_.empty()) {
      end_soon([this] { fail("the domain is no name"); });
      return;
    }
    if (tcp_)
      query_.insert(query_.begin(),
                    {static_cast<std::uint8_t>(query_.size() >> 8), static_cast<std::uint8_t>(query_.size())});
    if (const int error = connect(request); error != 0 && error != EINPROGRESS) {
      end_soon([this, error] { fail(error); });
      return;
    }
    watch(request, waits_for(), [this](std::uint32_t events) { ready(events); });
  }

private:
  [[nodiscard]] bool sending() const noexcept { return sent_ < query_.size(); }
  [[nodiscard]] std::uint32_t waits_for() const noexcept { return sending() ? EPOLLOUT : EPOLLIN; }

  /// Begins; returns errno.
  int connect(const ConnectRequest& request) noexcept {
    const bool fast_open = tcp_ && request.fast_open;
    socket_ = open_connection(request, tcp_ ? SOCK_STREAM : SOCK_DGRAM, [&](int fd, const SocketAddress& target) {
      const int error = fast_open ? send(fd, &target) : EOPNOTSUPP;
      return error == EOPNOTSUPP ? begin_connect(fd, target) : error;
    });
    note_start();
    return socket_.error;
  }

  /// Sends what is left of the query; with a target the SYN goes out with it. Returns errno.
  int send(int fd, const SocketAddress* target = nullptr) noexcept {
    const auto sent =
        sendto(fd, query_.data() + sent_, query_.size() - sent_, MSG_NOSIGNAL | (target ? MSG_FASTOPEN : 0),
               target ? target->get() : nullptr, target ? target->length : 0);
    if (sent < 0)
      return errno;
    sent_ += static_cast<std::size_t>(sent);
    return 0;
  }

  void ready(std::uint32_t events) {
    int error = 0;
    socklen_t length = sizeof error;
    if (events & EPOLLERR)
      getsockopt(socket_.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0 && sending()) {
      error = send(socket_.fd.get());
      // A datagram; of a TCP connection the handshake has left.
      result_.never_left = !tcp_ && refused_at_once(error);
      if (error == 0)
        loop_.change(socket_.fd.get(), waits_for());
    } else if (error == 0) {
      error = tcp_ ? receive_segment() : receive_datagram();
    }
    if (error != 0 && error != EAGAIN && error != EINTR)
      fail(error);
  }

  int receive_datagram() {
    std::array<std::uint8_t, 65'535> datagram;
    const auto received = recv(socket_.fd.get(), datagram.data(), datagram.size(), 0);
    if (received < 0)
      return errno;
    answer(query_, {datagram.data(), static_cast<std::size_t>(received)});
    return 0;
  }

  /// Reads the prefix, then as much as it says and not an octet more.
  int receive_segment() {
    if (message_.empty())
      message_.resize(prefix_octets);
    const auto received = recv(socket_.fd.get(), message_.data() + received_, message_.size() - received_, 0);
    if (received < 0)
      return errno;
    if (received == 0) {
      fail("the connection ended before the message did");
      return 0;
    }
    received_ += static_cast<std::size_t>(received);
    if (received_ < message_.size())
      return 0;
    if (received_ == prefix_octets)
      message_.resize(prefix_octets + (std::size_t{message_[0]} << 8 | message_[1]));
    if (received_ == message_.size())
      answer(std::span(query_).subspan(prefix_octets), std::span(message_).subspan(prefix_octets));
    return 0;
  }

  void answer(std::span<const std::uint8_t> query, std::span<const std::uint8_t> message) {
    const auto answer = read_dns_response(query, message);
    if (!answer) {
      fail("what came is no response to the query");
      return;
    }
    result_.members.add("dns_rcode", answer->rcode);
    result_.members.add("dns_answers", answer->answers);
    complete(ConnectionState::ok);
  }

  void fail(int error) { complete(error == ETIMEDOUT ? ConnectionState::timeout : ConnectionState::failed, error); }

  void fail(std::string_view why) {
    result_.members.add("dns_error", why);
    complete(ConnectionState::failed);
  }

  bool tcp_;
  std::vector<std::uint8_t> query_; ///< with its prefix over TCP
  std::size_t sent_ = 0;
  std::vector<std::uint8_t> message_; ///< the response over TCP, as long as it is known to be
  std::size_t received_ = 0;
};

} // namespace

std::unique_ptr<Connection> DnsConnector::start(const ConnectRequest& request, Completion done) {
  return std::make_unique<DnsConnection>(loop_, request, std::move(done));
}

} // namespace orbweaver
