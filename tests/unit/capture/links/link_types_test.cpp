// SPDX-License-Identifier: GPL-3.0-or-later
// Serial lines, IEEE 802.11, and what captures put before a frame.
#include "tests/unit/capture/links/link_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;
using craft::FrameRelay, craft::frame_relay, craft::wireless, craft::radiotap, craft::ethernet;

TEST_CASE("every link type has numbers, and libpcap's among them") {
  for (unsigned i = 0; i < link_types; ++i)
    CHECK(link_type_of(static_cast<std::uint32_t>(dlt_of(static_cast<LinkType>(i)))) == static_cast<LinkType>(i));
  for (const std::uint32_t number : {12u, 14u, 101u, 228u, 229u})
    CHECK(link_type_of(number) == LinkType::raw_ip);
  for (const auto& [number, link] : {std::pair{104u, LinkType::cisco_hdlc},
                                     {105u, LinkType::ieee802_11},
                                     {107u, LinkType::frame_relay},
                                     {117u, LinkType::pflog},
                                     {119u, LinkType::prism},
                                     {127u, LinkType::radiotap},
                                     {163u, LinkType::avs},
                                     {192u, LinkType::ppi},
                                     {239u, LinkType::nflog},
                                     {258u, LinkType::pktap},
                                     {178u, LinkType::juniper_ether}})
    CHECK(link_type_of(number) == link);
  CHECK(!link_type_of(209));
  CHECK(describe_link_type(209) == "209 (IPMB_LINUX)");
}

TEST_CASE("Cisco's HDLC is an ethertype behind an address, and PPP where it begins so") {
  check_found(craft::cisco_hdlc() / packet4, 4, LinkType::cisco_hdlc);
  check_found(craft::cisco_hdlc(0x8f) / packet6, 6, LinkType::cisco_hdlc);
  check_found(craft::cisco_hdlc() / craft::vlan(7) / packet6, 6, LinkType::cisco_hdlc);
  check_found(craft::cisco_hdlc() / craft::mpls(16) / packet4, 4, LinkType::cisco_hdlc);
  check_found(craft::ppp().hdlc() / packet4, 4, LinkType::cisco_hdlc);
  check_found(craft::raw({1}) / craft::cisco_hdlc() / packet4, 4, LinkType::hdlc_direction);
  CHECK(outcome_of({0x8f, 0, 0x80, 0x35, 0, 0, 0, 2}, LinkType::cisco_hdlc) == Outcome::non_ip); // keep alive
}

TEST_CASE("PPP behind an octet for its direction, or with one in place of its address") {
  check_found(craft::raw({0}) / craft::ppp().hdlc() / packet4, 4, LinkType::ppp_with_direction);
  check_found(craft::raw({1}) / craft::ppp() / packet6, 6, LinkType::ppp_with_direction);
  check_found(craft::raw({1, 3}) / craft::ppp() / packet6, 6, LinkType::ppp_with_direction);
}

TEST_CASE("frame relay has an address of two to four octets, and three ways to name its content") {
  for (const unsigned octets : {2u, 3u, 4u})
    for (const auto form : {FrameRelay::Form::identifier, FrameRelay::Form::snap, FrameRelay::Form::cisco}) {
      check_found(frame_relay(form).address_octets(octets) / packet4, 4, LinkType::frame_relay);
      check_found(frame_relay(form).address_octets(octets).padded() / packet6, 6, LinkType::frame_relay);
    }
  check_found(craft::raw({0}) / frame_relay() / packet4, 4, LinkType::relay_direction);
  // Bridged Ethernet, with and without its check sequence.
  for (const std::uint8_t id : {1, 7})
    check_found(craft::raw({0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, id}) / ethernet() / packet4, 4,
                LinkType::frame_relay);
  CHECK(outcome_of(craft::Bytes{0, 1, 3, 8, 0, 0x75}, LinkType::frame_relay) == Outcome::non_ip); // the line itself
  CHECK(outcome_of(craft::Bytes(30, 0x10), LinkType::frame_relay) == Outcome::non_ip);            // no address ends so
  CHECK(outcome_of(craft::Bytes(30, 0x11), LinkType::frame_relay) == Outcome::non_ip);
}

TEST_CASE("LLC as ATM has it: SNAP, ISO's identifiers, IP alone, bridged frames") {
  check_found(craft::snap() / packet4, 4, LinkType::llc);
  check_found(craft::raw({0xfe, 0xfe, 3, 0xcc}) / packet4, 4, LinkType::llc);
  check_found(craft::raw({0xfe, 0xfe, 3, 0x8e}) / packet6, 6, LinkType::llc);
  check_found(craft::raw({6, 6, 3}) / packet4, 4, LinkType::llc);
  check_found(craft::raw({0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0}) / ethernet() / packet6, 6, LinkType::llc);
  check_found(packet4, 4, LinkType::llc);
  check_found(packet6, 6, LinkType::llc);
  CHECK(outcome_of({0x42, 0x42, 3, 0, 0, 0, 0, 0}, LinkType::llc) == Outcome::non_ip);
}

