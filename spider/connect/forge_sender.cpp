// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/forge_sender.hpp"

#include "common/clock.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>

namespace orbweaver {

namespace {

void bind_to(int fd, const std::string& interface) noexcept {
  if (!interface.empty())
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), static_cast<socklen_t>(interface.size()));
}

/// A socket that takes datagrams with their IP header: that is what IPPROTO_RAW means (raw(7)).
FileDescriptor open_raw(int family, const std::string& interface) {
  FileDescriptor fd(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd && (errno == EPERM || errno == EACCES))
    throw Error(
        "forged packets need raw sockets, and the right to open them (CAP_NET_RAW) is missing: run as root with "
        "--user, or as a service (docs/operating-a-probe.md, Rights)");
  if (!fd && errno != EAFNOSUPPORT)
    throw Error("cannot open a raw socket: " + errno_text());
  if (fd)
    bind_to(fd.get(), interface);
  return fd;
}

} // namespace

ForgeSender::ForgeSender(const std::string& interface)
    : interface_(interface), ip4_(open_raw(AF_INET, interface)), ip6_(open_raw(AF_INET6, interface)) {}

std::optional<std::uint16_t> ForgeSender::port_for(const ConnectRequest& request) {
  if (protocol_of(request.kind) != IPPROTO_UDP)
    return next_local_port(request);
  Guards& guards = request.source.version == 4 ? guards4_ : guards6_;
  const auto& had = request.ports_had;
  // One more than the job has had: of so many, one is left for it.
  if (guards.size() < std::max(usual_guards, had.size() + 1) && take_port(guards, request))
    return guards.back().port;
  for (std::size_t tries = 0; tries < guards.size(); ++tries) {
    guards.push_back(std::move(guards.front()));
    guards.pop_front();
    if (std::find(had.begin(), had.end(), guards.back().port) == had.end())
      return guards.back().port;
  }
  return std::nullopt;
}

ConnectResult ForgeSender::send(const ConnectRequest& request, std::uint16_t source_port,
                                std::span<const std::uint8_t> datagram) noexcept {
  ConnectResult result;
  result.source_port = source_port;
  result.start_ns = realtime_ns();
  const FileDescriptor& socket = request.destination.version == 4 ? ip4_ : ip6_;
  const SocketAddress target = socket_address(request.destination, 0); // IPv6 takes a port for a protocol (raw(7))
  const auto sent = sendto(socket.get(), datagram.data(), datagram.size(), 0, target.get(), target.length);
  if (sent == static_cast<ssize_t>(datagram.size())) {
    result.state = ConnectionState::ok;
  } else {
    result.error = sent < 0 ? errno : EMSGSIZE;
    result.never_left = true;
  }
  result.stop_ns = realtime_ns();
  return result;
}

bool ForgeSender::take_port(Guards& guards, const ConnectRequest& request) {
  FileDescriptor fd(socket(request.source.version == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd)
    return false;
  bind_to(fd.get(), interface_);
  const int least = 1; // octets; what comes is never read
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  for (int tries = 0; tries < max_port_tries; ++tries) { // ports that somebody else has are passed over
    const auto port = next_local_port(request);
    if (!port)
      return false;
    const SocketAddress address = socket_address(request.source, *port);
    if (bind(fd.get(), address.get(), address.length) == 0) {
      guards.push_back({*port, std::move(fd)});
      return true;
    }
  }
  return false;
}

} // namespace orbweaver
