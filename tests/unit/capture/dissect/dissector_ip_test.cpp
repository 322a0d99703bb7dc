// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::tcp, craft::udp;

TEST_CASE("IPv4 fields reach the record") {
  const Dissected packet(ethernet() / ipv4("10.0.0.2", "10.0.0.1").traffic_class(0xb9).ttl(17).evil() / tcp(80, 1234),
                         {.time_ns = 1'700'000'000'123'456'789}, Need::none);
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet->header.kind == RecordKind::packet);
  CHECK(packet->header.length == 64);
  CHECK(packet->time_ns == 1'700'000'000'123'456'789);
  CHECK(packet->traffic_class == 0xb9);
  CHECK(packet->ttl == 17);
  CHECK(packet->ip_length == 40);
  CHECK(packet->payload_length == 0);
  CHECK(packet->key.protocol == 6);
  CHECK(packet->key.has_ports == 1);
  CHECK(packet.has(PacketBits::evil));
  CHECK_FALSE(packet.has(PacketBits::fragment));
}

TEST_CASE("IPv6 fields reach the record") {
  const Dissected packet(ethernet() / ipv6("fd00::1", "fd00::2").traffic_class(0xb9).flow_label(0xfffff).hop_limit(3) /
                             udp(5, 6) / craft::zeros(100),
                         {}, Need::none);
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet->header.length == 88);
  CHECK(packet->traffic_class == 0xb9);
  CHECK(packet->ttl == 3);
  CHECK(packet->ip_length == 148);
  CHECK(packet->payload_length == 100);
  CHECK_FALSE(packet.has(PacketBits::evil));
}

TEST_CASE("the lower endpoint comes first, whoever sends") {
  const Dissected up(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(9, 1));
  const Dissected down(ethernet() / ipv4("10.0.0.2", "10.0.0.1") / tcp(1, 9));
  CHECK_FALSE(up.from_high());
  CHECK(down.from_high());
  for (const Dissected* packet : {&up, &down}) {
    CHECK((*packet)->key.ports[0] == 9);
    CHECK((*packet)->key.ports[1] == 1);
    CHECK(packet->address(false) == v4(1));
    CHECK(packet->address(true) == v4(2));
  }
}

TEST_CASE("IPv6 addresses compare from their first octet on, and ports decide where they are equal") {
  CHECK(Dissected(ethernet() / ipv6("fd00::1", "fc00::2") / tcp(1, 1)).from_high());
  CHECK_FALSE(Dissected(ethernet() / ipv6("fd00::1", "fd00::2") / tcp(9, 1)).from_high());
  CHECK(Dissected(ethernet() / ipv6("fd00::1", "fd00::1") / tcp(9, 1)).from_high());
  CHECK_FALSE(Dissected(ethernet() / ipv6("fd00::1", "fd00::1") / tcp(1, 9)).from_high());
  CHECK(Dissected(ethernet() / ipv4("10.0.0.1", "10.0.0.1") / tcp(9, 1)).from_high());
}

TEST_CASE("a host that talks to itself on one port is never from the higher endpoint") {
  CHECK_FALSE(Dissected(ethernet() / ipv4("10.0.0.1", "10.0.0.1") / tcp(7, 7)).from_high());
  CHECK_FALSE(Dissected(ethernet() / ipv6("fd00::1", "fd00::1") / tcp(7, 7)).from_high());
}

TEST_CASE("IPv4 options are stepped over") {
  const Dissected packet(ethernet() / ipv4("10.0.0.1", "10.0.0.2").options(craft::Bytes(40, 1)) / tcp(1234, 80) /
                         craft::zeros(5));
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet.source_port() == 1234);
  CHECK(packet->payload_length == 5);
}

