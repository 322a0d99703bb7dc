// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/error.hpp"
#include "spider/connect/dns_message.hpp"
#include "spider/connect/forge_sender.hpp"
#include "spider/connect/forged_datagram.hpp"
#include "spider/plugins/library.hpp"
#include "tests/support/packet_builder.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

#include <cerrno>
#include <mutex>
#include <poll.h>
#include <set>

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

constexpr std::uint16_t source_port = 40'000;

ConnectRequest forge_request(ConnectKind kind, const char* source, const char* destination) {
  ConnectRequest request;
  request.kind = kind;
  request.source = address(source);
  request.destination = address(destination);
  request.destination_port = default_port(kind);
  request.domain = "example.org";
  return request;
}

std::uint16_t number16(const Message& datagram, std::size_t at) {
  return static_cast<std::uint16_t>(datagram.at(at) << 8 | datagram.at(at + 1));
}

std::uint32_t number32(const Message& datagram, std::size_t at) {
  return static_cast<std::uint32_t>(number16(datagram, at)) << 16 | number16(datagram, at + 2);
}

/// The same datagrams by the tests' own builder, but for what is random.
craft::Bytes expected_syn4(const Message& datagram, bool evil) {
  auto ip = craft::ipv4("192.0.2.1", "198.51.100.2").id(number16(datagram, 4));
  if (evil)
    ip.evil();
  return ip / craft::tcp(source_port, 80).seq(number32(datagram, 24)).syn().window(64'240).mss(1460);
}

craft::Bytes expected_query4(const Message& datagram, bool evil, const craft::Udp& udp) {
  auto ip = craft::ipv4("192.0.2.1", "198.51.100.2").id(number16(datagram, 4));
  if (evil)
    ip.evil();
  return ip / udp / craft::payload(craft::dns_query(number16(datagram, 28), "example.org"));
}

craft::Bytes expected_query6(const Message& datagram, const craft::Udp& udp) {
  return craft::ipv6("2001:db8::1", "2001:db8:ffff::2") / udp /
         craft::payload(craft::dns_query(number16(datagram, 48), "example.org"));
}

const Job& job_to(const ConnectRequest& request) {
  static Job job;
  job.destination = request.destination;
  return job;
}

std::unique_ptr<ForgeSender> sender() {
  try {
    return std::make_unique<ForgeSender>("lo");
  } catch (const Error& error) {
    MESSAGE("not tried: ", error.what());
    return nullptr;
  }
}

/// What comes on a raw socket and is what `wanted` looks for, within that time.
std::optional<Message> receive(const FileDescriptor& socket, int timeout_ms,
                               const std::function<bool(const Message&)>& wanted) {
  using namespace std::chrono;
  const auto deadline = steady_clock::now() + milliseconds(timeout_ms);
  for (pollfd waiting{socket.get(), POLLIN, 0}; steady_clock::now() < deadline;) {
    if (poll(&waiting, 1, 20) <= 0)
      continue;
    Message packet(2048);
    packet.resize(static_cast<std::size_t>(std::max<ssize_t>(recv(socket.get(), packet.data(), packet.size(), 0), 0)));
    if (wanted(packet))
      return packet;
  }
  return std::nullopt;
}

} // namespace

TEST_CASE("evilbit forges SYNs that differ in the reserved bit alone, with right checksums") {
  const auto plugin = plugins::evilbit().make();
  const auto request = forge_request(ConnectKind::tcpsyn, "192.0.2.1", "198.51.100.2");
  const auto clear = plugin->forge(request, source_port, job_to(request), 0);
  const auto set = plugin->forge(request, source_port, job_to(request), 1);
  CHECK(clear == expected_syn4(clear, false));
  CHECK(set == expected_syn4(set, true));
}

