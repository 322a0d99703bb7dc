// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes what reads libtrace's packets: whatever a record header says, it gives no octet beyond the record. Input: an
// octet for the packet's type, one for where the payload begins, then the record as libtrace leaves it.
#include "capture/sources/libtrace_frame.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <linux/if_packet.h>
#include <memory>
#include <pcap/pcap.h>

using namespace orbweaver;

namespace {

/// What libtrace sees to for each type: how much of a record is there, and where its payload may begin.
struct Format {
  libtrace_rt_types_t type;
  std::size_t least_octets;
  std::size_t least_framing;
  std::size_t most_framing;
};

constexpr std::size_t ring_framing = TPACKET_ALIGN(sizeof(tpacket2_hdr)) + sizeof(sockaddr_ll);
constexpr std::array formats{
    Format{TRACE_RT_DATA_LINUX_NATIVE, 48, 48, 48},
    Format{TRACE_RT_DATA_LINUX_RING, ring_framing, ring_framing, ring_framing + 64},
    Format{TRACE_RT_DATA_ERF, 16, 16, 128},
    Format{TRACE_RT_DATA_TSH, 44, 8, 8},
    Format{TRACE_RT_DATA_LEGACY_ETH, 64, 10, 10},
    Format{TRACE_RT_DATA_LEGACY_POS, 64, 16, 16},
    Format{TRACE_RT_DATA_SIMPLE, 16, 16, 16},
    Format{static_cast<libtrace_rt_types_t>(TRACE_RT_DATA_DLT + DLT_EN10MB), sizeof(pcap_pkthdr), sizeof(pcap_pkthdr),
           sizeof(pcap_pkthdr)},
    Format{static_cast<libtrace_rt_types_t>(TRACE_RT_DATA_DLT + DLT_RAW), sizeof(pcap_pkthdr), sizeof(pcap_pkthdr),
           sizeof(pcap_pkthdr)},
    Format{TRACE_RT_DATA_DLT_END, sizeof(pcap_pkthdr), sizeof(pcap_pkthdr), sizeof(pcap_pkthdr)},
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const Format& format = formats[data[0] % formats.size()];
  const std::size_t octets = std::max(size - 2, format.least_octets);
  // A block of exactly this size, so that a read beyond the record is seen.
  const std::unique_ptr<std::uint8_t[]> record(new std::uint8_t[octets]{});
  std::memcpy(record.get(), data + 2, size - 2);
  const std::size_t framing =
      std::min(format.least_framing + data[1] % (format.most_framing - format.least_framing + 1), octets);
  if (format.type >= TRACE_RT_DATA_DLT) { // libpcap's own header, which says what libpcap has read
    const auto captured = static_cast<bpf_u_int32>(octets - framing);
    std::memcpy(record.get() + offsetof(pcap_pkthdr, caplen), &captured, sizeof captured);
  }
  libtrace_packet_t packet{};
  packet.type = format.type;
  packet.header = record.get();
  packet.payload = record.get() + framing;
  Frame frame{};
  std::uint32_t link_number = 0;
  if (decode_libtrace_packet(packet, static_cast<int>(octets), frame, link_number) != Decoded::frame)
    return 0;
  volatile std::uint8_t sum = 0;
  for (std::uint32_t i = 0; i < frame.captured_length; ++i)
    sum = static_cast<std::uint8_t>(sum + frame.data[i]);
  if (static_cast<unsigned>(frame.link) >= link_types)
    std::abort();
  return 0;
}
