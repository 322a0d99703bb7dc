// SPDX-License-Identifier: GPL-3.0-or-later
// Tags behind Ethernet's addresses, and pseudo-wires below MPLS labels.
#include "tests/unit/capture/links/link_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::vlan, craft::mpls, craft::Ethernet;

namespace {

/// A frame that begins with these octets of its destination's address.
Ethernet frame_to(std::uint8_t first, std::uint8_t third = 0, std::uint8_t fourth = 0) {
  return ethernet().destination({first, 0, third, fourth, 0, 2});
}

} // namespace

TEST_CASE("tags lead to the ethertype behind them, and in one another") {
  for (const auto& tag :
       {craft::vn_tag(), craft::e_tag(), craft::metadata_tag(), craft::metadata_tag(2), craft::redundancy_tag(),
        craft::seamless_tag(), craft::macsec_tag(), craft::macsec_tag(0x20)}) {
    check_found(ethernet() / tag / packet4, 4);
    check_found(ethernet() / vlan(7) / tag / packet6, 6);
    check_found(ethernet() / tag / vlan(7) / packet6, 6);
    check_found(ethernet() / tag / mpls(16) / packet4, 4);
  }
  check_found(ethernet() / craft::vn_tag() / craft::e_tag() / craft::metadata_tag() / packet4, 4);
}

TEST_CASE("the tags of before 802.1ad are tags") {
  for (const std::uint16_t type : {0x9100, 0x9200, 0x9300})
    check_found(ethernet() / craft::Vlan(type, 5) / vlan(6) / packet4, 4);
}

TEST_CASE("tags in front of a frame lead into it") {
  for (const auto& tag :
       {craft::backbone_tag(5), craft::fabric_path_tag(), craft::trill_header(), craft::trill_header(3)}) {
    check_found(ethernet() / tag / ethernet() / packet4, 4);
    check_found(ethernet() / craft::service_vlan(9) / tag / ethernet() / vlan(7) / packet6, 6);
  }
}

TEST_CASE("frames in frames are followed to a bound") {
  craft::Packet frame = ethernet() / packet4;
  for (int i = 0; i < 3; ++i)
    frame = ethernet() / craft::backbone_tag(5) / frame;
  check_found(frame, 4);
  CHECK(outcome_of(ethernet() / craft::backbone_tag(5) / frame) == Outcome::non_ip);
}

TEST_CASE("MACsec is read where nothing is encrypted or changed, up to its short length") {
  CHECK(outcome_of(ethernet() / craft::macsec_tag(0x0c) / packet4) == Outcome::non_ip);
  CHECK(outcome_of(ethernet() / craft::macsec_tag(0x08) / packet4) == Outcome::non_ip);
  CHECK(outcome_of(ethernet() / craft::macsec_tag(0x04) / packet4) == Outcome::non_ip);
  CHECK(outcome_of(ethernet() / craft::macsec_tag(0x80) / packet4) == Outcome::non_ip);
  check_found(ethernet() / craft::macsec_tag(0, 2 + 32) / packet4, 4);
  CHECK(outcome_of(ethernet() / craft::macsec_tag(0, 2 + 23) / packet4) == Outcome::short_transport);
}

TEST_CASE("a network service header leads to what it names, in itself too") {
  check_found(ethernet() / craft::service_header() / packet4, 4);
  check_found(ethernet() / craft::service_header(4) / packet6, 6);
  check_found(ethernet() / craft::service_header(1) / ethernet() / packet6, 6);
  check_found(ethernet() / craft::service_header() / craft::service_header(2) / packet4, 4);
  check_found(ethernet() / craft::service_header() / mpls(16) / packet4, 4);
  CHECK(outcome_of(ethernet() / craft::service_header(0, 0x2000) / packet4) == Outcome::non_ip); // management
  CHECK(outcome_of(ethernet() / craft::service_header(0, 0x4000) / packet4) == Outcome::non_ip); // another version
  craft::Bytes frame = ethernet() / craft::service_header() / packet4;
  frame[15] = 1; // a length below its own header
  CHECK(outcome_of(frame) == Outcome::non_ip);
}

TEST_CASE("a pseudo-wire's frame is found with and without a control word, whatever its addresses begin with") {
  for (const std::uint8_t first : {0x00, 0x02, 0x10, 0x3c, 0x40, 0x44, 0x45, 0x4f, 0x60, 0x66, 0x6f, 0xf2}) {
    INFO("first octet ", first);
    for (const auto& head : {craft::Packet(mpls(16)), mpls(16) / mpls(17)}) {
      check_found(ethernet() / head / craft::control_word() / frame_to(first) / packet4, 4);
      check_found(ethernet() / head / craft::control_word() / frame_to(first) / vlan(7) / packet6, 6);
      CHECK(outcome_of(ethernet() / head / frame_to(first) / packet4) == Outcome::packet);
      CHECK(outcome_of(ethernet() / head / frame_to(first) / packet6) == Outcome::packet);
    }
  }
}

TEST_CASE("a checksum decides between IP and a frame whose address looks like it") {
  // The address says: IPv4 with a header of 20 octets, as long as the frame is.
  const Dissected frame(ethernet() / mpls(16) / frame_to(0x45, 0, 46) / packet4);
  REQUIRE(frame.outcome == Outcome::packet);
  CHECK(frame.source() == v4(1));
  CHECK(frame->ip_length == 32);
  // And of IPv6, whose payload's checksum is right, where the address says IPv6 and as long.
  const Dissected six(ethernet() / mpls(16) / frame_to(0x60, 0, 10) / packet6);
  REQUIRE(six.outcome == Outcome::packet);
  CHECK(six.source() == v6(1));
  CHECK(six->ip_length == 51);
}

TEST_CASE("what is neither IP nor a frame with IP opens nothing") {
  for (const std::uint8_t first : {0x00, 0x02, 0x10, 0x45, 0x60, 0xf2}) {
    const auto arp = frame_to(first, 0xff, 0xff).ether_type(0x0806) / craft::zeros(46);
    CHECK(outcome_of(ethernet() / mpls(16) / arp) == Outcome::non_ip);
    CHECK(outcome_of(ethernet() / mpls(16) / craft::control_word() / arp) == Outcome::non_ip);
  }
}

TEST_CASE("IP below labels is IP with a wrong checksum too, where its length fits and nothing else does") {
  craft::Bytes frame = ethernet() / mpls(16) / packet4;
  frame[18 + 10] ^= 0xff;
  CHECK(outcome_of(frame) == Outcome::packet);
}

TEST_CASE("tags of a pseudo-wire's frame are told, and those of what it turned out not to be are not") {
  const Dissected packet(ethernet() / vlan(7) / mpls(16) / craft::control_word() / ethernet() / vlan(9) / packet4);
  REQUIRE(packet.outcome == Outcome::packet);
  REQUIRE(packet.view().vlan_tags().size() == 2);
  CHECK(packet.view().vlan_tags()[0].id() == 7);
  CHECK(packet.view().vlan_tags()[1].id() == 9);
  CHECK(packet.view().ethernet()->type == 0x8847);
}
