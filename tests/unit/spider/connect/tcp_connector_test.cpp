// SPDX-License-Identifier: GPL-3.0-or-later
// Sockets and the connections that only open and close, against real servers on loopback.
#include "spider/connect/socket.hpp"
#include "spider/connect/tcp_connector.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"
#include "tests/unit/spider/connect/silent_server.hpp"

#include <algorithm>
#include <cerrno>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <set>

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

ConnectRequest request_from_loopback(const char* where = "127.0.0.1") {
  ConnectRequest request;
  request.source = request.destination = address(where);
  request.timeout_ns = 500'000'000;
  return request;
}

std::uint16_t port_of(int fd) {
  SocketAddress local;
  local.length = sizeof local.storage;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&local.storage), &local.length) == 0);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&local.storage)->sin_port);
}

} // namespace

TEST_CASE("a bound socket has the port that it says, from the address asked for, for both families and both types") {
  for (const char* const where : {"127.0.0.1", "::1"})
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      const BoundSocket bound = open_bound_socket(request_from_loopback(where), type);
      REQUIRE(bound.fd);
      CHECK(bound.port == port_of(bound.fd.get()));
      CHECK((fcntl(bound.fd.get(), F_GETFL) & O_NONBLOCK) != 0);
      CHECK((fcntl(bound.fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
}

TEST_CASE("a socket marks what it sends with the code point of its request, over both families") {
  for (const char* const where : {"127.0.0.1", "::1"})
    for (const int type : {SOCK_STREAM, SOCK_DGRAM})
      for (const std::uint8_t code_point : {0, 8, 46, 48, 63}) {
        auto request = request_from_loopback(where);
        request.code_point = code_point;
        const BoundSocket bound = open_bound_socket(request, type);
        REQUIRE(bound.fd);
        const bool ip4 = request.source.version == 4;
        int traffic_class = -1;
        socklen_t length = sizeof traffic_class;
        REQUIRE(getsockopt(bound.fd.get(), ip4 ? IPPROTO_IP : IPPROTO_IPV6, ip4 ? IP_TOS : IPV6_TCLASS, &traffic_class,
                           &length) == 0);
        CHECK(traffic_class == code_point << 2);
      }
}

TEST_CASE("ports go round: none comes twice before all were there") {
  std::set<std::uint16_t> ports;
  const std::uint16_t first = next_local_port();
  ports.insert(first);
  for (std::uint16_t port = next_local_port(); port != first; port = next_local_port())
    REQUIRE(ports.insert(port).second);
  CHECK(ports.size() == static_cast<std::size_t>(*ports.rbegin() - *ports.begin()) + 1);
}

TEST_CASE("a port that somebody listens on is passed over") {
  const BoundSocket listener = open_bound_socket(request_from_loopback(), SOCK_STREAM);
  REQUIRE(listener.fd);
  REQUIRE(listen(listener.fd.get(), 1) == 0);
  while (next_local_port() + 1 != listener.port)
    ;
  const BoundSocket bound = open_bound_socket(request_from_loopback(), SOCK_STREAM);
  REQUIRE(bound.fd);
  CHECK(bound.port != listener.port);
}

TEST_CASE("a port that an earlier connection of the job had is passed over") {
  ConnectRequest request = request_from_loopback();
  const std::uint16_t now = next_local_port();
  for (std::uint16_t after = 1; after <= 3; ++after)
    request.ports_had.push_back(static_cast<std::uint16_t>(now + after));
  const BoundSocket bound = open_bound_socket(request, SOCK_STREAM);
  REQUIRE(bound.fd);
  CHECK(std::count(request.ports_had.begin(), request.ports_had.end(), bound.port) == 0);
}

TEST_CASE("where the job's connections had every port there is no socket") {
  ConnectRequest request = request_from_loopback();
  const std::uint16_t first = next_local_port();
  request.ports_had.push_back(first);
  for (std::uint16_t port = next_local_port(); port != first; port = next_local_port())
    request.ports_had.push_back(port);
  const BoundSocket bound = open_bound_socket(request, SOCK_STREAM);
  CHECK_FALSE(bound.fd);
  CHECK(bound.port == -1);
  CHECK(bound.error == EADDRNOTAVAIL);
}

TEST_CASE("an address that is not this machine's gives no socket, and says why") {
  ConnectRequest request = request_from_loopback();
  request.source = address("192.0.2.77");
  const BoundSocket bound = open_bound_socket(request, SOCK_STREAM);
  CHECK_FALSE(bound.fd);
  CHECK(bound.port == -1);
  CHECK(bound.error == EADDRNOTAVAIL);
}

TEST_CASE("a connection that a server takes is ok, on the port that the server sees") {
  for (const char* const where : {"127.0.0.1", "::1"}) {
    std::atomic<int> seen = 0;
    const TcpServer server(
        [&](int fd) {
          SocketAddress peer;
          peer.length = sizeof peer.storage;
          if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) == 0)
            seen = ntohs(reinterpret_cast<const sockaddr_in*>(&peer.storage)->sin_port);
          CHECK(read_until(fd, "x").empty()); // it is closed in order, and nothing was sent
        },
        where);
    EventLoop loop;
    TcpConnector connector(loop);
    const auto result = run(loop, connector, request_to(server, ConnectKind::tcp));
    CHECK(result.state == ConnectionState::ok);
    for (int i = 0; i < 100 && seen == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(result.source_port == seen);
  }
}

TEST_CASE("a closed port is failed, at once, and has a local port") {
  EventLoop loop;
  TcpConnector connector(loop);
  ConnectRequest request = request_from_loopback();
  request.destination_port = 1;
  const auto result = run(loop, connector, request);
  CHECK(result.state == ConnectionState::failed);
  CHECK(result.source_port > 0);
  CHECK(result.stop_ns - result.start_ns < request.timeout_ns);
}

TEST_CASE("a server that resets right after the handshake was connected to") {
  const TcpServer server([](int fd) { reset_on_close(fd); });
  EventLoop loop;
  TcpConnector connector(loop);
  for (int i = 0; i < 50; ++i)
    CHECK(run(loop, connector, request_to(server, ConnectKind::tcp)).state == ConnectionState::ok);
}

TEST_CASE("a target that does not answer is a timeout, when the time is over") {
  const SilentServer silent;
  EventLoop loop;
  TcpConnector connector(loop);
  ConnectRequest request = request_from_loopback();
  request.destination_port = silent.port();
  request.timeout_ns = 100'000'000;
  const auto result = run(loop, connector, request);
  CHECK(result.state == ConnectionState::timeout);
  CHECK(result.source_port > 0);
  CHECK(result.stop_ns - result.start_ns >= request.timeout_ns);
}

TEST_CASE("a connection that cannot be started completes as failed, never from within start") {
  EventLoop loop;
  TcpConnector connector(loop);
  ConnectRequest request = request_from_loopback();
  request.source = address("192.0.2.77");
  const auto result = run(loop, connector, request);
  CHECK(result.state == ConnectionState::failed);
  CHECK(result.source_port == -1);
}

TEST_CASE("a connection that is destroyed never completes, and leaves nothing in the loop") {
  const SilentServer silent;
  EventLoop loop;
  TcpConnector connector(loop);
  ConnectRequest request = request_from_loopback();
  request.destination_port = silent.port();
  request.timeout_ns = 10'000'000;
  static_cast<void>(connector.start(request, [](ConnectResult&&) { FAIL("it completed"); }));
  CHECK(loop.run_once(std::chrono::milliseconds(50)) == 0);
}

TEST_CASE("a connection may be destroyed from within its completion") {
  const TcpServer server([](int) {});
  EventLoop loop;
  TcpConnector connector(loop);
  std::unique_ptr<Connection> connection;
  bool ended = false;
  connection = connector.start(request_to(server, ConnectKind::tcp), [&](ConnectResult&&) {
    connection.reset();
    ended = true;
  });
  while (!ended)
    loop.run_once(std::chrono::milliseconds(50));
}

TEST_CASE("a port in TIME-WAIT is used again for another target") {
  const TcpServer server([](int fd) { read_until(fd, "x"); }, "0.0.0.0");
  EventLoop loop;
  TcpConnector connector(loop);
  ConnectRequest request = request_from_loopback();
  request.destination_port = server.port();
  const auto first = run(loop, connector, request);
  REQUIRE(first.state == ConnectionState::ok);
  std::this_thread::sleep_for(std::chrono::milliseconds(50)); // the server closes too
  while (next_local_port() + 1 != first.source_port)
    ;
  request.destination = address("127.0.0.2");
  const auto again = run(loop, connector, request);
  CHECK(again.state == ConnectionState::ok);
  CHECK(again.source_port == first.source_port);
}
