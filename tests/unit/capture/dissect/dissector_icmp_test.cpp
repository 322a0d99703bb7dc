// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::icmp, craft::icmp6, craft::ipv4, craft::ipv6, craft::tcp, craft::udp;

namespace {

/// From a router, 10.0.0.9 or fd00::9, back to the sender of what is quoted.
const auto from_router = ethernet() / ipv4("10.0.0.9", "10.0.0.1").traffic_class(0xc0).ttl(5);
const auto from_router6 = ethernet() / ipv6("fd00::9", "fd00::1").traffic_class(0xc0);
const craft::Packet quoted4 = ipv4("10.0.0.1", "10.0.0.2") / tcp(1234, 80).syn();
const craft::Packet quoted6 = ipv6("fd00::1", "fd00::2") / udp(1234, 53) / craft::zeros(20);

} // namespace

TEST_CASE("every ICMP error belongs to the flow it quotes, as sent by its receiver") {
  for (const std::uint8_t type : {3, 4, 5, 11, 12}) {
    const craft::Bytes frame = from_router / icmp(type, 1).quote(quoted4);
    const Dissected packet(frame);
    REQUIRE(packet.outcome == Outcome::packet);
    CHECK(packet.has(PacketBits::icmp_error));
    CHECK(packet->key.protocol == 6);
    CHECK(packet->key.has_ports == 1);
    CHECK(packet.source() == v4(2));
    CHECK(packet.source_port() == 80);
    CHECK(packet.destination() == v4(1));
    CHECK(packet.destination_port() == 1234);
    CHECK(packet->icmp_type == type);
    CHECK(packet->icmp_code == 1);
    CHECK(packet->traffic_class == 0xc0);
    CHECK(packet->ttl == 5);
    CHECK(packet->ip_length == frame.size() - 14);
    CHECK(packet->payload_length == 40);
    CHECK(packet.quotation() == quoted4.bytes());
  }
  for (const std::uint8_t type : {1, 2, 3, 4}) {
    const Dissected packet(from_router6 / icmp6(type, 0).quote(quoted6));
    CHECK(packet.has(PacketBits::icmp_error));
    CHECK(packet->key.protocol == 17);
    CHECK(packet.source() == v6(2));
    CHECK(packet.source_port() == 53);
    CHECK(packet->icmp_type == type);
  }
}

TEST_CASE("an ICMP error has the key of the packets it is about") {
  const Dissected error(from_router / icmp(3, 1).quote(quoted4));
  const Dissected packet(ethernet() / quoted4);
  CHECK(std::memcmp(&error->key, &packet->key, sizeof(FlowKeyHead)) == 0);
  CHECK(std::equal(error.draft.addresses, error.draft.addresses + 8, packet.draft.addresses));
  CHECK(error.from_high() != packet.from_high());
}

TEST_CASE("the quotation travels only where it is asked for") {
  CHECK(Dissected(from_router / icmp(3, 1).quote(quoted4), {}, Need::payload("dns")).quotation().empty());
}

TEST_CASE("a quotation cut before the ports gives a key without ports") {
  const Dissected packet(from_router / icmp(3, 1).quote(quoted4, 23));
  CHECK(packet.has(PacketBits::icmp_error));
  CHECK(packet->key.protocol == 6);
  CHECK(packet->key.has_ports == 0);
  CHECK(packet->key.ports[0] == 0);
  CHECK(packet->key.ports[1] == 0);
  CHECK(packet.source() == v4(2));
  CHECK(Dissected(from_router / icmp(3, 1).quote(quoted4, 24))->key.has_ports == 1);
}

TEST_CASE("an error that does not quote an IP header of its own version is an ordinary ICMP packet") {
  const auto ordinary = [](const craft::Bytes& frame, unsigned protocol) {
    const Dissected packet(frame);
    CHECK(packet.outcome == Outcome::packet);
    CHECK_FALSE(packet.has(PacketBits::icmp_error));
    CHECK(packet->key.protocol == protocol);
    CHECK(packet->key.has_ports == 0);
    CHECK(packet.quotation().empty());
  };
  ordinary(from_router / icmp(3, 1).quote(quoted4, 19), 1);
  ordinary(from_router / icmp(3, 1).quote(quoted6), 1);
  ordinary(from_router / icmp(3, 1).quote(ipv4("10.0.0.1", "10.0.0.2").header_words(4) / tcp(1, 2)), 1);
  ordinary(from_router6 / icmp6(1, 0).quote(quoted6, 39), 58);
  ordinary(from_router6 / icmp6(1, 0).quote(quoted4), 58);
}

TEST_CASE("quoted extension headers and IPv4 options are walked") {
  const Dissected six(from_router6 / icmp6(1, 0).quote(ipv6("fd00::1", "fd00::2") / craft::hop_by_hop() /
                                                       craft::destination_options() / tcp(1234, 80)));
  CHECK(six->key.protocol == 6);
  CHECK(six.source_port() == 80);
  const Dissected four(from_router /
                       icmp(11, 0).quote(ipv4("10.0.0.1", "10.0.0.2").options(craft::Bytes(8, 1)) / tcp(1234, 80)));
  CHECK(four.source_port() == 80);
}