TEST_CASE("evilbit forges DNS queries that differ in the reserved bit alone, with right checksums") {
  const auto plugin = plugins::evilbit().make();
  const auto request = forge_request(ConnectKind::dnsudp, "192.0.2.1", "198.51.100.2");
  const auto clear = plugin->forge(request, source_port, job_to(request), 0);
  const auto set = plugin->forge(request, source_port, job_to(request), 1);
  CHECK(clear == expected_query4(clear, false, craft::udp(source_port, 53)));
  CHECK(set == expected_query4(set, true, craft::udp(source_port, 53)));
}

TEST_CASE("evilbit forges nothing for IPv6, and says why") {
  const auto plugin = plugins::evilbit().make();
  const auto request = forge_request(ConnectKind::tcpsyn, "2001:db8::1", "2001:db8:ffff::2");
  CHECK(plugin->forge(request, source_port, job_to(request), 1).empty());
  ConnectResult result;
  plugin->post_connect(result, job_to(request), nullptr, 1);
  CHECK(member(result, "/skipped") == "\"IPv6 has no reserved bit\"");
}

TEST_CASE("udpzero forges a query with the right checksum, then one without, over IPv4 and IPv6") {
  const auto plugin = plugins::udpzero().make();
  const auto right = craft::udp(source_port, 53), zero = craft::udp(source_port, 53).zero_checksum();
  auto request = forge_request(ConnectKind::dnsudp, "192.0.2.1", "198.51.100.2");
  auto datagram = plugin->forge(request, source_port, job_to(request), 0);
  CHECK(datagram == expected_query4(datagram, false, right));
  datagram = plugin->forge(request, source_port, job_to(request), 1);
  CHECK(datagram == expected_query4(datagram, false, zero));

  request = forge_request(ConnectKind::dnsudp, "2001:db8::1", "2001:db8:ffff::2");
  datagram = plugin->forge(request, source_port, job_to(request), 0);
  CHECK(datagram == expected_query6(datagram, right));
  datagram = plugin->forge(request, source_port, job_to(request), 1);
  CHECK(datagram == expected_query6(datagram, zero));
}

