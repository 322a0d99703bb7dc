// SPDX-License-Identifier: GPL-3.0-or-later
// How much the kernel keeps of packets that are not read yet. libtrace 3 cannot be asked for it, so what it opens is
// told on its way: libpcap's ring as libtrace activates it, a socket once libtrace has it. Capture's thread, at a
// start.
#pragma once

#include <cstdint>

namespace orbweaver {

inline constexpr std::uint32_t max_kernel_buffer_mib = 2047; ///< libpcap takes octets as an int

/// While it lives, what libtrace opens through libpcap in this thread gets a buffer of so many MiB; 0: libpcap's own.
class PcapBuffer {
public:
  explicit PcapBuffer(std::uint32_t mib) noexcept;
  PcapBuffer(const PcapBuffer&) = delete;
  PcapBuffer& operator=(const PcapBuffer&) = delete;
  ~PcapBuffer();
};

/// Gives a socket a receive buffer of so many MiB, by force where there is the right to (CAP_NET_ADMIN), else up to
/// net.core.rmem_max. Returns how many MiB it has.
std::uint32_t set_socket_buffer(int socket, std::uint32_t mib) noexcept;

} // namespace orbweaver
