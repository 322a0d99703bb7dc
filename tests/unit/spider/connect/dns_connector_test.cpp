// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/dns_connector.hpp"

#include "spider/connect/dns_message.hpp"
#include "tests/support/dns_message.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

#include <array>

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

constexpr std::array<std::uint8_t, 4> some_address{192, 0, 2, 1};

std::uint16_t id_of(const Message& query) {
  return static_cast<std::uint16_t>(query.at(0) << 8 | query.at(1));
}

Message good_answer(const Message& query) {
  return craft::dns_response(id_of(query), "example.org", some_address);
}

Message wrong_id(const Message& query) {
  return craft::dns_response(static_cast<std::uint16_t>(id_of(query) + 1), "example.org", some_address);
}

Message wrong_question(const Message& query) {
  return craft::dns_response(id_of(query), "other.example.org", some_address);
}

Message cut_short(const Message& query) {
  auto message = good_answer(query);
  message.resize(message.size() - 3);
  return message;
}

Message lies_about_records(const Message& query) {
  auto message = good_answer(query);
  message.at(7) = 200; // ANCOUNT
  return message;
}

Message query_itself(const Message& query) {
  return query;
}

Message garbage(const Message&) {
  return Message(100, 0xA5);
}

Message read_query(int fd) {
  const auto prefix = read_octets(fd, 2);
  if (prefix.size() < 2)
    return {};
  const auto text = read_octets(
      fd, static_cast<std::size_t>(static_cast<unsigned char>(prefix[0]) << 8 | static_cast<unsigned char>(prefix[1])));
  return {text.begin(), text.end()};
}

std::string as_text(const Message& message) {
  return {message.begin(), message.end()};
}

TcpServer tcp_server(Message (*answer)(const Message&)) {
  return TcpServer([answer](int fd) {
    const auto query = read_query(fd);
    if (!query.empty())
      send_all(fd, as_text(craft::dns_over_tcp(answer(query))));
    read_octets(fd, 1);
  });
}

ConnectResult ask(const ConnectRequest& request) {
  EventLoop loop;
  DnsConnector connector(loop);
  return run(loop, connector, request);
}

} // namespace

TEST_CASE("a response to the query is ok over UDP and TCP, with its code and the number of answers") {
  UdpServer udp(good_answer);
  const auto tcp = tcp_server(good_answer);
  for (const auto& request : {request_to(udp, ConnectKind::dnsudp), request_to(tcp, ConnectKind::dnstcp)}) {
    const auto result = ask(request);
    CHECK(result.state == ConnectionState::ok);
    CHECK(result.source_port > 0);
    CHECK(result.members.text() == R"("dns_rcode":0,"dns_answers":1)");
  }
}

TEST_CASE("a response that says the name does not exist is ok too") {
  UdpServer server(
      [](const Message& query) { return craft::dns_response(id_of(query), "example.org", some_address, 3); });
  const auto result = ask(request_to(server, ConnectKind::dnsudp));
  CHECK(result.state == ConnectionState::ok);
  CHECK(result.members.text() == R"("dns_rcode":3,"dns_answers":0)");
}

TEST_CASE("what is no response to the query fails over UDP and TCP") {
  for (const auto answer : {wrong_id, wrong_question, cut_short, lies_about_records, query_itself, garbage}) {
    UdpServer udp(answer);
    const auto tcp = tcp_server(answer);
    for (const auto& request : {request_to(udp, ConnectKind::dnsudp), request_to(tcp, ConnectKind::dnstcp)}) {
      const auto result = ask(request);
      CHECK(result.state == ConnectionState::failed);
      CHECK(member(result, "/dns_error"));
    }
  }
}

