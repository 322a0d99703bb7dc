// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/public_address.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

#include <mutex>

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

/// Answers every request with this body, and remembers who asked and how.
struct Teller {
  explicit Teller(const std::string& body, const char* where = "127.0.0.1", const std::string& status = "200 OK")
      : server(
            [this, text = "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
                          "\r\nConnection: close\r\n\r\n" + body](int fd) {
              SocketAddress peer;
              peer.length = sizeof peer.storage;
              getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length);
              const std::string asked = read_until(fd, "\r\n\r\n");
              {
                const std::scoped_lock lock(mutex);
                request = asked;
                std::memcpy(&client, &peer.storage, sizeof client);
              }
              send_all(fd, text);
            },
            where) {}

  [[nodiscard]] std::string url() const {
    const std::string host = address_text(server.where());
    return "http://" + (server.where().version == 4 ? host : "[" + host + "]") + ":" + std::to_string(server.port()) +
           "/json";
  }

  std::mutex mutex;
  std::string request;
  sockaddr_in client{};
  TcpServer server; ///< ends before what it writes to
};

LocalAddresses on_loopback(const char* address = "127.0.0.1") {
  auto local = LocalAddresses::of("lo");
  local.set_sources({address});
  return local;
}

void look_up(const std::string& url, LocalAddresses& local,
             std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  const std::atomic<bool> stop = false;
  RouteFinder routes(local.interface, local.source4, local.source6);
  look_up_public(url, local, routes, stop, patience);
}

std::string public_ip4_from(const std::string& body) {
  const Teller teller(body);
  LocalAddresses local = on_loopback();
  look_up(teller.url(), local);
  return local.public_ip4.version == 0 ? "none" : address_text(local.public_ip4);
}

} // namespace

TEST_CASE("An answer is an address as text") {
  CHECK(address_text(parse_public_address("192.0.2.7\r\n").address) == "192.0.2.7");
  CHECK(address_text(parse_public_address(" 2001:db8::7").address) == "2001:db8::7");
  CHECK(!parse_public_address("192.0.2.7").asn);
}

