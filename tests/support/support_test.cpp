// SPDX-License-Identifier: GPL-3.0-or-later
// The builder itself, against numbers that come from elsewhere: RFC examples and arithmetic done by hand.
#include "tests/support/capture_writer.hpp"
#include "tests/support/packet_builder.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace orbweaver::craft;

namespace {

Bytes slice(const Bytes& bytes, std::size_t from, std::size_t count) {
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(from);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

} // namespace

TEST_CASE("the Internet checksum gives the example of RFC 1071, section 3") {
  const Bytes example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  CHECK(internet_checksum(example) == 0x220d);
}

TEST_CASE("CRC-32C of the nine digits is E3069283") {
  CHECK(crc32c(to_bytes("123456789")) == 0xe3069283);
}

TEST_CASE("layers appear in the order in which they are written, with each naming the next") {
  const Bytes frame = ethernet() / service_vlan(100) / vlan(7) / mpls(16) / mpls(17) /
                      ipv4("10.0.0.1", "10.0.0.2").ttl(3) / udp(1, 2) / payload("x");
  CHECK(slice(frame, 12, 10) == Bytes{0x88, 0xa8, 0, 100, 0x81, 0, 0, 7, 0x88, 0x47});
  CHECK(slice(frame, 22, 8) == Bytes{0, 1, 0, 64, 0, 1, 0x11, 64});
  CHECK(frame.at(30) == 0x45);
  CHECK(frame.at(38) == 3);
  CHECK(frame.at(39) == 17);
  CHECK(frame.size() == 14 + 8 + 8 + 20 + 8 + 1);
}

TEST_CASE("an IPv4 header and the UDP datagram in it sum to zero with their checksums") {
  const Bytes packet = ipv4("10.0.0.1", "10.0.0.2") / udp(1000, 2000) / payload("odd");
  CHECK(internet_checksum(slice(packet, 0, 20)) == 0);
  Bytes summed = slice(packet, 12, 8);
  append(summed, Bytes{0, 17, 0, 11});
  append(summed, slice(packet, 20, 11));
  CHECK(internet_checksum(summed) == 0);
}

TEST_CASE("what is overridden is written as given") {
  const Bytes packet = ipv4("10.0.0.1", "10.0.0.2").total_length(0).evil().dont_fragment() /
                       tcp(1, 2).data_offset(15).flags(0xff).checksum(0xbeef);
  CHECK(slice(packet, 2, 2) == Bytes{0, 0});
  CHECK(packet.at(6) == 0xc0);
  CHECK(packet.at(32) == 0xf0);
  CHECK(packet.at(33) == 0xff);
  CHECK(slice(packet, 36, 2) == Bytes{0xbe, 0xef});
}

TEST_CASE("TCP options stand in the order of the calls and fill whole words") {
  const Bytes segment = Packet(tcp(1, 2).syn().mss(1460).window_scale(7).experiment(254, 0xf989, Bytes{1, 2}));
  CHECK(segment.at(12) == 0x90);
  CHECK(slice(segment, 20, 16) == Bytes{2, 4, 0x05, 0xb4, 3, 3, 7, 254, 6, 0xf9, 0x89, 1, 2, 0, 0, 0});
}

TEST_CASE("fragments put together again are the datagram") {
  const Bytes whole = ipv4("10.0.0.1", "10.0.0.2").id(9) / udp(1, 2) / payload(to_bytes(std::string(100, 'x')));
  Bytes joined = slice(whole, 0, 20);
  const auto parts = fragments_of(whole, 48);
  REQUIRE(parts.size() == 3);
  for (const Datagram& part : parts) {
    CHECK(internet_checksum(slice(part.content, 0, 20)) == 0);
    append(joined, slice(part.content, 20, part.content.size() - 20));
  }
  CHECK(joined == whole);
  CHECK(slice(parts[1].content, 6, 2) == Bytes{0x20, 6});
  CHECK(slice(parts[2].content, 6, 2) == Bytes{0, 12});
  CHECK_THROWS_AS(fragments_of(whole, 47), std::invalid_argument);
}

TEST_CASE("IPv6 fragments repeat the hop-by-hop header and put the fragment header after it") {
  const Bytes whole = ipv6("2001:db8::1", "2001:db8::2") / hop_by_hop() / destination_options() / udp(1, 2) / zeros(40);
  const auto parts = fragments_of(whole, 32, 77);
  REQUIRE(parts.size() == 2);
  const Bytes& last = parts[1].content;
  CHECK(last.at(6) == 0);
  CHECK(last.at(40) == 44);
  CHECK(slice(last, 48, 8) == Bytes{60, 0, 0, 32, 0, 0, 0, 77});
  CHECK(last.size() == 40 + 8 + 8 + 24);
}

TEST_CASE("a quotation is cut where it is told to be") {
  const Packet quoted = ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2);
  const Bytes packet = ipv4("10.0.0.9", "10.0.0.1") / icmp_unreachable(1).quote(quoted, 24);
  CHECK(packet.size() == 20 + 8 + 24);
  CHECK(internet_checksum(slice(packet, 20, 32)) == 0);
}

TEST_CASE("a malformed address is refused") {
  CHECK_THROWS_AS(ipv4("10.0.0", "10.0.0.1"), std::invalid_argument);
}

TEST_CASE("pcap keeps the wire length beside the captured one") {
  PcapWriter file({.order = std::endian::big, .nanoseconds = true, .snap_length = 2});
  file.packet(1'000'000'005, Bytes{7, 8, 9}, 1500);
  CHECK(slice(file.bytes(), 0, 4) == Bytes{0xa1, 0xb2, 0x3c, 0x4d});
  CHECK(slice(file.bytes(), 24, 18) == Bytes{0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0x05, 0xdc, 7, 8});
}

TEST_CASE("pcapng times count the interface's units from its offset") {
  PcapngWriter file;
  file.section(std::endian::big).interface({.time_resolution = PcapngWriter::power_of_two | 10, .time_offset_s = 100});
  const std::size_t packet_at = file.bytes().size();
  file.enhanced_packet(0, 101'500'000'000, Bytes{1});
  CHECK(slice(file.bytes(), packet_at + 12, 8) == Bytes{0, 0, 0, 0, 0, 0, 0x06, 0x00});
}

TEST_CASE("a section's length is that of its blocks, without its header") {
  PcapngWriter file;
  file.section(std::endian::big, true);
  const std::size_t header = file.bytes().size();
  file.interface({}).simple_packet(Bytes{1, 2, 3});
  const std::size_t end = file.bytes().size();
  file.end_section();
  CHECK(slice(file.bytes(), 16, 8) == Bytes{0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(end - header)});
}
