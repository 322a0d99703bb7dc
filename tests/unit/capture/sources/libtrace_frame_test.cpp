// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/libtrace_frame.hpp"
#include "tests/support/bytes.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>

using namespace orbweaver;
using craft::Bytes;

namespace {

/// A packet as libtrace leaves it: header, and the payload `framing` octets behind its start.
struct Packet {
  Packet(libtrace_rt_types_t type, Bytes octets, std::size_t framing) : record(std::move(octets)) {
    packet.type = type;
    packet.header = record.data();
    packet.payload = record.data() + framing;
  }
  Decoded decode() { return decode_libtrace_packet(packet, static_cast<int>(record.size()), frame, number); }

  Bytes record;
  libtrace_packet_t packet{};
  Frame frame{};
  std::uint32_t number = 0;
};

Packet erf(std::uint8_t type, std::size_t payload, std::uint16_t wire, std::size_t framing) {
  Bytes record;
  craft::append_u64(record, (std::uint64_t{1'700'000'000} << 32) | 0x80000000, std::endian::little);
  craft::append_u8(record, type);
  craft::append_u8(record, 4);
  craft::append_u16(record, 16 + payload);
  craft::append_u16(record, 0);
  craft::append_u16(record, wire);
  record.resize(record.size() + payload, 7);
  return {TRACE_RT_DATA_ERF, std::move(record), framing};
}

Packet ring(std::uint32_t captured, std::uint32_t wire, std::uint16_t hardware, std::uint8_t kind) {
  Bytes record(66 + 60);
  tpacket2_hdr header{};
  header.tp_len = wire;
  header.tp_snaplen = captured;
  header.tp_sec = 1'700'000'000;
  header.tp_nsec = 123;
  sockaddr_ll address{};
  address.sll_hatype = hardware;
  address.sll_pkttype = kind;
  std::memcpy(record.data(), &header, sizeof header);
  std::memcpy(record.data() + TPACKET_ALIGN(sizeof header), &address, sizeof address);
  return {TRACE_RT_DATA_LINUX_RING, std::move(record), 66};
}

} // namespace

TEST_CASE("an ERF Ethernet record's wire length leaves out the frame check sequence") {
  Packet packet = erf(2, 2 + 64, 64, 18);
  REQUIRE(packet.decode() == Decoded::frame);
  CHECK(packet.frame.link == LinkType::ethernet);
  CHECK(packet.frame.wire_length == 60);
  CHECK(packet.frame.captured_length == 60);
  CHECK(packet.frame.time_ns == 1'700'000'000'500'000'000);
}

TEST_CASE("an ERF record too short for its framing is damaged, and one of another type is unsupported") {
  Packet cut = erf(2, 0, 64, 18);
  CHECK(cut.decode() == Decoded::damaged);
  Packet other = erf(21, 64, 64, 16);
  CHECK(other.decode() == Decoded::unsupported);
  CHECK(other.number == 21);
}

TEST_CASE("a ring frame larger than 64 KiB on the wire is an ordinary frame") {
  Packet packet = ring(60, 131'086, ARPHRD_ETHER, PACKET_HOST);
  REQUIRE(packet.decode() == Decoded::frame);
  CHECK(packet.frame.wire_length == 131'086);
  CHECK(packet.frame.captured_length == 60);
  CHECK(packet.frame.time_ns == 1'700'000'000'000'000'123);
}

TEST_CASE("a ring frame that claims more octets than its slot has is damaged") {
  Packet packet = ring(61, 61, ARPHRD_ETHER, PACKET_HOST);
  CHECK(packet.decode() == Decoded::damaged);
}

TEST_CASE("a loopback interface's outgoing copy is passed over, an Ethernet interface's outgoing frame is not") {
  CHECK(ring(60, 60, ARPHRD_LOOPBACK, PACKET_OUTGOING).decode() == Decoded::passed);
  CHECK(ring(60, 60, ARPHRD_LOOPBACK, PACKET_HOST).decode() == Decoded::frame);
  CHECK(ring(60, 60, ARPHRD_ETHER, PACKET_OUTGOING).decode() == Decoded::frame);
}

TEST_CASE("a time beyond 64 bits is the last one, and one before 1970 is the first") {
  const auto time_of = [](std::int64_t seconds, std::int64_t microseconds) {
    pcap_pkthdr header{};
    header.ts.tv_sec = seconds;
    header.ts.tv_usec = microseconds;
    Bytes record(sizeof header);
    std::memcpy(record.data(), &header, sizeof header);
    Packet packet(static_cast<libtrace_rt_types_t>(TRACE_RT_DATA_DLT + DLT_EN10MB), std::move(record), sizeof header);
    REQUIRE(packet.decode() == Decoded::frame);
    return packet.frame.time_ns;
  };
  constexpr auto last = std::uint64_t{std::numeric_limits<std::int64_t>::max()};
  CHECK(time_of(1'700'000'000, 5) == 1'700'000'000'000'005'000);
  CHECK(time_of(131'790'344'991'410, 0) == last);
  CHECK(time_of(1, std::numeric_limits<std::int64_t>::max()) == last);
  CHECK(time_of(-1, 0) == 0);
  CHECK(time_of(std::numeric_limits<std::int64_t>::min(), 0) == 0);
}

TEST_CASE("hardware types decide how a live frame begins") {
  Packet tun = ring(60, 60, ARPHRD_NONE, PACKET_HOST);
  CHECK(tun.decode() == Decoded::frame);
  CHECK(tun.frame.link == LinkType::raw_ip);
  Packet radio = ring(60, 60, ARPHRD_IEEE80211, PACKET_HOST);
  CHECK(radio.decode() == Decoded::unsupported);
  CHECK(radio.number == ARPHRD_IEEE80211);
}
