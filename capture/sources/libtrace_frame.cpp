// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/libtrace_frame.hpp"

#include "capture/dissect/octets.hpp"
#include "capture/sources/erf_reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>

namespace orbweaver {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint32_t frame_check_octets = 4;

template <typename Header>
Header load(const void* at) noexcept {
  Header header;
  std::memcpy(&header, at, sizeof header);
  return header;
}

/// How "int:" begins its records; libtrace keeps the structure to itself. Checked by the payload's place behind it.
struct NativeHeader {
  std::uint32_t timeval_s, timeval_us;
  std::uint32_t timespec_s, timespec_ns;
  std::uint8_t clock; // which of the two is set
  std::uint32_t wire_length, captured_length;
  sockaddr_ll address;
};
static_assert(sizeof(NativeHeader) == 48);
constexpr std::uint8_t clock_timeval = 1, clock_timespec = 2;

/// What a live interface's frames begin with, by its hardware type.
std::optional<LinkType> link_of_hardware(std::uint16_t hardware) noexcept {
  switch (hardware) {
  case ARPHRD_ETHER:
  case ARPHRD_LOOPBACK:
    return LinkType::ethernet;
  case ARPHRD_NONE: // tun
  case ARPHRD_RAWIP:
  case ARPHRD_PPP:
    return LinkType::raw_ip;
  default:
    return std::nullopt;
  }
}

Decoded decode_address(const sockaddr_ll& address, Frame& frame, std::uint32_t& link_number) noexcept {
  if (address.sll_hatype == ARPHRD_LOOPBACK && address.sll_pkttype == PACKET_OUTGOING)
    return Decoded::passed; // it comes again, incoming
  const std::optional<LinkType> link = link_of_hardware(address.sll_hatype);
  if (!link) {
    link_number = address.sll_hatype;
    return Decoded::unsupported;
  }
  frame.link = *link;
  return Decoded::frame;
}

Decoded decode_native(const libtrace_packet_t& packet, Frame& frame, std::uint32_t& link_number) noexcept {
  const auto header = load<NativeHeader>(packet.header);
  if (frame.data - static_cast<const std::uint8_t*>(packet.header) != sizeof header)
    return Decoded::damaged;
  if (header.clock == clock_timespec)
    frame.time_ns = header.timespec_s * second_ns + header.timespec_ns;
  else if (header.clock == clock_timeval)
    frame.time_ns = header.timeval_s * second_ns + header.timeval_us * std::uint64_t{1000};
  frame.captured_length = header.captured_length;
  frame.wire_length = header.wire_length;
  return decode_address(header.address, frame, link_number);
}

Decoded decode_ring(const libtrace_packet_t& packet, Frame& frame, std::uint32_t& link_number) noexcept {
  const auto header = load<tpacket2_hdr>(packet.header);
  frame.time_ns = header.tp_sec * second_ns + header.tp_nsec;
  frame.captured_length = header.tp_snaplen;
  frame.wire_length = header.tp_len;
  const auto* address = static_cast<const std::uint8_t*>(packet.header) + TPACKET_ALIGN(sizeof header);
  return decode_address(load<sockaddr_ll>(address), frame, link_number);
}

/// 0 for what lies before 1970, and clamped to what 64 bits hold.
std::uint64_t time_of(const timeval& time) noexcept {
  std::int64_t whole_ns = 0, part_ns = 0, time_ns = 0;
  if (__builtin_mul_overflow(time.tv_sec, std::int64_t{1'000'000'000}, &whole_ns) ||
      __builtin_mul_overflow(time.tv_usec, std::int64_t{1000}, &part_ns) ||
      __builtin_add_overflow(whole_ns, part_ns, &time_ns))
    return time.tv_sec < 0 ? 0 : std::numeric_limits<std::int64_t>::max();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time_ns, 0));
}

Decoded decode_libpcap(const libtrace_packet_t& packet, Frame& frame, std::uint32_t& link_number) noexcept {
  const auto header = load<pcap_pkthdr>(packet.header);
  link_number = static_cast<std::uint32_t>(packet.type) - TRACE_RT_DATA_DLT;
  const std::optional<LinkType> link = link_type_of(link_number);
  if (!link)
    return Decoded::unsupported;
  frame.time_ns = time_of(header.ts);
  frame.captured_length = header.caplen;
  frame.wire_length = header.len;
  frame.link = *link;
  return Decoded::frame;
}

/// ERF, of a card or over a network; of a file our own reader.
Decoded decode_erf(const libtrace_packet_t& packet, int size, Frame& frame, std::uint32_t& link_number) noexcept {
  const auto* header = static_cast<const std::uint8_t*>(packet.header);
  const std::uint32_t octets = std::min<std::uint32_t>(be16(header + 10), static_cast<std::uint32_t>(size));
  return octets < erf_header_octets ? Decoded::damaged : decode_erf_record(header, octets, frame, link_number);
}

/// TSH (NLANR, "Time Sequenced Headers"): 8 octets of time, an IPv4 header without options, 16 octets of what follows.
Decoded decode_tsh(const libtrace_packet_t& packet, Frame& frame) noexcept {
  constexpr std::uint32_t ip_octets = 20, transport_octets = 16;
  const auto* header = static_cast<const std::uint8_t*>(packet.header);
  const std::uint32_t microseconds = be32(header + 4) & 0xffffff; // behind the number of the interface
  frame.time_ns = be32(header) * second_ns + microseconds * std::uint64_t{1000};
  frame.link = LinkType::raw_ip;
  frame.wire_length = be16(frame.data + 2);
  // Options were left out of the record, though not out of the header's own length.
  frame.captured_length = (frame.data[0] & 0x0f) == ip_octets / 4 ? ip_octets + transport_octets : ip_octets;
  return Decoded::frame;
}

/// What DAG cards wrote before ERF: 64 octets, the header among them.
Decoded decode_legacy(const libtrace_packet_t& packet, Frame& frame) noexcept {
  constexpr std::uint32_t record_octets = 64;
  const auto* header = static_cast<const std::uint8_t*>(packet.header);
  frame.time_ns = erf_time_ns(header);
  if (packet.type == TRACE_RT_DATA_LEGACY_ETH) {
    frame.link = LinkType::ethernet;
    frame.wire_length = le16(header + 8); // without the frame check sequence
  } else {
    frame.link = LinkType::ppp_serial;
    frame.wire_length = left_after(be32(header + 12), frame_check_octets);
  }
  const auto framing = static_cast<std::uint32_t>(frame.data - header);
  frame.captured_length = std::min(left_after(record_octets, framing), frame.wire_length);
  return Decoded::frame;
}

} // namespace