TEST_CASE("a length prefix that says more than comes fails when the connection ends, or times out") {
  const auto lying = [](int fd, bool ends) {
    auto message = as_text(craft::dns_over_tcp(good_answer(read_query(fd))));
    message[0] = static_cast<char>(0xFF);
    send_all(fd, message);
    if (!ends)
      read_until(fd, "never");
  };
  TcpServer ending([&](int fd) { lying(fd, true); });
  CHECK(ask(request_to(ending, ConnectKind::dnstcp)).state == ConnectionState::failed);
  TcpServer waiting([&](int fd) { lying(fd, false); });
  CHECK(ask(request_to(waiting, ConnectKind::dnstcp)).state == ConnectionState::timeout);
}

TEST_CASE("a length prefix that says less than comes, or nothing, fails") {
  for (const int length : {0, 5, 11}) {
    TcpServer server([length](int fd) {
      auto message = as_text(craft::dns_over_tcp(good_answer(read_query(fd))));
      message[0] = 0;
      message[1] = static_cast<char>(length);
      send_all(fd, message);
      read_octets(fd, 1);
    });
    CHECK(ask(request_to(server, ConnectKind::dnstcp)).state == ConnectionState::failed);
  }
}

TEST_CASE("a response in single octets is put together, one that drips for ever times out") {
  TcpServer slow([](int fd) {
    for (const char octet : as_text(craft::dns_over_tcp(good_answer(read_query(fd))))) {
      send_all(fd, std::string_view(&octet, 1));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    read_octets(fd, 1);
  });
  CHECK(ask(request_to(slow, ConnectKind::dnstcp)).state == ConnectionState::ok);
  TcpServer dripping([](int fd) { drip(fd, "\x7f"); });
  CHECK(ask(request_to(dripping, ConnectKind::dnstcp)).state == ConnectionState::timeout);
}

TEST_CASE("a silent server times out, a reset and a closed port fail") {
  UdpServer silent([](const Message&) { return Message(); });
  CHECK(ask(request_to(silent, ConnectKind::dnsudp)).state == ConnectionState::timeout);
  TcpServer resetting([](int fd) { reset_on_close(fd); });
  CHECK(ask(request_to(resetting, ConnectKind::dnstcp)).state == ConnectionState::failed);
  ConnectRequest closed_tcp, closed_udp;
  {
    const auto tcp = tcp_server(good_answer);
    UdpServer udp(good_answer);
    closed_tcp = request_to(tcp, ConnectKind::dnstcp);
    closed_udp = request_to(udp, ConnectKind::dnsudp);
  }
  for (const auto& request : {closed_tcp, closed_udp}) {
    const auto result = ask(request);
    CHECK(result.state == ConnectionState::failed);
    CHECK(result.source_port > 0);
  }
}

TEST_CASE("Fast Open falls back to a plain connection where there is no cookie or it is off") {
  const auto server = tcp_server(good_answer);
  auto request = request_to(server, ConnectKind::dnstcp);
  request.fast_open = true;
  for (int i = 0; i < 3; ++i)
    CHECK(ask(request).state == ConnectionState::ok);
}

TEST_CASE("a domain that is no name fails before a packet leaves") {
  UdpServer server(good_answer);
  for (const std::string& domain : {std::string("a..b"), std::string(64, 'x') + ".org", std::string(300, '.')}) {
    auto request = request_to(server, ConnectKind::dnsudp);
    request.domain = domain;
    const auto result = ask(request);
    CHECK(result.state == ConnectionState::failed);
    CHECK(result.source_port == -1);
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("without a domain the address is the name that is asked for") {
  ConnectRequest request;
  request.destination = address("2001:db8::1");
  CHECK(dns_name(request) == "2001:db8::1");
  CHECK(!make_dns_query(dns_name(request)).empty());
  request.destination = address("192.0.2.1");
  CHECK(dns_name(request) == "192.0.2.1");
  request.domain = "example.org";
  CHECK(dns_name(request) == "example.org");
}

TEST_CASE("a query is the one that the name calls for, but for its id") {
  auto query = make_dns_query("example.org");
  const auto expected = craft::dns_query(id_of(query), "example.org");
  CHECK(query == Message(expected.begin(), expected.end()));
}