TEST_CASE("quoted extension headers that are cut give a key without ports") {
  const Dissected packet(from_router6 /
                         icmp6(1, 0).quote(ipv6("fd00::1", "fd00::2") / craft::hop_by_hop() / tcp(1234, 80), 41));
  CHECK(packet.has(PacketBits::icmp_error));
  CHECK(packet->key.protocol == 0);
  CHECK(packet->key.has_ports == 0);
}

TEST_CASE("a quotation of a packet between equal endpoints counts as from the higher one") {
  const auto self4 = ipv4("10.0.0.1", "10.0.0.1") / udp(7, 7);
  const auto self6 = ipv6("fd00::1", "fd00::1") / udp(7, 7);
  CHECK(Dissected(from_router / icmp(3, 1).quote(self4)).from_high());
  CHECK(Dissected(from_router6 / icmp6(1, 0).quote(self6)).from_high());
}

TEST_CASE("an ICMP header cut by the capture leaves an ordinary packet") {
  const craft::Bytes frame = from_router / icmp(3, 1).quote(quoted4);
  const Dissected at_checksum(frame, {.snap_length = 14 + 20 + 4});
  CHECK(at_checksum.has(PacketBits::transport));
  CHECK_FALSE(at_checksum.has(PacketBits::icmp_error));
  CHECK(Dissected(frame, {.snap_length = 14 + 20 + 2}).has(PacketBits::transport));
  CHECK_FALSE(Dissected(frame, {.snap_length = 14 + 20 + 1}).has(PacketBits::transport));
  CHECK(Dissected(frame, {.snap_length = 14 + 20}).outcome == Outcome::packet);
}

TEST_CASE("link padding is no ICMP message") {
  craft::Bytes frame = ethernet() / ipv4("192.0.2.1", "10.0.0.1").total_length(20) / icmp(3, 1).quote(quoted4);
  const Dissected packet(frame);
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK_FALSE(packet.has(PacketBits::transport));
  CHECK_FALSE(packet.has(PacketBits::icmp_error));
  craft::Bytes cut = ethernet() / ipv4("192.0.2.1", "10.0.0.1").total_length(20 + 8 + 19) / icmp(3, 1).quote(quoted4);
  CHECK_FALSE(Dissected(cut).has(PacketBits::icmp_error));
}

TEST_CASE("a quotation ends with the quoted datagram, and where extensions begin") {
  const auto quoting = [](const auto& datagram) { return Dissected(from_router / icmp(3, 1).quote(datagram)); };
  const auto whole = ipv4("10.0.0.1", "10.0.0.2") / udp(7, 9) / craft::zeros(4);
  CHECK(quoting(whole)->key.has_ports == 1);
  CHECK(quoting(whole).view().quotation().size() == 32);
  const auto ports_are_padding = ipv4("10.0.0.1", "10.0.0.2").total_length(22) / udp(7, 9) / craft::zeros(4);
  CHECK(quoting(ports_are_padding).has(PacketBits::icmp_error));
  CHECK(quoting(ports_are_padding)->key.has_ports == 0);
  CHECK(quoting(ports_are_padding).view().quotation().size() == 22);
  const auto no_length = ipv4("10.0.0.1", "10.0.0.2").total_length(0) / udp(7, 9) / craft::zeros(4);
  CHECK(quoting(no_length)->key.has_ports == 1);
  CHECK(quoting(ipv4("10.0.0.1", "10.0.0.2").total_length(8) / udp(7, 9))->key.has_ports == 0);

  craft::Bytes extended = from_router / icmp(11, 0).quote(ipv4("10.0.0.1", "10.0.0.2") / udp(7, 9) / craft::zeros(100));
  extended[14 + 20 + 5] = 28 / 4;
  CHECK(Dissected(extended)->key.has_ports == 1);
  CHECK(Dissected(extended).view().quotation().size() == 28);
  extended[14 + 20 + 5] = 20 / 4;
  CHECK(Dissected(extended)->key.has_ports == 0);
  craft::Bytes six = from_router6 / icmp6(1, 0).quote(ipv6("fd00::1", "fd00::2") / udp(7, 9) / craft::zeros(100));
  six[14 + 40 + 4] = 48 / 8;
  CHECK(Dissected(six).view().quotation().size() == 48);
  CHECK(Dissected(six)->key.has_ports == 1);
}

TEST_CASE("a quoted authentication header is walked") {
  const Dissected four(from_router /
                       icmp(3, 1).quote(ipv4("10.0.0.1", "10.0.0.2") / craft::authentication() / tcp(1234, 80)));
  CHECK(four.source_port() == 80);
  CHECK(four->key.protocol == 6);
}

TEST_CASE("a quoted later fragment asks the cache for its ports") {
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2").id(3) / udp(1000, 53) / craft::zeros(40);
  const Dissected later(from_router / icmp(11, 1).quote(craft::fragments_of(datagram, 24)[1].content));
  CHECK(later.has(PacketBits::icmp_error));
  CHECK_FALSE(later.has(PacketBits::fragment));
  CHECK(later->key.has_ports == 0);
  CHECK(later.draft.fragment_part == FragmentPart::quoted);
  CHECK(later.draft.fragment_id == 3);
  const Dissected first(from_router / icmp(11, 1).quote(craft::fragments_of(datagram, 24)[0].content));
  CHECK(first->key.has_ports == 1);
  CHECK(first.draft.fragment_part == FragmentPart::none);
}