TEST_CASE("an IP header of a wrong version or length is bad, one cut is short") {
  const auto outcome = [](const craft::Bytes& frame, std::size_t snap = 1000) {
    return Dissected(frame, {.snap_length = snap}).outcome;
  };
  CHECK(outcome(ethernet() / ipv4("10.0.0.1", "10.0.0.2").header_words(4) / tcp(1, 2)) == Outcome::bad_ip_header);
  CHECK(outcome(ethernet().ether_type(0x86dd) / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2)) == Outcome::bad_ip_header);
  CHECK(outcome(ethernet().ether_type(0x0800) / ipv6("fd00::1", "fd00::2") / tcp(1, 2)) == Outcome::bad_ip_header);
  const craft::Bytes with_options =
      ethernet() / ipv4("10.0.0.1", "10.0.0.2").options(craft::Bytes(8, 1)) / craft::zeros(40);
  CHECK(outcome(with_options, 14 + 19) == Outcome::short_ip);
  CHECK(outcome(with_options, 14 + 27) == Outcome::short_ip);
  CHECK(outcome(with_options, 14 + 28) == Outcome::packet);
  CHECK(outcome(ethernet() / ipv6("fd00::1", "fd00::2") / tcp(1, 2), 14 + 39) == Outcome::short_ip);
}

TEST_CASE("the length field counts, not link padding and not the snap length") {
  const craft::Bytes frame = ethernet().padded() / ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2) / craft::payload("ab");
  REQUIRE(frame.size() == 60);
  CHECK(Dissected(frame)->ip_length == 30);
  CHECK(Dissected(frame)->payload_length == 2);
  const craft::Bytes large = ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2) / craft::zeros(1000);
  CHECK(Dissected(large, {.snap_length = 60})->ip_length == 1040);
  CHECK(Dissected(large, {.snap_length = 60})->payload_length == 1000);
}

TEST_CASE("a length field of 0 gives way to the wire length less the link header") {
  const craft::Bytes four = ethernet() / ipv4("10.0.0.1", "10.0.0.2").total_length(0) / tcp(1, 2) / craft::zeros(60);
  CHECK(Dissected(four, {.snap_length = 60})->ip_length == 100);
  CHECK(Dissected(four, {.wire_length = 14 + 9000})->ip_length == 9000);
  CHECK(Dissected(four, {.wire_length = 14 + 9000})->payload_length == 8960);
  CHECK(Dissected(four, {.wire_length = 3})->ip_length == 100); // which cannot be: more was captured
  const craft::Bytes six =
      ethernet() / craft::vlan(1) / ipv6("fd00::1", "fd00::2").payload_length(0) / udp(1, 2) / craft::zeros(60);
  CHECK(Dissected(six)->ip_length == 108);
  CHECK(Dissected(six)->payload_length == 60);
}

TEST_CASE("a datagram that ends within its headers or before its ports has no flow, whatever follows it") {
  const auto four = [](std::uint16_t length) {
    return Dissected(ethernet().padded() / ipv4("10.0.0.1", "10.0.0.2").total_length(length) / udp(1, 2)).outcome;
  };
  CHECK(four(10) == Outcome::bad_ip_length);
  CHECK(four(19) == Outcome::bad_ip_length);
  CHECK(four(20) == Outcome::bad_ip_length);
  CHECK(four(23) == Outcome::bad_ip_length);
  CHECK(four(24) == Outcome::packet);
  const auto options = ipv4("10.0.0.1", "10.0.0.2").options(craft::Bytes(8, 1));
  CHECK(Dissected(ethernet() / craft::Ipv4(options).total_length(27) / udp(1, 2)).outcome == Outcome::bad_ip_length);
  const auto six = [](std::uint16_t length) {
    return Dissected(ethernet() / ipv6("fd00::1", "fd00::2").payload_length(length) / craft::destination_options() /
                     udp(1, 2))
        .outcome;
  };
  CHECK(six(1) == Outcome::bad_ip_length);
  CHECK(six(7) == Outcome::bad_ip_length);
  CHECK(six(11) == Outcome::bad_ip_length);
  CHECK(six(12) == Outcome::packet);
  const craft::Bytes sctp_or_lite =
      ethernet() / ipv4("10.0.0.1", "10.0.0.2").total_length(22).protocol(132) / udp(1, 2);
  CHECK(Dissected(sctp_or_lite).outcome == Outcome::bad_ip_length);
  const craft::Bytes cut = ethernet() / ipv4("10.0.0.1", "10.0.0.2").total_length(28) / udp(1, 2);
  CHECK(Dissected(cut, {.snap_length = 14 + 23}).outcome == Outcome::short_transport);
}

