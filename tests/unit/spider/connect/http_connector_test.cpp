// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/http_connector.hpp"

#include "tests/unit/spider/connect/loopback_server.hpp"

#include <mutex>

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

/// Reads the request, then sends this.
TcpServer http_server(std::string response, const char* where = "127.0.0.1") {
  return TcpServer(
      [response = std::move(response)](int fd) {
        read_until(fd, "\r\n\r\n");
        send_all(fd, response);
      },
      where);
}

ConnectResult get(const ConnectRequest& request) {
  EventLoop loop;
  HttpConnector connector(loop);
  return run(loop, connector, request);
}

ConnectResult get(const Server& server) {
  return get(request_to(server, ConnectKind::http));
}

} // namespace

TEST_CASE("a whole response is ok, with its code, header, body and version") {
  const auto server = http_server("HTTP/1.1 404 Not Found\r\nServer: test\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
                                  "Content-Length: 5\r\n\r\nhello");
  const auto result = get(server);
  CHECK(result.state == ConnectionState::ok);
  CHECK(result.source_port > 0);
  CHECK(member(result, "/http_response_code") == "404");
  CHECK(member(result, "/http_response_header/server") == "\"test\"");
  CHECK(member(result, "/http_response_header/set-cookie") == R"(["a=1","b=2"])");
  CHECK(member(result, "/http_response_body") == "\"hello\"");
  CHECK(member(result, "/http_info/http_version") == "\"1.1\"");
  CHECK(member(result, "/http_info/body_truncated") == "false");
  CHECK(member(result, "/http_info/primary_ip") == "\"127.0.0.1\"");
  CHECK(member(result, "/http_info/primary_port") == std::to_string(server.port()));
  CHECK(member(result, "/http_info/error") == std::nullopt);
}

TEST_CASE("the request asks for / with the domain as Host, and comes from the port in the result") {
  std::string request;
  int port = 0;
  std::mutex mutex;
  ConnectResult result;
  {
    TcpServer server([&](int fd) {
      const std::scoped_lock lock(mutex);
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length);
      port = ntohs(peer.sin_port);
      request = read_until(fd, "\r\n\r\n");
      send_all(fd, "HTTP/1.0 200 OK\r\n\r\n");
    });
    result = get(server);
    const std::scoped_lock lock(mutex);
    CHECK(request.starts_with("GET / HTTP/1.1\r\n"));
    CHECK(request.find("\r\nHost: example.org:" + std::to_string(server.port()) + "\r\n") != std::string::npos);
    CHECK(request.find("Upgrade") == std::string::npos);
    CHECK(server.connections() == 1);
  }
  CHECK(result.source_port == port);
  CHECK(member(result, "/http_info/http_version") == "\"1.0\"");
}

TEST_CASE("without a domain the address is the Host, in brackets where it is IPv6") {
  std::string host;
  std::mutex mutex;
  TcpServer server(
      [&](int fd) {
        const std::scoped_lock lock(mutex);
        host = read_until(fd, "\r\n\r\n");
        send_all(fd, "HTTP/1.1 204 No Content\r\n\r\n");
      },
      "::1");
  auto request = request_to(server, ConnectKind::http);
  request.domain.clear();
  const auto result = get(request);
  CHECK(result.state == ConnectionState::ok);
  CHECK(member(result, "/http_info/primary_ip") == "\"::1\"");
  const std::scoped_lock lock(mutex);
  CHECK(host.find("\r\nHost: [::1]:" + std::to_string(server.port()) + "\r\n") != std::string::npos);
}

