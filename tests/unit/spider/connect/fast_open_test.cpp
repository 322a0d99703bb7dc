// SPDX-License-Identifier: GPL-3.0-or-later
// TCP Fast Open against a server that takes it, in a network namespace of the test's own.
#include "spider/connect/dns_connector.hpp"
#include "spider/connect/http_connector.hpp"
#include "tests/support/dns_message.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

#include <fstream>
#include <mutex>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

/// Gives the calling thread a network namespace whose system has Fast Open on both sides. False where that is not
/// permitted.
bool enter_namespace() {
  if (unshare(CLONE_NEWNET) != 0)
    return false;
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM, 0));
  ifreq loopback{};
  std::string_view("lo").copy(loopback.ifr_name, IFNAMSIZ - 1);
  loopback.ifr_flags = IFF_UP;
  if (ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0)
    return false;
  std::ofstream setting("/proc/sys/net/ipv4/tcp_fastopen");
  return static_cast<bool>(setting << "3" << std::flush);
}

/// Runs `test` in a thread with such a namespace: the other tests stay where they are.
void in_namespace(const std::function<void()>& test) {
  std::thread([&] {
    if (enter_namespace())
      test();
    else
      MESSAGE("not tried: it needs the right to make network namespaces (CAP_SYS_ADMIN)");
  }).join();
}

/// Which of a server's connections had data on their SYN.
class Seen {
public:
  void add(int fd) {
    tcp_info info{};
    socklen_t length = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    const std::scoped_lock lock(mutex_);
    had_data_.push_back(info.tcpi_options & TCPI_OPT_SYN_DATA);
  }
  [[nodiscard]] std::vector<bool> all() {
    const std::scoped_lock lock(mutex_);
    return had_data_;
  }

private:
  std::mutex mutex_;
  std::vector<bool> had_data_;
};

/// A plain connection, one that asks for the cookie, and one that uses it: only the last has data on its SYN.
void check_three(Connector& connector, EventLoop& loop, const Server& server, ConnectKind kind, Seen& seen,
                 ConnectionState expected = ConnectionState::ok) {
  for (const bool fast_open : {false, true, true}) {
    auto request = request_to(server, kind);
    request.fast_open = fast_open;
    const auto result = run(loop, connector, request);
    CHECK(result.state == expected);
    CHECK(result.source_port > 0);
  }
  CHECK(seen.all() == std::vector<bool>{false, false, true});
}

} // namespace

TEST_CASE("with Fast Open a DNS query goes with the SYN once there is a cookie") {
  in_namespace([] {
    Seen seen;
    TcpServer server([&](int fd) {
      seen.add(fd);
      const auto prefixed = read_octets(fd, 2 + 12 + 17);
      const auto id = static_cast<std::uint16_t>(static_cast<unsigned char>(prefixed[2]) << 8 |
                                                 static_cast<unsigned char>(prefixed[3]));
      const auto answer = craft::dns_over_tcp(craft::dns_response(id, "example.org", std::array<std::uint8_t, 4>{}));
      send_all(fd, {reinterpret_cast<const char*>(answer.data()), answer.size()});
    });
    server.allow_fast_open();
    EventLoop loop;
    DnsConnector connector(loop);
    check_three(connector, loop, server, ConnectKind::dnstcp, seen);
  });
}

TEST_CASE("with Fast Open an HTTP request goes with the SYN once there is a cookie") {
  in_namespace([] {
    Seen seen;
    TcpServer server([&](int fd) {
      seen.add(fd);
      read_until(fd, "\r\n\r\n");
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    server.allow_fast_open();
    EventLoop loop;
    HttpConnector connector(loop);
    check_three(connector, loop, server, ConnectKind::http, seen);
  });
}

TEST_CASE("with Fast Open the first message of TLS goes with the SYN once there is a cookie") {
  in_namespace([] {
    Seen seen;
    TcpServer server([&](int fd) {
      seen.add(fd);
      read_octets(fd, 1);
    });
    server.allow_fast_open();
    EventLoop loop;
    HttpConnector connector(loop);
    check_three(connector, loop, server, ConnectKind::https, seen, ConnectionState::failed);
  });
}