TEST_CASE("what a packet with a flow says of lengths and cannot be is told by its name") {
  const auto faults = [](const craft::Bytes& frame) {
    const Dissected packet(frame);
    REQUIRE(packet.outcome == Outcome::packet);
    return packet.draft.faults;
  };
  const auto ip = ethernet() / ipv4("10.0.0.1", "10.0.0.2");
  CHECK(faults(ip / tcp(1, 2).data_offset(15)) == Fault::tcp_header);
  CHECK(faults(ip / tcp(1, 2).data_offset(2) / craft::zeros(9)) == Fault::tcp_header);
  CHECK(faults(ip / tcp(1, 2).data_offset(5) / craft::zeros(9)) == 0);
  CHECK(faults(ip / udp(1, 2).length(7)) == Fault::udp_length);
  CHECK(faults(ip / udp(1, 2).length(9)) == Fault::udp_length);
  CHECK(faults(ip / udp(1, 2).length(0)) == 0);
  CHECK(faults(ethernet() / ipv4("10.0.0.1", "10.0.0.2").total_length(100) / udp(1, 2)) == Fault::ip_length);
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2").id(77) / udp(1000, 53) / craft::zeros(40);
  CHECK(faults(ethernet() / craft::fragments_of(datagram, 24)[0]) == 0);
  CHECK(Dissected(ip / tcp(1, 2).data_offset(15))->payload_length == 0);
  CHECK(Dissected(ip / tcp(1, 2).data_offset(2) / craft::zeros(9))->payload_length == 9);
}

TEST_CASE("authentication headers are walked in IPv4 as in IPv6") {
  const auto frame = ethernet() / ipv4("10.0.0.1", "10.0.0.2") / craft::authentication() / craft::authentication() /
                     tcp(1234, 80).syn() / craft::zeros(7);
  const Dissected packet(frame);
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet->key.protocol == 6);
  CHECK(packet.source_port() == 1234);
  CHECK(packet->tcp_flags == TCP_SYN);
  CHECK(packet->payload_length == 7);
  CHECK(Dissected(frame, {.snap_length = 14 + 20 + 1}).outcome == Outcome::short_ip);
  CHECK(Dissected(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / craft::authentication().length_field(0) / tcp(1, 2))
            .outcome == Outcome::bad_ip_header);
  CHECK(Dissected(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / craft::authentication().length_field(200) / tcp(1, 2))
            .outcome == Outcome::bad_ip_length);
}

TEST_CASE("every IPv6 extension header is walked") {
  const craft::Bytes frame = ethernet() / ipv6("fd00::1", "fd00::2") / craft::hop_by_hop() / craft::routing() /
                             craft::authentication() / craft::destination_options() / craft::mobility() / craft::hip() /
                             craft::shim6() / craft::fragment(0, false, 9) / tcp(1234, 80).syn() / craft::zeros(7);
  const Dissected packet(frame);
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet->key.protocol == 6);
  CHECK(packet.source_port() == 1234);
  CHECK(packet->tcp_flags == TCP_SYN);
  CHECK(packet->payload_length == 7);
  CHECK(packet->ip_length == frame.size() - 14);
  for (std::size_t captured = 14 + 40; captured < frame.size() - 20 - 7; ++captured)
    CHECK(Dissected(frame, {.snap_length = captured}).outcome != Outcome::packet);
}

TEST_CASE("ESP, no next header and experimental numbers end the walk") {
  const auto protocol = [](const craft::Bytes& frame) {
    const Dissected packet(frame);
    CHECK(packet.outcome == Outcome::packet);
    CHECK(packet->key.has_ports == 0);
    return packet->key.protocol;
  };
  const auto base = ethernet() / ipv6("fd00::1", "fd00::2") / craft::hop_by_hop();
  CHECK(protocol(base / craft::esp() / craft::zeros(30)) == 50);
  CHECK(protocol(base / craft::no_next_header()) == 59);
  CHECK(protocol(ethernet() / ipv6("fd00::1", "fd00::2").next_header(253) / craft::zeros(30)) == 253);
  CHECK(Dissected(ethernet() / ipv6("fd00::1", "fd00::2") / craft::no_next_header())->ip_length == 40);
}

