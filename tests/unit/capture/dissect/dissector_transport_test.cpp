// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::tcp, craft::udp;

namespace {

const auto ip4 = ethernet() / ipv4("10.0.0.1", "10.0.0.2");
const auto ip6 = ethernet() / ipv6("fd00::1", "fd00::2");
constexpr std::size_t ip4_octets = 14 + 20;

} // namespace

TEST_CASE("TCP's flags and numbers reach the record") {
  const Dissected packet(ip4 / tcp(1234, 80).seq(0x01020304).ack(0xf0000001).fin().psh() / craft::zeros(10));
  CHECK(packet.has(PacketBits::transport));
  CHECK(packet->sequence == 0x01020304);
  CHECK(packet->acknowledgement == 0xf0000001);
  CHECK(packet->tcp_flags == (TCP_ACK | TCP_FIN | TCP_PSH));
  CHECK(packet->payload_length == 10);
}

TEST_CASE("the ninth TCP flag and the window reach the record, the reserved bits beside it do not") {
  for (const auto& ip : {ip4, ip6}) {
    craft::Bytes frame = ip / tcp(1234, 80).syn().ece().cwr().window(0xfedc);
    const std::size_t flags_at = frame.size() - 20 + 12;
    CHECK(Dissected(frame)->tcp_flags == TCP_SEC);
    CHECK(Dissected(frame)->tcp_window == 0xfedc);
    frame[flags_at] |= 0x0f;
    CHECK(Dissected(frame)->tcp_flags == (TCP_SEC | TCP_AE));
    CHECK(Dissected(frame, {.snap_length = flags_at + 1})->tcp_flags == 0);
    CHECK(Dissected(frame, {.snap_length = flags_at + 3})->tcp_window == 0);
  }
}

TEST_CASE("of a TCP header that the capture or its datagram ends, each field is there by its own octets") {
  const craft::Bytes frame = ip4 / tcp(1234, 80).seq(7).ack(8).syn().window(9).mss(1460);
  for (std::size_t there = 4; there < 20; ++there) {
    const auto told = static_cast<std::uint16_t>(20 + there);
    const craft::Bytes short_datagram = ethernet().padded() / ipv4("10.0.0.1", "10.0.0.2").total_length(told) /
                                        tcp(1234, 80).seq(7).ack(8).syn().window(9).mss(1460);
    for (const Dissected& packet : {Dissected(frame, {.snap_length = ip4_octets + there}), Dissected(short_datagram)}) {
      REQUIRE(packet.outcome == Outcome::packet);
      CHECK(packet.source_port() == 1234);
      CHECK(packet.has(PacketBits::sequence) == (there >= 8));
      CHECK(packet.has(PacketBits::acknowledgement) == (there >= 12));
      CHECK(packet.has(PacketBits::transport) == (there >= 14));
      CHECK(packet.has(PacketBits::window) == (there >= 16));
      CHECK(packet->sequence == (there >= 8 ? 7 : 0));
      CHECK(packet->acknowledgement == (there >= 12 ? 8 : 0));
      CHECK((packet->tcp_flags & TCP_SYN) == (there >= 14 ? TCP_SYN : 0));
      CHECK(packet->tcp_window == (there >= 16 ? 9 : 0));
      CHECK(packet.options().empty());
    }
  }
  CHECK(Dissected(frame, {.snap_length = ip4_octets + 20}).has(PacketBits::transport));
  CHECK(Dissected(frame, {.snap_length = ip4_octets + 3}).outcome == Outcome::short_transport);
}

TEST_CASE("TCP options travel on segments with SYN, where they are asked for") {
  const auto syn = ip4 / tcp(1, 2).syn().mss(1460).nop().nop().sack_permitted();
  CHECK(Dissected(syn).options() == craft::Bytes{2, 4, 0x05, 0xb4, 1, 1, 4, 2});
  CHECK(Dissected(syn, {}, Need::tcp_options).options() == Dissected(syn).options());
  CHECK(Dissected(syn, {}, Need::all & ~Need::all_tcp_options).options().empty());
  CHECK(Dissected(ip4 / tcp(1, 2).syn().data_offset(4)).options().empty());
}

TEST_CASE("TCP options of other segments travel where those of every segment are asked for") {
  const auto segment = ip4 / tcp(1, 2).ack(1).timestamps(1, 2);
  CHECK(Dissected(segment, {}, Need::all_tcp_options).options() == craft::Bytes{8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0});
  CHECK(Dissected(segment, {}, Need::tcp_options).options().empty());
  CHECK(Dissected(ip4 / tcp(1, 2).ack(1), {}, Need::all_tcp_options).options().empty());
  CHECK(Dissected(ip6 / tcp(1, 2).syn().mss(1460), {}, Need::all_tcp_options).options().size() == 4);
}

TEST_CASE("TCP options end where the capture or the datagram does") {
  const craft::Bytes frame = ip4 / tcp(1, 2).syn().mss(1460).window_scale(7).nop();
  CHECK(Dissected(frame, {.snap_length = ip4_octets + 20 + 3}).options().size() == 3);
  const Dissected padded(ethernet().padded() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2).syn().data_offset(8));
  CHECK(padded.options().empty());
}