TEST_CASE("labels, SLIP, IPsec's interface, a network analyzer") {
  check_found(craft::mpls(16) / craft::mpls(17) / packet4, 4, LinkType::mpls);
  check_found(craft::raw(craft::Bytes(16)) / packet6, 6, LinkType::slip);
  check_found(craft::raw({0, 0, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0}) / packet4, 4, LinkType::enc);
  check_found(craft::raw({24, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0}) / packet6, 6, LinkType::enc);
  check_found(craft::raw({1, 2, 3, 4}) / ethernet() / packet4, 4, LinkType::net_analyzer);
}

TEST_CASE("data frames of IEEE 802.11, whatever is in their headers") {
  for (const auto& header :
       {wireless(), wireless().quality(), wireless().four_addresses(), wireless().four_addresses().quality(),
        wireless().high_throughput(), wireless().four_addresses().high_throughput(), wireless().aggregated()}) {
    check_found(header / packet4, 4, LinkType::ieee802_11);
    check_found(header / packet6, 6, LinkType::ieee802_11);
  }
}

TEST_CASE("what is not data, or encrypted, or a later fragment, is not IP") {
  CHECK(outcome_of(wireless().encrypted() / packet4, LinkType::ieee802_11) == Outcome::non_ip);
  CHECK(outcome_of(wireless().fragment(1) / packet4, LinkType::ieee802_11) == Outcome::non_ip);
  CHECK(outcome_of(wireless().subtype(4) / packet4, LinkType::ieee802_11) == Outcome::non_ip);
  craft::Bytes beacon = wireless() / packet4;
  beacon[0] = 0x80;
  CHECK(outcome_of(beacon, LinkType::ieee802_11) == Outcome::non_ip);
}

TEST_CASE("of frames that are sent as one the first is read, within its own length") {
  craft::Bytes frame = wireless().aggregated() / packet4;
  CHECK(frame[26 + 13] == 40); // its length
  frame[26 + 13] = 8 + 20 + 2;
  CHECK(outcome_of(frame, LinkType::ieee802_11) == Outcome::short_transport);
  frame[26 + 13] = 8 + 10;
  CHECK(outcome_of(frame, LinkType::ieee802_11) == Outcome::short_ip);
}

TEST_CASE("radiotap says of the frame what follows: padding in its header, a check sequence behind it") {
  for (const unsigned words : {1u, 2u, 5u}) {
    check_found(radiotap(0, words) / wireless() / packet4, 4, LinkType::radiotap);
    check_found(radiotap(0x10, words) / wireless().quality() / packet6, 6, LinkType::radiotap, 4);
    check_found(radiotap(0x20, words) / wireless().quality().padded() / packet6, 6, LinkType::radiotap);
    check_found(radiotap(0x30, words) / wireless().quality().padded() / packet4, 4, LinkType::radiotap, 4);
  }
  // A datagram that does not say its length ends before the check sequence.
  craft::Bytes frame = radiotap(0x10) / wireless() / packet4;
  const std::size_t ip = frame.size() - 4 - 32;
  frame[ip + 2] = frame[ip + 3] = 0;
  CHECK(Dissected(frame, {.link = LinkType::radiotap})->ip_length == 32);
}

TEST_CASE("a radiotap header that says it is longer than the frame is short, one below its own fields none") {
  craft::Bytes frame = radiotap() / wireless() / packet4;
  frame[3] = 0xff;
  CHECK(outcome_of(frame, LinkType::radiotap) == Outcome::short_link);
  frame[3] = 0;
  frame[2] = 7;
  CHECK(outcome_of(frame, LinkType::radiotap) == Outcome::non_ip);
  // Words that never end stay within the header.
  craft::Bytes endless(64, 0xff);
  endless[0] = 0;
  endless[2] = 64;
  endless[3] = 0;
  CHECK(outcome_of(endless, LinkType::radiotap) == Outcome::short_link);
}

TEST_CASE("Prism and AVS headers, the latter under both numbers") {
  check_found(craft::prism_header() / wireless() / packet4, 4, LinkType::prism);
  check_found(craft::avs_header() / wireless().quality() / packet6, 6, LinkType::prism);
  check_found(craft::avs_header(80) / wireless() / packet6, 6, LinkType::avs);
  CHECK(outcome_of(craft::Bytes(200, 1), LinkType::avs) == Outcome::non_ip);
}