Decoded decode_libtrace_packet(const libtrace_packet_t& packet, int size, Frame& frame,
                               std::uint32_t& link_number) noexcept {
  if (packet.header == nullptr || packet.payload == nullptr)
    return Decoded::passed;
  frame = Frame{};
  frame.data = static_cast<const std::uint8_t*>(packet.payload);
  Decoded decoded = Decoded::unsupported;
  switch (packet.type) {
  case TRACE_RT_DATA_LINUX_NATIVE:
    decoded = decode_native(packet, frame, link_number);
    break;
  case TRACE_RT_DATA_LINUX_RING:
    decoded = decode_ring(packet, frame, link_number);
    break;
  case TRACE_RT_DATA_ERF:
    decoded = decode_erf(packet, size, frame, link_number);
    break;
  case TRACE_RT_DATA_TSH:
    return decode_tsh(packet, frame);
  case TRACE_RT_DATA_LEGACY_ETH:
  case TRACE_RT_DATA_LEGACY_POS:
    return decode_legacy(packet, frame);
  default:
    if (packet.type < TRACE_RT_DATA_SIMPLE)
      return Decoded::passed; // news of the RT protocol
    if (packet.type >= TRACE_RT_DATA_DLT && packet.type <= TRACE_RT_DATA_DLT_END)
      return decode_libpcap(packet, frame, link_number);
    link_number = static_cast<std::uint32_t>(packet.type);
    return Decoded::unsupported;
  }
  // These three lie in one piece behind their header, and `size` counts both.
  const auto framing = frame.data - static_cast<const std::uint8_t*>(packet.header);
  if (decoded == Decoded::frame && frame.captured_length > static_cast<std::uint32_t>(size) - framing)
    return Decoded::damaged;
  return decoded;
}

} // namespace orbweaver