TEST_CASE("SCTP and UDP-Lite have ports, other protocols do not") {
  const Dissected sctp(ip4 / craft::sctp(5000, 6000) / craft::sctp_chunk(11));
  CHECK(sctp->key.protocol == 132);
  CHECK(sctp.source_port() == 5000);
  CHECK(sctp->payload_length == 4);
  const Dissected lite(ip6 / craft::udp_lite(7, 9) / craft::zeros(6));
  CHECK(lite->key.protocol == 136);
  CHECK(lite.destination_port() == 9);
  CHECK(lite->payload_length == 6);
  const Dissected gre(ethernet() / ipv4("10.0.0.1", "10.0.0.2").protocol(47) / craft::zeros(30));
  CHECK(gre->key.has_ports == 0);
  CHECK(gre->key.ports[0] == 0);
  CHECK(gre->payload_length == 30);
  CHECK(Dissected(ip4 / craft::sctp(1, 2), {.snap_length = ip4_octets + 3}).outcome == Outcome::short_transport);
}

TEST_CASE("a protocol without ports needs nothing but the IP header") {
  const craft::Bytes frame = ethernet() / ipv4("10.0.0.1", "10.0.0.2").protocol(47) / craft::zeros(30);
  CHECK(Dissected(frame, {.snap_length = ip4_octets}).outcome == Outcome::packet);
}

TEST_CASE("UDP's payload is what its own length says, where that is sane") {
  const auto payload_length = [](std::uint16_t own) {
    return Dissected(ip4 / udp(1, 2).length(own) / craft::zeros(50))->payload_length;
  };
  CHECK(payload_length(58) == 50);
  CHECK(payload_length(18) == 10);
  CHECK(payload_length(8) == 0);
  CHECK(payload_length(7) == 50);
  CHECK(payload_length(0) == 50);
  CHECK(payload_length(59) == 50);
}

TEST_CASE("a UDP checksum of 0 is told, if it was captured") {
  const auto frame = ip4 / udp(1, 2).zero_checksum() / craft::zeros(50);
  CHECK(Dissected(frame).has(PacketBits::zero_checksum));
  CHECK_FALSE(Dissected(frame, {.snap_length = ip4_octets + 7}).has(PacketBits::zero_checksum));
  CHECK_FALSE(Dissected(frame, {.snap_length = ip4_octets + 7}).has(PacketBits::transport));
  CHECK_FALSE(Dissected(ip4 / udp(1, 2).checksum(1)).has(PacketBits::zero_checksum));
}

TEST_CASE("a DNS response travels whole, a query and anything else stays behind") {
  const std::uint8_t answer[]{192, 0, 2, 1};
  const craft::Bytes response = craft::dns_response(7, "example.org", answer);
  CHECK(Dissected(ip4 / udp(53, 999) / craft::payload(response)).payload() == response);
  CHECK(Dissected(ip6 / udp(9999, 999) / craft::payload(response)).payload() == response);
  CHECK(Dissected(ip4 / udp(53, 999) / craft::payload(response), {}, Need::tcp_options).payload().empty());
  CHECK(Dissected(ip4 / udp(53, 999) / craft::payload(craft::dns_query(7, "example.org"))).payload().empty());
  CHECK(Dissected(ip4 / udp(53, 999) / craft::zeros(100)).payload().empty());
}

TEST_CASE("a DNS response over TCP travels with its length and what follows") {
  const std::uint8_t answer[]{192, 0, 2, 1};
  craft::Bytes payload = craft::dns_over_tcp(craft::dns_response(7, "example.org", answer));
  craft::append_u16(payload, 0x1234);
  const craft::Bytes frame = ip4 / tcp(53, 999).ack(1).timestamps(1, 2) / craft::payload(payload);
  CHECK(Dissected(frame).payload() == payload);
  CHECK(Dissected(frame, {.snap_length = frame.size() - 3}).payload().empty()); // the message was cut
}

TEST_CASE("link padding is not taken for DNS") {
  craft::Bytes header(12);
  header[2] = 0x80;
  craft::Bytes frame = ip4 / udp(53, 999) / craft::payload(craft::Bytes(header.begin(), header.begin() + 11));
  frame.resize(60);
  CHECK(Dissected(frame).payload().empty());
}

TEST_CASE("ICMP that is no error belongs to the three-tuple") {
  const Dissected four(ip4 / craft::icmp_echo(1, 2) / craft::zeros(20));
  CHECK(four->key.protocol == 1);
  CHECK(four->key.has_ports == 0);
  CHECK(four->icmp_type == 8);
  CHECK(four.has(PacketBits::transport));
  CHECK_FALSE(four.has(PacketBits::icmp_error));
  CHECK(four->payload_length == 20);
  const Dissected six(ip6 / craft::icmp6_echo_reply(1, 2));
  CHECK(six->key.protocol == 58);
  CHECK(six->icmp_type == 129);
  // Types count in their own version only.
  CHECK_FALSE(
      Dissected(ip6 / craft::icmp6(11, 0).quote(ipv6("fd00::2", "fd00::1") / tcp(1, 2))).has(PacketBits::icmp_error));
  CHECK_FALSE(
      Dissected(ip4 / craft::icmp(1, 0).quote(ipv4("10.0.0.2", "10.0.0.1") / tcp(1, 2))).has(PacketBits::icmp_error));
}