TEST_CASE("PPI and pktap lead to the link type that they say") {
  check_found(craft::ppi_header(105) / wireless() / packet4, 4, LinkType::ppi);
  check_found(craft::ppi_header(127, 32) / radiotap() / wireless() / packet6, 6, LinkType::ppi);
  check_found(craft::ppi_header(1) / ethernet() / packet6, 6, LinkType::ppi);
  check_found(craft::pktap_header(1) / ethernet() / craft::vlan(3) / packet4, 4, LinkType::pktap);
  check_found(craft::pktap_header(12, 156) / packet6, 6, LinkType::pktap);
  check_found(craft::pktap_header(0) / craft::null_loopback() / packet6, 6, LinkType::pktap);
  CHECK(outcome_of(craft::ppi_header(147) / packet4, LinkType::ppi) == Outcome::non_ip);
  CHECK(outcome_of(craft::pktap_header(1, 12).octets, LinkType::pktap) == Outcome::short_link);
  CHECK(outcome_of(craft::pktap_header(1, 8) / packet4, LinkType::pktap) == Outcome::non_ip);
}

TEST_CASE("headers that carry one another are not followed without end") {
  craft::Bytes frame;
  for (int i = 0; i < 10'000; ++i)
    craft::append(frame, craft::ppi_header(192).octets);
  CHECK(outcome_of(frame, LinkType::ppi) == Outcome::non_ip);
}

TEST_CASE("a netfilter log in both byte orders, by family or by what the packet's attribute says") {
  for (const std::endian order : {std::endian::little, std::endian::big}) {
    check_found(craft::nflog(2, order) / packet4, 4, LinkType::nflog);
    check_found(craft::nflog(10, order) / packet6, 6, LinkType::nflog, 1);
    check_found(craft::nflog(7, order) / packet6, 6, LinkType::nflog, 1);
  }
  craft::Bytes no_packet{2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0};
  CHECK(outcome_of(no_packet, LinkType::nflog) == Outcome::non_ip);
  no_packet[4] = 3; // a length below its own field
  CHECK(outcome_of(no_packet, LinkType::nflog) == Outcome::non_ip);
  no_packet[1] = 1;
  CHECK(outcome_of(no_packet, LinkType::nflog) == Outcome::non_ip);
}

TEST_CASE("a netfilter log's attribute bounds its packet") {
  craft::Bytes frame = craft::nflog(2) / packet4;
  const std::size_t length_at = frame.size() - 32 - 4;
  CHECK(frame[length_at] == 36);
  frame[length_at] = 4 + 22;
  CHECK(outcome_of(frame, LinkType::nflog) == Outcome::short_transport);
}

TEST_CASE("pf logs of all lengths and of every system's number for IPv6") {
  for (const std::uint8_t length : {48, 61, 64, 69, 72, 100})
    check_found(craft::pflog_header(2, length) / packet4, 4, LinkType::pflog);
  for (const std::uint8_t family : {24, 28, 30})
    check_found(craft::pflog_header(family) / packet6, 6, LinkType::pflog);
  check_found(craft::old_pflog_header(2) / packet4, 4, LinkType::old_pflog);
  CHECK(outcome_of(craft::pflog_header(2, 44) / packet4, LinkType::pflog) == Outcome::non_ip);
}

TEST_CASE("Juniper's header, with extensions, with a cookie, and without a link header") {
  const craft::Bytes cookie4(4), cookie8(8);
  for (const std::size_t extensions : {0, 6, 20})
    check_found(craft::juniper_header(0x81, {}, extensions) / ethernet() / packet4, 4, LinkType::juniper_ether);
  check_found(craft::juniper_header(1) / ethernet() / craft::vlan(7) / packet6, 6, LinkType::juniper_ether);
  check_found(craft::juniper_header(0) / craft::ppp().hdlc() / packet4, 4, LinkType::juniper_ppp);
  check_found(craft::juniper_header(0) / frame_relay() / packet6, 6, LinkType::juniper_relay);
  check_found(craft::juniper_header(0) / craft::cisco_hdlc() / packet4, 4, LinkType::juniper_hdlc);
  check_found(craft::juniper_header(1, cookie4) / craft::snap() / packet4, 4, LinkType::juniper_atm1);
  check_found(craft::juniper_header(1, cookie4) / craft::raw({3, 0xcc}) / packet4, 4, LinkType::juniper_atm1);
  check_found(craft::juniper_header(1, cookie8) / craft::ppp() / packet6, 6, LinkType::juniper_atm2);
  check_found(craft::juniper_header(0, {0, 0, 0, 2, 0, 0, 0, 0}) / ethernet() / packet6, 6, LinkType::juniper_atm2);
  check_found(craft::juniper_header(1, cookie8) / packet4, 4, LinkType::juniper_service);
  check_found(craft::juniper_header(3, cookie4) / packet6, 6, LinkType::juniper_ether);
  CHECK(outcome_of(craft::juniper_header(1, {0x80, 0, 0, 0}) / packet4, LinkType::juniper_atm1) == Outcome::non_ip);
  CHECK(outcome_of(craft::raw({'M', 'G', 'B', 0}) / ethernet() / packet4, LinkType::juniper_ether) == Outcome::non_ip);
}