TEST_CASE("a SYN over IPv6 is forged as over IPv4") {
  const auto request = forge_request(ConnectKind::tcpsyn, "2001:db8::1", "2001:db8:ffff::2");
  const auto datagram = forge_datagram(request, source_port);
  const craft::Bytes expected = craft::ipv6("2001:db8::1", "2001:db8:ffff::2") /
                                craft::tcp(source_port, 80).seq(number32(datagram, 44)).syn().window(64'240).mss(1440);
  CHECK(datagram == expected);
}

TEST_CASE("a forged datagram has the code point of its request, and a right checksum, over both families") {
  auto request = forge_request(ConnectKind::tcpsyn, "192.0.2.1", "198.51.100.2");
  request.code_point = 46;
  const auto syn = forge_datagram(request, source_port);
  CHECK(syn.at(1) == 46 << 2);
  auto plain = syn;
  plain.at(1) = 0;
  const auto checksum = static_cast<std::uint16_t>(number16(plain, 10) + (46 << 2));
  plain.at(10) = static_cast<std::uint8_t>((checksum + (checksum < 46 << 2)) >> 8);
  plain.at(11) = static_cast<std::uint8_t>(checksum + (checksum < 46 << 2));
  CHECK(plain == expected_syn4(plain, false));
  request = forge_request(ConnectKind::dnsudp, "2001:db8::1", "2001:db8:ffff::2");
  request.code_point = 46;
  const auto query = forge_datagram(request, source_port);
  CHECK((number16(query, 0) >> 4 & 0xFF) == 46 << 2);
}

TEST_CASE("nothing is forged for a domain that is no name") {
  auto request = forge_request(ConnectKind::dnsudp, "192.0.2.1", "198.51.100.2");
  request.domain = "a..b";
  CHECK(forge_datagram(request, source_port).empty());
}

TEST_CASE("forged queries arrive as they are, and the system answers a reply with silence") {
  const auto sends = sender();
  if (!sends)
    return;
  for (const char* where : {"127.0.0.1", "::1"}) {
    Message received;
    std::mutex mutex;
    UdpServer server(
        [&](const Message& query) {
          const std::scoped_lock lock(mutex);
          return received = query;
        },
        where);
    const bool ip4 = server.where().version == 4;
    const FileDescriptor icmp(ip4 ? socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
                                  : socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    const auto request = request_to(server, ConnectKind::dnsudp);
    for (const bool zero_checksum : {false, true}) {
      const auto port = sends->port_for(request).value();
      const auto datagram = forge_datagram(request, port, {.zero_udp_checksum = zero_checksum});
      const auto result = sends->send(request, port, datagram);
      CHECK(result.state == ConnectionState::ok);
      CHECK(result.source_port == port);
      const std::size_t icmp_at = ip4 ? 20 : 0, port_at = icmp_at + 8 + (ip4 ? 20 : 40) + 2;
      const auto unreachable = receive(icmp, 200, [&](const Message& packet) {
        return packet.size() > port_at + 2 && packet[icmp_at] == (ip4 ? 3 : 1) && number16(packet, port_at) == port;
      });
      CHECK(!unreachable);
      const std::scoped_lock lock(mutex);
      if (ip4 || !zero_checksum) // the kernel's own IPv6 sockets refuse a zero checksum (RFC 8200, 8.1)
        CHECK(received == Message(datagram.begin() + (ip4 ? 28 : 48), datagram.end()));
      received.clear();
    }
  }
}

TEST_CASE("however many forged queries are under way, the port of each is taken when its answer comes") {
  const auto sends = sender();
  if (!sends)
    return;
  for (const char* where : {"127.0.0.1", "::1"}) {
    auto request = forge_request(ConnectKind::dnsudp, where, where);
    std::set<std::uint16_t> ports;
    for (int i = 0; i < 5000; ++i)
      ports.insert(sends->port_for(request).value());
    for (const std::uint16_t port : ports) {
      const auto target = socket_address(request.source, port);
      const FileDescriptor peer(socket(target.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0));
      REQUIRE(connect(peer.get(), target.get(), target.length) == 0);
      REQUIRE(send(peer.get(), "answer", 6, 0) == 6);
      char none = 0;
      const int error = recv(peer.get(), &none, 1, 0) < 0 ? errno : 0;
      CHECK(error == EAGAIN); // and not ECONNREFUSED
    }
  }
}

TEST_CASE("no two forged datagrams of a job leave from the same port, be there more of them than usual") {
  const auto sends = sender();
  if (!sends)
    return;
  for (const auto kind : {ConnectKind::dnsudp, ConnectKind::tcpsyn})
    for (int job = 0; job < 2; ++job) {
      auto request = forge_request(kind, "127.0.0.1", "127.0.0.1");
      for (int i = 0; i < 400; ++i)
        request.ports_had.push_back(sends->port_for(request).value());
      CHECK(std::set(request.ports_had.begin(), request.ports_had.end()).size() == 400);
    }
}

TEST_CASE("a forged SYN is answered by a SYN+ACK for its sequence number") {
  const auto sends = sender();
  if (!sends)
    return;
  TcpServer server([](int) {});
  const FileDescriptor tcp(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
  const auto request = request_to(server, ConnectKind::tcpsyn);
  for (const bool evil : {false, true}) {
    const auto port = next_local_port();
    const auto datagram = forge_datagram(request, port, {.evil = evil});
    CHECK(sends->send(request, port, datagram).state == ConnectionState::ok);
    const auto sent = receive(tcp, 1000, [&](const Message& packet) {
      return packet.size() >= 40 && number16(packet, 20) == port && packet[33] == 0x02;
    });
    REQUIRE(sent);
    CHECK((sent->at(6) >> 7 == 1) == evil);
    const auto answer = receive(tcp, 1000, [&](const Message& packet) {
      return packet.size() >= 40 && number16(packet, 22) == port && packet[33] == 0x12;
    });
    REQUIRE(answer);
    CHECK(number32(*answer, 28) == number32(datagram, 24) + 1);
  }
}