TEST_CASE("a redirect is not followed") {
  const auto server = http_server("HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
  const auto result = get(server);
  CHECK(member(result, "/http_response_code") == "301");
  CHECK(server.connections() == 1);
}

TEST_CASE("a proxy in the environment is not used") {
  setenv("http_proxy", "http://127.0.0.1:1/", 1);
  const auto server = http_server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(get(server).state == ConnectionState::ok);
  unsetenv("http_proxy");
}

TEST_CASE("a domain that cannot stand in a URL fails before a packet leaves") {
  const auto server = http_server("HTTP/1.1 200 OK\r\n\r\n");
  for (const char* domain : {"a b", "user@host/path", "x\r\nEvil: 1", "[::"}) {
    auto request = request_to(server, ConnectKind::http);
    request.domain = domain;
    const auto result = get(request);
    CHECK(result.state == ConnectionState::failed);
    CHECK(result.source_port == -1);
    CHECK(member(result, "/http_info/error"));
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("a closed port fails, with the local port known") {
  std::uint16_t port = 0;
  {
    const auto server = http_server("");
    port = server.port();
  }
  ConnectRequest request;
  request.kind = ConnectKind::http;
  request.source = request.destination = address("127.0.0.1");
  request.destination_port = port;
  const auto result = get(request);
  CHECK(result.state == ConnectionState::failed);
  CHECK(result.source_port > 0);
  CHECK(member(result, "/http_response_code") == std::nullopt);
}

TEST_CASE("octets of a body that are not UTF-8 stand as the characters of their numbers") {
  const auto server =
      http_server("HTTP/1.1 200 OK\r\nX-Latin: caf\xE9\r\nContent-Length: 8\r\n\r\n\"\\\n\xC3\xA9\xE9\xFF\x01");
  const auto result = get(server);
  CHECK(member(result, "/http_response_body") == "\"\\\"\\\\\\n\xC3\xA9\xC3\xA9\xC3\xBF\\u0001\"");
  CHECK(member(result, "/http_response_header/x-latin") == "\"caf\xC3\xA9\"");
}

TEST_CASE("a body without end is read up to the limit, and said to be truncated") {
  TcpServer server([](int fd) {
    read_until(fd, "\r\n\r\n");
    send_all(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (send_all(fd, std::string(65'536, 'x')))
      ;
  });
  EventLoop loop;
  HttpConnector connector(loop, {.header_octets = 1024, .body_octets = 100'000});
  const auto result = run(loop, connector, request_to(server, ConnectKind::http));
  CHECK(result.state == ConnectionState::ok);
  CHECK(member(result, "/http_response_body")->size() == 100'002);
  CHECK(member(result, "/http_info/body_truncated") == "true");
  CHECK(member(result, "/http_info/error") == std::nullopt);
}

TEST_CASE("a body of just the limit is whole") {
  const auto server = http_server("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + std::string(65'536, 'x'));
  const auto result = get(server);
  CHECK(member(result, "/http_response_body")->size() == 65'538);
  CHECK(member(result, "/http_info/body_truncated") == "false");
}

TEST_CASE("headers without end are read up to the limit, whatever their shape") {
  const std::string status = "HTTP/1.1 200 OK\r\n", informational = "HTTP/1.1 100 Continue\r\n\r\n";
  for (const auto& [begin, line] : {std::pair<std::string, std::string>{status, "X-More: and more\r\n"},
                                    {status, "a:\r\n"},
                                    {status + "X: y\r\n", " folded\r\n"},
                                    {informational, informational}}) {
    TcpServer server([begin = begin, line = line](int fd) {
      read_until(fd, "\r\n\r\n");
      send_all(fd, begin);
      while (send_all(fd, line))
        ;
    });
    auto request = request_to(server, ConnectKind::http);
    request.timeout_ns = 5'000'000'000;
    const auto result = get(request);
    CHECK(result.state == ConnectionState::ok);
    CHECK(member(result, "/http_info/header_truncated") == "true");
    CHECK(result.members.text().size() < 200'000);
  }
}

TEST_CASE("more different header fields than anybody needs are a truncated header") {
  std::string response = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i)
    response.append("x").append(std::to_string(i)).append(": 1\r\n");
  const auto server = http_server(response + "\r\n");
  CHECK(member(get(server), "/http_info/header_truncated") == "true");
}

TEST_CASE("a header line without end is no response, or a truncated one after the status line") {
  for (const std::string status : {"", "HTTP/1.1 200 OK\r\n"}) {
    TcpServer server([status](int fd) {
      read_until(fd, "\r\n\r\n");
      send_all(fd, status.empty() ? "HTTP/1.1 200 " : status + "X: ");
      while (send_all(fd, std::string(4096, 'x')))
        ;
    });
    const auto result = get(server);
    CHECK(result.state == (status.empty() ? ConnectionState::failed : ConnectionState::ok));
    CHECK(member(result, "/http_info/error"));
  }
}

TEST_CASE("what is not HTTP, no response at all, and a reset fail") {
  for (const std::string response : {"220 mail.example.org ESMTP\r\n", "", "\x15\x03\x01\x00\x02\x02\x28", "HTTP/"}) {
    const auto server = http_server(response);
    const auto result = get(server);
    CHECK(result.state == ConnectionState::failed);
    CHECK(member(result, "/http_response_code") == std::nullopt);
  }
  TcpServer resetting([](int fd) { reset_on_close(fd); });
  CHECK(get(resetting).state == ConnectionState::failed);
}

TEST_CASE("a server that is silent, or drips less than a status line, times out") {
  TcpServer silent([](int fd) { read_until(fd, "never"); });
  TcpServer dripping([](int fd) { drip(fd, "HTTP/1.1 200 " + std::string(1000, 'O')); });
  for (const TcpServer* server : {&silent, &dripping}) {
    const auto result = get(*server);
    CHECK(result.state == ConnectionState::timeout);
    CHECK(result.stop_ns - result.start_ns >= 400'000'000);
    CHECK(result.stop_ns - result.start_ns < 2'000'000'000);
  }
}

TEST_CASE("a response cut off after its status line is ok, and says what cut it") {
  TcpServer dripping([](int fd) {
    read_until(fd, "\r\n\r\n");
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nfirst");
    drip(fd, "x");
  });
  const auto result = get(dripping);
  CHECK(result.state == ConnectionState::ok);
  CHECK(member(result, "/http_info/error")->find("imeout") != std::string::npos);
  CHECK(member(result, "/http_response_body")->starts_with("\"first"));

  const auto short_server = http_server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort");
  CHECK(member(get(short_server), "/http_info/error"));
}

TEST_CASE("garbage instead of TLS fails, a silent server times out") {
  TcpServer garbage([](int fd) {
    while (send_all(fd, std::string(4096, '\xA5')))
      ;
  });
  CHECK(get(request_to(garbage, ConnectKind::https)).state == ConnectionState::failed);
  TcpServer silent([](int fd) { read_until(fd, "never"); });
  CHECK(get(request_to(silent, ConnectKind::https)).state == ConnectionState::timeout);
  TcpServer plain([](int fd) { send_all(fd, "HTTP/1.1 200 OK\r\n\r\n"); });
  CHECK(get(request_to(plain, ConnectKind::https)).state == ConnectionState::failed);
}

TEST_CASE("HTTP/2 without TLS comes by an upgrade, where the server takes it") {
  std::string request;
  std::mutex mutex;
  TcpServer server([&](int fd) {
    const std::scoped_lock lock(mutex);
    request = read_until(fd, "\r\n\r\n");
    send_all(fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    using namespace std::string_view_literals;
    // An empty SETTINGS frame, then HEADERS that end stream 1: ":status: 200", number 8 of the table (RFC 7541, A).
    send_all(fd, "\0\0\0\x04\0\0\0\0\0"sv);
    send_all(fd, "\0\0\x01\x01\x05\0\0\0\x01\x88"sv);
    read_until(fd, "never"); // the client's preface and frames
  });
  auto ask = request_to(server, ConnectKind::http);
  ask.http2 = true;
  const auto result = get(ask);
  CHECK(result.state == ConnectionState::ok);
  CHECK(member(result, "/http_info/http_version") == "\"2\"");
  CHECK(member(result, "/http_response_code") == "200");
  const std::scoped_lock lock(mutex);
  CHECK(request.find("Upgrade: h2c\r\n") != std::string::npos);
  CHECK(server.connections() == 1);

  const auto older = http_server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ask = request_to(older, ConnectKind::http);
  ask.http2 = true;
  CHECK(member(get(ask), "/http_info/http_version") == "\"1.1\"");
}

TEST_CASE("many requests at once each have a connection of their own, and one that is given up never completes") {
  const auto server = http_server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  TcpServer silent([](int fd) { read_until(fd, "never"); });
  EventLoop loop;
  HttpConnector connector(loop);
  int ok = 0;
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 50; ++i)
    connections.push_back(connector.start(request_to(server, ConnectKind::http),
                                          [&](ConnectResult&& result) { ok += result.state == ConnectionState::ok; }));
  auto given_up = connector.start(request_to(silent, ConnectKind::http), [&](ConnectResult&&) { ok = -1000; });
  run_until(loop, [&] { return ok == 50; });
  given_up.reset();
  for (int i = 0; i < 15; ++i)
    loop.run_once(std::chrono::milliseconds(50));
  CHECK(ok == 50);
  CHECK(server.connections() == 50);
}
