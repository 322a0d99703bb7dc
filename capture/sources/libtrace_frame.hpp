// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a packet of libtrace without libtrace's accessors: those of 3.0.22 end the process (assert) on a frame of 64
// KiB or more, which segmentation offload makes every day, and on link types that they do not know. The record header
// is read instead, as the packet's own type lays it out. Called on the capture stage's thread.
#pragma once

#include "capture/sources/source.hpp"

#include <libtrace.h>

namespace orbweaver {

enum class Decoded : std::uint8_t {
  frame,       ///< `frame` is filled in
  passed,      ///< not a packet, or a loopback interface's second copy of one
  unsupported, ///< the link type, the hardware type or the record is none that we know
  damaged,     ///< the record header contradicts itself
};

/// Fills in `frame` from a packet that libtrace has just read, `size` being what it returned. `link_number` is the
/// number that `unsupported` is about: a pcap link type, ERF type, or the kernel's hardware type (ARPHRD_). The packet
/// of "pcap:" and "pcapint:" has libpcap's own record header. Not for "pcapfile:", where libtrace forgets byte order
/// and resolution.
[[nodiscard]] Decoded decode_libtrace_packet(const libtrace_packet_t& packet, int size, Frame& frame,
                                             std::uint32_t& link_number) noexcept;

} // namespace orbweaver
