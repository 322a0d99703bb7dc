// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/forge_sender.hpp"

#include "common/error.hpp"
#include "common/wait.hpp"
#include "spider/clock.hpp"

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
    throw Error("forged packets need raw sockets, and the right to open them (CAP_NET_RAW) is missing: run as root, or "
                "give it to the program with `setcap cap_net_raw+ep`");
  if (!fd && errno != EAFNOSUPPORT)
    throw Error("cannot open a raw socket: " + errno_text());
  if (fd)
    bind_to(fd.get(), interface);
  return fd;
}

} // namespace

ForgeSender::ForgeSender(const std::string& interface)
    : interface_(interface), ip4_(open_raw(AF_INET, interface)), ip6_(open_raw(AF_INET6, interface)) {}

ConnectResult ForgeSender::send(const ConnectRequest& request, std::uint16_t source_port,
                                std::span<const std::uint8_t> datagram) noexcept {
  if (protocol_of(request.kind) == IPPROTO_UDP)
    guard_port(request, source_port);
  ConnectResult result;
  result.source_port = source_port;
  result.start_ns = realtime_ns();
  const FileDescriptor& socket = request.destination.version == 4 ? ip4_ : ip6_;
  const SocketAddress target = socket_address(request.destination, 0); // IPv6 takes a port for a protocol (raw(7))
  const auto sent = sendto(socket.get(), datagram.data(), datagram.size(), 0, target.get(), target.length);
  result.state = sent == static_cast<ssize_t>(datagram.size()) ? ConnectionState::ok : ConnectionState::failed;
  result.stop_ns = realtime_ns();
  return result;
}

/// Where the port is somebody else's, the answer finds them there: that too keeps the system quiet.
void ForgeSender::guard_port(const ConnectRequest& request, std::uint16_t port) {
  const std::uint64_t now_ns = monotonic_ns();
  while (!guards_.empty() && (guards_.front().until_ns <= now_ns || guards_.size() >= max_guards))
    guards_.pop_front();
  const int family = request.source.version == 4 ? AF_INET : AF_INET6;
  FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd)
    return;
  bind_to(fd.get(), interface_);
  const int least = 1; // octets; what comes is never read
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  const SocketAddress address = socket_address(request.source, port);
  if (bind(fd.get(), address.get(), address.length) == 0)
    guards_.push_back({now_ns + request.timeout_ns, std::move(fd)});
}

} // namespace orbweaver
