// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/capture/links/link_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::vlan, craft::mpls;

namespace {

craft::Bytes octets_before(craft::Bytes head, const craft::Packet& packet) {
  craft::append(head, packet.bytes());
  return head;
}

} // namespace

TEST_CASE("Ethernet leads to IPv4 and IPv6") {
  check_found(ethernet() / packet4, 4);
  check_found(ethernet() / packet6, 6);
}

TEST_CASE("any stack of VLAN tags is skipped") {
  check_found(ethernet() / vlan(7) / packet4, 4);
  check_found(ethernet() / craft::service_vlan(100) / vlan(7) / packet6, 6);
  check_found(ethernet() / craft::Vlan(0x9100, 1) / vlan(2) / vlan(3) / vlan(4) / packet4, 4);
}

TEST_CASE("MPLS labels lead to the version that the first four bits say") {
  check_found(ethernet() / mpls(16) / packet4, 4);
  check_found(ethernet() / vlan(1) / mpls(16) / mpls(17) / mpls(18) / packet6, 6);
}

TEST_CASE("a pseudo-wire under MPLS is not IP") {
  const craft::Bytes control_word(40);
  CHECK(Dissected(ethernet() / mpls(16) / craft::payload(control_word)).outcome == Outcome::non_ip);
}

TEST_CASE("PPPoE sessions are skipped, also under a VLAN tag") {
  check_found(ethernet() / craft::pppoe_session() / craft::ppp() / packet4, 4);
  check_found(ethernet() / vlan(7) / craft::pppoe_session() / craft::ppp() / packet6, 6);
  check_found(craft::pppoe_session() / craft::ppp() / packet6, 6, LinkType::ppp_ether);
}

TEST_CASE("PPP comes with and without address and control octets, its protocol compressed or not") {
  for (const LinkType link : {LinkType::ppp, LinkType::ppp_serial}) {
    check_found(craft::ppp() / packet4, 4, link);
    check_found(craft::ppp().hdlc() / packet6, 6, link);
    check_found(craft::ppp().compressed_protocol() / packet6, 6, link);
    check_found(craft::ppp().hdlc().compressed_protocol() / packet4, 4, link);
  }
  CHECK(Dissected(craft::Bytes{0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4}, {.link = LinkType::ppp}).outcome ==
        Outcome::non_ip);
}

TEST_CASE("a serial line may speak Cisco's HDLC") {
  check_found(octets_before({0x0f, 0x00, 0x08, 0x00}, packet4), 4, LinkType::ppp_serial);
  check_found(octets_before({0x8f, 0x00, 0x86, 0xdd}, packet6), 6, LinkType::ppp_serial);
}

TEST_CASE("raw IP is told apart by its first four bits") {
  check_found(packet4, 4, LinkType::raw_ip);
  check_found(packet6, 6, LinkType::raw_ip);
  CHECK(Dissected(craft::Bytes(40, 0x50), {.link = LinkType::raw_ip}).outcome == Outcome::bad_ip_header);
}

TEST_CASE("Linux cooked frames of both versions lead to IP, through VLAN tags too") {
  check_found(craft::linux_cooked() / packet4, 4, LinkType::linux_sll);
  check_found(craft::linux_cooked(4) / vlan(7) / packet6, 6, LinkType::linux_sll);
  check_found(craft::linux_cooked2() / packet6, 6, LinkType::linux_sll2);
  check_found(craft::linux_cooked2() / vlan(7) / packet4, 4, LinkType::linux_sll2);
  craft::Bytes can(16 + 40);
  can[15] = 0x0c;
  CHECK(Dissected(can, {.link = LinkType::linux_sll}).outcome == Outcome::non_ip);
}

TEST_CASE("null and loopback frames come in both byte orders and with every system's number for IPv6") {
  for (const std::endian order : {std::endian::little, std::endian::big}) {
    check_found(craft::null_loopback(order) / packet4, 4, LinkType::null);
    check_found(craft::null_loopback(order) / packet4, 4, LinkType::loop);
    for (const std::uint32_t family : {10u, 24u, 28u, 30u})
      check_found(craft::null_loopback(order, family) / packet6, 6, LinkType::null);
  }
  CHECK(Dissected(craft::Bytes{0, 0, 0, 16, 0x45, 0}, {.link = LinkType::null}).outcome == Outcome::non_ip);
}

TEST_CASE("PPPoE says where its packet ends") {
  craft::Bytes frame = ethernet() / craft::pppoe_session() / craft::ppp() / packet4;
  frame[19] = 2 + 20 + 3; // its length: PPP's protocol, the IP header, three octets of UDP's
  CHECK(Dissected(frame).outcome == Outcome::short_transport);
  frame[19] = 2 + 10;
  CHECK(Dissected(frame).outcome == Outcome::short_ip);
}

TEST_CASE("802.3 frames are IP where SNAP says so, and nothing else") {
  const craft::Bytes snap{0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00};
  craft::Bytes frame(12, 2);
  craft::append_u16(frame, 8 + 32);
  craft::append(frame, snap);
  check_found(octets_before(frame, packet4), 4);
  frame[14] = 0x42; // a spanning tree frame's service access point
  CHECK(Dissected(octets_before(frame, packet4)).outcome == Outcome::non_ip);
}

TEST_CASE("SNAP frames that nest in one another are not followed") {
  craft::Bytes frame(12, 2);
  for (int i = 0; i < 10'000; ++i)
    craft::append(frame, craft::Bytes{0, 8, 0xaa, 0xaa, 3, 0, 0, 0});
  CHECK(Dissected(frame).outcome == Outcome::non_ip);
}

TEST_CASE("an ethertype that is not IP is not IP") {
  CHECK(Dissected(ethernet().ether_type(0x0806) / craft::zeros(46)).outcome == Outcome::non_ip);
  CHECK(Dissected(ethernet().ether_type(0x8863) / craft::zeros(46)).outcome == Outcome::non_ip);
}
