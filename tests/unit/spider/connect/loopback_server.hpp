// SPDX-License-Identifier: GPL-3.0-or-later
// Servers on loopback, each in a thread of its own, that behave as well or as badly as a test wants; and connections to
// them, made to their end.
#pragma once

#include "spider/connect/connector.hpp"
#include "spider/connect/socket.hpp"
#include "spider/engine/event_loop.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <functional>
#include <netinet/tcp.h>
#include <optional>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace orbweaver::loopback {

inline Address address(const char* text) {
  Address result{};
  result.version = std::string_view(text).find(':') == std::string_view::npos ? 4 : 6;
  REQUIRE(inet_pton(result.version == 4 ? AF_INET : AF_INET6, text, result.octets) == 1);
  return result;
}

/// False where the peer is gone.
inline bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// What came, up to where `end` is in it, or the connection ended.
inline std::string read_until(int fd, std::string_view end) {
  std::string text;
  char c = 0;
  while (text.find(end) == std::string::npos && recv(fd, &c, 1, 0) == 1)
    text += c;
  return text;
}

/// `count` octets, or what came before the connection ended.
inline std::string read_octets(int fd, std::size_t count) {
  std::string text(count, '\0');
  std::size_t got = 0;
  for (ssize_t n = 0; got < count && (n = recv(fd, text.data() + got, count - got, 0)) > 0;)
    got += static_cast<std::size_t>(n);
  text.resize(got);
  return text;
}

/// The connection ends by a reset when it is closed.
inline void reset_on_close(int fd) {
  const linger at_once{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/// One octet after the other, until the peer is gone.
inline void drip(int fd, std::string_view text) {
  for (std::size_t i = 0; send_all(fd, text.substr(i % text.size(), 1)); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

class Server {
public:
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stopped_ = true;
    shutdown(socket_.get(), SHUT_RDWR);
    if (const int fd = client_; fd >= 0)
      shutdown(fd, SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] Address where() const noexcept { return where_; }
  [[nodiscard]] int connections() const noexcept { return connections_; }

protected:
  Server(int type, const char* where) : where_(address(where)) {
    socket_.reset(socket(where_.version == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    auto local = socket_address(where_, 0);
    REQUIRE(bind(socket_.get(), local.get(), local.length) == 0);
    REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&local.storage), &local.length) == 0);
    port_ = ntohs(reinterpret_cast<const sockaddr_in*>(&local.storage)->sin_port); // at the same place in sockaddr_in6
  }

  Address where_;
  std::uint16_t port_ = 0;
  FileDescriptor socket_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int> client_ = -1, connections_ = 0;
  std::thread thread_;
};

/// Gives each connection to `handle`, one after the other, and closes it when that returns.
class TcpServer : public Server {
public:
  explicit TcpServer(std::function<void(int fd)> handle, const char* where = "127.0.0.1") : Server(SOCK_STREAM, where) {
    REQUIRE(listen(socket_.get(), 64) == 0);
    thread_ = std::thread([this, handle = std::move(handle)] {
      while (!stopped_) {
        const FileDescriptor client(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client)
          return;
        ++connections_;
        client_ = client.get();
        if (!stopped_)
          handle(client.get());
        client_ = -1;
      }
    });
  }

  /// Before the first connection: takes data on SYNs (RFC 7413), where the system does.
  void allow_fast_open() {
    const int queue = 16;
    REQUIRE(setsockopt(socket_.get(), IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue) == 0);
  }
};

using Message = std::vector<std::uint8_t>;

/// Answers each datagram with what `answer` makes of it; an empty answer is none.
class UdpServer : public Server {
public:
  explicit UdpServer(std::function<Message(const Message&)> answer, const char* where = "127.0.0.1")
      : Server(SOCK_DGRAM, where) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      while (!stopped_) {
        Message query(65'535);
        SocketAddress peer;
        peer.length = sizeof peer.storage;
        const auto got = recvfrom(socket_.get(), query.data(), query.size(), 0,
                                  reinterpret_cast<sockaddr*>(&peer.storage), &peer.length);
        if (got <= 0)
          continue;
        ++connections_;
        query.resize(static_cast<std::size_t>(got));
        if (const auto message = answer(query); !message.empty())
          sendto(socket_.get(), message.data(), message.size(), 0, peer.get(), peer.length);
      }
    });
  }
};

inline ConnectRequest request_to(const Server& server, ConnectKind kind) {
  ConnectRequest request;
  request.kind = kind;
  request.source = request.destination = server.where();
  request.destination_port = server.port();
  request.domain = "example.org";
  request.timeout_ns = 500'000'000;
  return request;
}

/// Runs the loop until that holds; false where it does not within ten seconds.
template <typename Condition>
bool run_until(EventLoop& loop, Condition&& holds) {
  using namespace std::chrono;
  for (const auto deadline = steady_clock::now() + seconds(10); !holds();) {
    if (steady_clock::now() > deadline)
      return false;
    loop.run_once(milliseconds(50));
  }
  return true;
}

/// Makes a connection to its end.
inline ConnectResult run(EventLoop& loop, Connector& connector, const ConnectRequest& request) {
  std::optional<ConnectResult> result;
  const auto connection = connector.start(request, [&](ConnectResult&& ended) {
    CHECK(!result);
    result = std::move(ended);
  });
  CHECK(!result);
  REQUIRE(run_until(loop, [&] { return result.has_value(); }));
  CHECK(result->start_ns > 0);
  CHECK(result->stop_ns >= result->start_ns);
  return std::move(*result);
}

/// A member of a result by JSON pointer, as JSON text; nothing where it is not there. All of them must be valid JSON.
inline std::optional<std::string> member(const ConnectResult& result, std::string_view pointer) {
  simdjson::dom::parser parser;
  const std::string text = "{" + std::string(result.members.text()) + "}";
  simdjson::dom::element document;
  INFO(text.substr(0, 2000));
  REQUIRE(parser.parse(text).get(document) == simdjson::SUCCESS);
  simdjson::dom::element value;
  if (document.at_pointer(pointer).get(value) != simdjson::SUCCESS)
    return std::nullopt;
  return simdjson::minify(value);
}

} // namespace orbweaver::loopback