TEST_CASE("An answer is JSON with an address, and the AS as a number, as text, or before the organization's name") {
  const auto asn = [](const std::string& members) {
    const auto found = parse_public_address(R"({"city":"x","ip":"192.0.2.7")" + members + "}\n");
    CHECK(address_text(found.address) == "192.0.2.7");
    return found.asn;
  };
  CHECK(!asn(""));
  CHECK(asn(R"(,"asn":64500)") == 64500U);
  CHECK(asn(R"(,"asn":"AS64500")") == 64500U);
  CHECK(asn(R"(,"asn":"64500")") == 64500U);
  CHECK(asn(R"(,"org":"AS4200000000 Example Net")") == 4'200'000'000U);
  CHECK(asn(R"(,"asn":{"asn":"AS1"},"org":"AS64500 Example Net")") == 64500U);
}

TEST_CASE("What is no number of an AS is not taken for one") {
  for (const char* const members : {R"("org":"Example Net")", R"("org":"AS")", R"("org":"ASN 5")", R"("asn":-1)",
                                    R"("asn":4294967296)", R"("asn":1.5)", R"("asn":null)", R"("org":["AS5"])"}) {
    CAPTURE(members);
    CHECK(!parse_public_address(R"({"ip":"192.0.2.7",)" + std::string(members) + "}").asn);
  }
}

TEST_CASE("An answer without an address is none") {
  for (const char* const answer : {"", "<html>192.0.2.7</html>", "192.0.2.256", "{", "{}", R"({"ip":7})",
                                   R"({"ip":"here"})", R"(["192.0.2.7"])", R"({"ip":"192.0.2.7"} more)"}) {
    CAPTURE(answer);
    CHECK_THROWS_AS(static_cast<void>(parse_public_address(answer)), Error);
  }
}

TEST_CASE("Only URLs of http and https are asked") {
  check_look_up_url("https://example.org/json");
  check_look_up_url("http://[::1]:8080");
  for (const char* const url :
       {"", "example.org", "ftp://example.org", "file:///etc/passwd", "http://", "http://a b/"}) {
    CAPTURE(url);
    CHECK_THROWS_AS(check_look_up_url(url), UsageError);
  }
}

TEST_CASE("A look-up is one GET from the address of the interface, and completes address and AS") {
  Teller teller(R"({"ip":"192.0.2.7","org":"AS64500 Example Net"})");
  LocalAddresses local = on_loopback("127.0.0.9");
  look_up(teller.url(), local);
  CHECK(address_text(local.public_ip4) == "192.0.2.7");
  CHECK(local.public_ip6.version == 0);
  CHECK(local.asn == 64500U);
  CHECK(teller.server.connections() == 1);
  const std::scoped_lock lock(teller.mutex);
  CHECK(teller.request.starts_with("GET /json HTTP/1.1\r\n"));
  CHECK(ntohl(teller.client.sin_addr.s_addr) == 0x7F000009);
}

TEST_CASE("A look-up over IPv6 completes the IPv6 address") {
  const Teller teller("2001:db8::7\n", "::1");
  LocalAddresses local = on_loopback("::1");
  look_up(teller.url(), local);
  CHECK(address_text(local.public_ip6) == "2001:db8::7");
  CHECK(local.public_ip4.version == 0);
}

TEST_CASE("What the user said of this machine stays, and where that is all nobody is asked") {
  const Teller teller(R"({"ip":"192.0.2.7","asn":64500})");
  LocalAddresses local = on_loopback();
  local.set_public({"198.51.100.1"});
  look_up(teller.url(), local);
  CHECK(address_text(local.public_ip4) == "198.51.100.1");
  CHECK(local.asn == 64500U);

  local = on_loopback();
  local.asn = 64501;
  look_up(teller.url(), local);
  CHECK(address_text(local.public_ip4) == "192.0.2.7");
  CHECK(local.asn == 64501U);
  CHECK(teller.server.connections() == 2);

  look_up(teller.url(), local);
  CHECK(teller.server.connections() == 2);
}

TEST_CASE("A look-up that fails leaves the run as it was") {
  CHECK(public_ip4_from("192.0.2.7") == "192.0.2.7");
  CHECK(public_ip4_from("no address") == "none");
  CHECK(public_ip4_from("2001:db8::7") == "none");
  const Teller moved("192.0.2.7", "127.0.0.1", "302 Found");
  LocalAddresses local = on_loopback();
  look_up(moved.url(), local);
  CHECK(local.public_ip4.version == 0);
  look_up("http://127.0.0.1:1/", local);
  CHECK(local.public_ip4.version == 0);
}

TEST_CASE("Of an answer no more than its bound is read") {
  CHECK(public_ip4_from("192.0.2.7" + std::string(max_look_up_octets - 9, ' ')) == "192.0.2.7");
  CHECK(public_ip4_from("192.0.2.7" + std::string(max_look_up_octets - 8, ' ')) == "none");
}

TEST_CASE("A look-up ends when its time is over, and soon after somebody asks to stop") {
  using namespace std::chrono;
  const TcpServer silent([](int fd) { read_until(fd, "never"); });
  const std::string url = "http://127.0.0.1:" + std::to_string(silent.port());
  LocalAddresses local = on_loopback();
  auto began = steady_clock::now();
  look_up(url, local, milliseconds(200));
  CHECK(steady_clock::now() - began < seconds(5));
  const std::atomic<bool> stop = true;
  RouteFinder routes("lo", {}, {});
  began = steady_clock::now();
  look_up_public(url, local, routes, stop);
  CHECK(steady_clock::now() - began < seconds(5));
  CHECK(local.public_ip4.version == 0);
}
