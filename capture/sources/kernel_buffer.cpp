// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/kernel_buffer.hpp"

#include <dlfcn.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

namespace orbweaver {

namespace {
thread_local std::uint32_t pcap_buffer_mib = 0;
} // namespace

PcapBuffer::PcapBuffer(std::uint32_t mib) noexcept {
  pcap_buffer_mib = mib;
}

PcapBuffer::~PcapBuffer() {
  pcap_buffer_mib = 0;
}

std::uint32_t set_socket_buffer(int socket, std::uint32_t mib) noexcept {
  const int octets = static_cast<int>(mib << 20);
  if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  int has = 0;
  socklen_t length = sizeof has;
  getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &has, &length);
  return static_cast<std::uint32_t>(has) / 2 >> 20; // the kernel doubles it for its own needs
}

} // namespace orbweaver

/// Goes before libpcap's own for libtrace, which calls it between pcap_create() and its first read.
extern "C" [[gnu::visibility("default")]] int pcap_activate(pcap_t* handle) {
  using Activate = int (*)(pcap_t*);
  static const auto own = reinterpret_cast<Activate>(dlsym(RTLD_NEXT, "pcap_activate"));
  if (orbweaver::pcap_buffer_mib != 0)
    pcap_set_buffer_size(handle, static_cast<int>(orbweaver::pcap_buffer_mib << 20));
  return own != nullptr ? own(handle) : PCAP_ERROR;
}