TEST_CASE("too many extension headers are malformed") {
  craft::Packet packet = ethernet() / ipv6("fd00::1", "fd00::2");
  for (unsigned i = 0; i < max_extension_headers; ++i)
    packet = packet / craft::destination_options();
  CHECK(Dissected(packet / udp(1, 2)).outcome == Outcome::packet);
  CHECK(Dissected(packet / craft::destination_options() / udp(1, 2)).outcome == Outcome::bad_ip_header);
}

TEST_CASE("a jumbo payload option gives the length of a datagram above 65,575 octets") {
  const auto jumbo = [](std::uint32_t length) {
    craft::Bytes option{0xc2, 4};
    craft::append_u32(option, length);
    return craft::Bytes(ethernet() / ipv6("fd00::1", "fd00::2").payload_length(0) / craft::hop_by_hop(option) /
                        tcp(1, 2) / craft::zeros(50));
  };
  CHECK(Dissected(jumbo(100'000))->ip_length == 100'040);
  CHECK(Dissected(jumbo(100'000))->payload_length == 100'000 - 8 - 20);
  CHECK(Dissected(jumbo(500))->ip_length == 40 + 8 + 20 + 50); // not a jumbogram: the wire length
}

TEST_CASE("fragments are marked, and a later one has no transport header") {
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2").id(77) / udp(1000, 53) / craft::zeros(40);
  const auto fragments = craft::fragments_of(datagram, 24);
  const Dissected first(ethernet() / fragments[0]), later(ethernet() / fragments[1]);
  CHECK(first.has(PacketBits::fragment));
  CHECK(first.has(PacketBits::transport));
  CHECK(first.draft.fragment_part == FragmentPart::first);
  CHECK(first.source_port() == 1000);
  CHECK(first->payload_length == 16);
  CHECK(later.has(PacketBits::fragment));
  CHECK_FALSE(later.has(PacketBits::transport));
  CHECK(later.draft.fragment_part == FragmentPart::later);
  CHECK(later.draft.fragment_id == 77);
  CHECK(later->key.has_ports == 0);
  CHECK(later->key.ports[0] == 0);
  CHECK(later->payload_length == 24);
}

TEST_CASE("an atomic IPv6 fragment is an ordinary packet with the fragment bit") {
  const Dissected packet(ethernet() / ipv6("fd00::1", "fd00::2") / craft::fragment(0, false, 5) / udp(1000, 53));
  CHECK(packet.has(PacketBits::fragment));
  CHECK(packet.draft.fragment_part == FragmentPart::none);
  CHECK(packet.source_port() == 1000);
}

TEST_CASE("fragments of a protocol without ports need no other fragment") {
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2") / craft::icmp_echo(1, 1) / craft::zeros(40);
  for (const auto& fragment : craft::fragments_of(datagram, 24)) {
    const Dissected packet(ethernet() / fragment);
    CHECK(packet.has(PacketBits::fragment));
    CHECK(packet.draft.fragment_part == FragmentPart::none);
    CHECK(packet->key.protocol == 1);
  }
}

TEST_CASE("a record is copied as it will lie in the ring") {
  const Dissected packet(ethernet() / ipv6("fd00::1", "fd00::2") / tcp(1, 2).syn().mss(1460), {}, Need::tcp_options);
  alignas(8) std::array<std::uint8_t, 128> place;
  place.fill(0xee);
  packet.draft.copy_to(place.data());
  const PacketView view(reinterpret_cast<const PacketRecord*>(place.data()));
  REQUIRE(packet_record_valid(&view->header));
  CHECK(view->header.length == 56 + 32 + 2 + 4);
  CHECK(craft::Bytes(view.addresses(), view.addresses() + 16) == v6(1));
  CHECK(view.tcp_options().size() == 4);
  CHECK(view.tcp_options()[0] == TO_MSS);
  CHECK(place[94] == 0xee);
}
