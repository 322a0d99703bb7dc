// SPDX-License-Identifier: GPL-3.0-or-later
// Packets in tunnels: what each kind looks like, what is none, and where it ends.
#include "tests/unit/capture/dissect/within_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::udp, craft::tcp, craft::gre, craft::vxlan, craft::geneve,
    craft::gtp, craft::in_ip, craft::l2tp, craft::pptp, craft::Packet;

namespace {

const Packet outer4 = ethernet() / ipv4("192.0.2.1", "192.0.2.2");
const Packet outer6 = ethernet() / ipv6("2001:db8::1", "2001:db8::2");
const Packet inner4 = ipv4("10.0.0.1", "10.0.0.2") / tcp(1000, 53).syn();
const Packet inner6 = ipv6("fd00::1", "fd00::2") / tcp(1000, 53).syn();

/// The inner packet is found, under that name, with and without "all"; without its kind the outer one stays.
void check_taken(const craft::Bytes& frame, unsigned version, const std::string& kind, const std::string& layers) {
  INFO("layers ", layers);
  for (const auto& taken : {std::string("all"), kind}) {
    Within packet(frame, taken);
    REQUIRE(packet.outcome == Outcome::packet);
    CHECK(packet.depth() == 1);
    CHECK(packet.view()->key.version == version);
    CHECK(packet.source() == (version == 4 ? v4(1) : v6(1)));
    CHECK(packet.source_port() == 1000);
    CHECK(packet.destination_port() == 53);
    CHECK(packet->ip_length == (version == 4 ? 40 : 60));
    CHECK(packet.layers() == layers);
    CHECK(!packet.dissector.left_on());
  }
  Within left(frame, kind == "etherip" ? "gre" : "etherip");
  CHECK(left.depth() == 0);
  CHECK(left.source()[0] == (left.view()->key.version == 4 ? 192 : 0x20));
  // Cut anywhere it is the inner packet, or the outer one, or short: nothing else, and nothing is read beyond.
  for (std::size_t captured = 0; captured < frame.size(); ++captured) {
    Within cut(frame, "all", "tunnel",
               {.snap_length = captured, .wire_length = static_cast<std::uint32_t>(frame.size())});
    if (cut.outcome == Outcome::packet && cut.depth() == 1)
      CHECK(cut.source_port() == 1000);
  }
}

void check_left(const craft::Bytes& frame, std::string_view taken = "all") {
  Within packet(frame, taken);
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet.depth() == 0);
  CHECK(packet.layers() == "-");
  CHECK(packet.source()[0] == (packet.view()->key.version == 4 ? 192 : 0x20));
}

} // namespace

TEST_CASE("IP in IP of all versions") {
  check_taken(outer4 / inner4, 4, "ipip", "ipip");
  check_taken(outer6 / inner4, 4, "ipip", "ipip");
  check_taken(outer6 / inner6, 6, "ipip", "ipip");
  check_taken(outer4 / inner6, 6, "6in4", "6in4");
}

TEST_CASE("GRE with key, number, checksum and routes, of packets and of frames") {
  for (const auto& outer : {outer4, outer6}) {
    check_taken(outer / gre() / inner4, 4, "gre", "gre");
    check_taken(outer / gre().key(7) / inner6, 6, "gre", "gre:7");
    check_taken(outer / gre().key(7).sequence(1).checksum() / inner4, 4, "gre", "gre:7");
    check_taken(outer / gre().sequence(1) / ethernet() / craft::vlan(5) / inner4, 4, "gre", "gre");
    check_taken(outer / gre().routes(0) / inner4, 4, "gre", "gre");
    check_taken(outer / gre().routes(3).key(9) / inner6, 6, "gre", "gre:9");
    check_taken(outer / gre() / craft::mpls(77) / inner4, 4, "gre", "gre mpls:77");
    check_taken(outer / gre().type(0x880b) / craft::ppp() / inner4, 4, "gre", "gre");
    check_taken(outer / gre() / craft::service_header() / inner4, 4, "gre", "gre");
    check_taken(outer / udp(9, 4754) / gre().key(3) / inner4, 4, "gre", "gre:3");
  }
  check_taken(outer4 / gre().type(0x883e) / inner4, 4, "gre", "gre");
  check_taken(outer4 / gre().type(0x883e) / craft::raw({0, 0, 0, 0}) / inner4, 4, "gre", "gre");
}

TEST_CASE("GRE of another version, or whose routes do not end, is left on") {
  craft::Bytes frame = outer4 / gre() / inner4;
  frame[14 + 20 + 1] = 2;
  check_left(frame);
  craft::Bytes endless = outer4 / gre().routes(0).type(0x0800) / craft::payload(craft::Bytes(200, 1));
  endless[14 + 20 + 8 + 3] = 40;
  check_left(endless);
  check_left(outer4 / gre().type(0) / craft::zeros(4)); // keep alive
}

TEST_CASE("PPTP's GRE: a call, its packet's length") {
  check_taken(outer4 / pptp(6) / craft::ppp() / inner4, 4, "gre", "gre:6");
  check_taken(outer4 / pptp(6, true) / craft::ppp().hdlc() / inner6, 6, "gre", "gre:6");
  craft::Bytes acknowledgement = outer4 / pptp(6) / craft::zeros(0);
  acknowledgement[14 + 20] = 0x20;
  check_left(acknowledgement);
}

TEST_CASE("ERSPAN of all three forms") {
  const craft::Bytes second{0x10, 5, 0x10, 33, 0, 0, 0, 1};
  const craft::Bytes third{0x20, 5, 0x10, 33, 0, 0, 0, 1, 0, 0, 0, 0};
  craft::Bytes with_platform = third;
  with_platform[11] = 1;
  with_platform.resize(20);
  craft::Bytes of_packet = third;
  of_packet[10] = 2 << 2;
  check_taken(outer4 / gre().type(0x88be) / ethernet() / inner4, 4, "erspan", "erspan");
  check_taken(outer4 / gre().type(0x88be).sequence(1) / craft::raw(second) / ethernet() / inner4, 4, "erspan",
              "erspan:33");
  check_taken(outer4 / gre().type(0x22eb).sequence(1) / craft::raw(third) / ethernet() / craft::vlan(4) / inner6, 6,
              "erspan", "erspan:33");
  check_taken(outer4 / gre().type(0x22eb).sequence(1) / craft::raw(with_platform) / ethernet() / inner4, 4, "erspan",
              "erspan:33");
  check_taken(outer4 / gre().type(0x22eb).sequence(1) / craft::raw(of_packet) / inner4, 4, "erspan", "erspan:33");
  check_left(outer4 / gre().type(0x88be).sequence(1) / craft::raw(third) / ethernet() / inner4);
}

TEST_CASE("VXLAN and its generic extension") {
  check_taken(outer4 / udp(5, 4789) / vxlan(100) / ethernet() / inner4, 4, "vxlan", "vxlan:100");
  check_taken(outer6 / udp(5, 8472) / vxlan(100) / ethernet() / craft::vlan(9) / inner6, 6, "vxlan", "vxlan:100");
  check_taken(outer4 / udp(5, 4789) / vxlan(0xffffff, 0x88) / ethernet() / inner4, 4, "vxlan", "vxlan:16777215");
  check_taken(outer4 / udp(5, 4790) / vxlan(3, 0x0c, 1) / inner4, 4, "vxlan", "vxlan:3");
  check_taken(outer4 / udp(5, 4790) / vxlan(3, 0x0c, 2) / inner6, 6, "vxlan", "vxlan:3");
  check_taken(outer4 / udp(5, 4790) / vxlan(3, 0x0c, 3) / ethernet() / inner6, 6, "vxlan", "vxlan:3");
  check_taken(outer4 / udp(5, 4790) / vxlan(3, 0x0c, 4) / craft::service_header() / inner4, 4, "vxlan", "vxlan:3");
  check_left(outer4 / udp(5, 4789) / vxlan(100, 0) / ethernet() / inner4);
  check_left(outer4 / udp(5, 4790) / vxlan(100, 0x0d, 1) / inner4); // management
  check_left(outer4 / udp(4789, 5) / vxlan(100) / ethernet() / inner4);
  check_left(outer4 / udp(5, 4789) / vxlan(100) / ethernet().ether_type(0x0806) / craft::zeros(46));
}

TEST_CASE("Geneve with options; its control packets are left on") {
  check_taken(outer4 / udp(5, 6081) / geneve(7) / ethernet() / inner4, 4, "geneve", "geneve:7");
  check_taken(outer6 / udp(5, 6081) / geneve(7, 63) / inner6, 6, "geneve", "geneve:7");
  check_left(outer4 / udp(5, 6081) / geneve(7, 0, 0x80) / ethernet() / inner4);
}

TEST_CASE("GTP's user packets, with a number and with extension headers; nothing else of GTP") {
  check_taken(outer4 / udp(2152, 2152) / gtp(9) / inner4, 4, "gtp", "gtp:9");
  check_taken(outer4 / udp(5, 2152) / gtp(9).sequence() / inner6, 6, "gtp", "gtp:9");
  check_taken(outer6 / udp(2152, 5) / gtp(9).extension(1).extension(2) / inner4, 4, "gtp", "gtp:9");
  check_left(outer4 / udp(2152, 2152) / gtp(9).extension(0) / inner4);
  check_left(outer4 / udp(2152, 2152) / gtp(9).type(1) / inner4);           // echo
  check_left(outer4 / udp(2152, 2152) / gtp(9).first_octet(0x48) / inner4); // version 2
  check_left(outer4 / udp(2152, 2152) / gtp(9).first_octet(0x20) / inner4); // for charging
  check_left(outer4 / udp(2123, 2123) / gtp(9) / inner4);
}

TEST_CASE("Teredo with authentication and origin") {
  const craft::Bytes origin{0, 0, 1, 2, 3, 4, 5, 6};
  const craft::Bytes authentication{0, 1, 2, 3, 'i', 'd', 'a', 'u', 't', 1, 2, 3, 4, 5, 6, 7, 8, 0};
  craft::Bytes both = authentication;
  craft::append(both, origin);
  for (const auto& head : {craft::Bytes{}, origin, authentication, both})
    check_taken(outer4 / udp(3544, 5) / craft::raw(head) / inner6, 6, "teredo", "teredo");
  check_left(outer4 / udp(5, 3544) / inner4);
}

TEST_CASE("L2TP's data messages of both versions; control is left on") {
  check_taken(outer4 / udp(1701, 1701) / l2tp(1, 2) / craft::ppp().hdlc() / inner4, 4, "l2tp", "l2tp:65538");
  check_taken(outer4 / udp(1701, 1701) / l2tp(0, 2).with_length().numbered().offset(6) / craft::ppp() / inner6, 6,
              "l2tp", "l2tp:2");
  for (const std::size_t cookie : {0, 4, 8, 12}) {
    const craft::Bytes head(cookie, 0x5a);
    check_taken(outer4 / in_ip(115, {0, 0, 0, 7}) / craft::raw(head) / ethernet() / inner4, 4, "l2tp", "l2tp:7");
    check_taken(outer6 / udp(1701, 5) / craft::raw({0, 3, 0, 0, 0, 0, 0, 7}) / craft::raw(head) / ethernet() / inner6,
                6, "l2tp", "l2tp:7");
  }
  check_left(outer4 / udp(1701, 1701) / craft::raw({0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0}) / inner4);
  check_left(outer4 / in_ip(115, {0, 0, 0, 0}) / ethernet() / inner4);
}

TEST_CASE("labels in IP and in UDP, EtherIP") {
  check_taken(outer4 / in_ip(137) / craft::mpls(5) / inner4, 4, "mpls", "mpls:5");
}

TEST_CASE("tunnels in tunnels, outer first, up to a bound") {
  Within three(outer4 / udp(5, 4789) / vxlan(1) / ethernet() / ipv4("172.16.0.1", "172.16.0.2") / gre().key(2) /
               ipv6("2001:db8::7", "2001:db8::8") / inner4);
  CHECK(three.depth() == 3);
  CHECK(three.layers() == "vxlan:1 gre:2 ipip");
  CHECK(three.source() == v4(1));
  Packet bomb = inner4;
  for (int i = 0; i < 1000; ++i)
    bomb = ipv4("192.0.2.1", "192.0.2.2") / bomb;
  Within bound(ethernet() / bomb);
  CHECK(bound.depth() == max_tunnels);
  CHECK(bound.dissector.left_on());
  CHECK(bound.source() == craft::Bytes{192, 0, 2, 1});
  CHECK(bound->key.protocol == 4);
}

TEST_CASE("an inner packet that says it is longer than what is around it leaves the tunnel on") {
  craft::Bytes frame = outer4 / ipv4("10.0.0.1", "10.0.0.2").total_length(41) / tcp(1000, 53);
  Within packet(frame);
  CHECK(packet.depth() == 0);
  CHECK(packet.dissector.left_on());
  // Nor does it reach into what is behind the outer packet.
  craft::Bytes padded = outer4 / gre() / ipv4("10.0.0.1", "10.0.0.2").total_length(28) / craft::payload("");
  craft::append(padded, craft::Bytes(20, 0xee));
  CHECK(Within(padded).depth() == 0);
}

TEST_CASE("a first fragment of a tunnel's packet has the inner packet, a later one is the tunnel's") {
  const craft::Bytes datagram = ipv4("192.0.2.1", "192.0.2.2").id(9) / udp(5, 4789) / vxlan(1) / ethernet() /
                                ipv4("10.0.0.1", "10.0.0.2") / udp(1000, 53) / craft::zeros(1000);
  const auto fragments = craft::fragments_of(datagram, 504);
  Within first(ethernet() / fragments[0]);
  REQUIRE(first.depth() == 1);
  CHECK(first.source_port() == 1000);
  CHECK(first->ip_length == 1028);
  CHECK(first.dissector.tunnels()[0].fragment_part == FragmentPart::first);
  Within later(ethernet() / fragments[1]);
  CHECK(later.depth() == 0);
  CHECK(later.dissector.packet().fragment_part == FragmentPart::later);
}

TEST_CASE("an ICMP error that quotes a tunnel's packet belongs to what was in it") {
  const craft::Bytes sent = ipv4("192.0.2.1", "192.0.2.2") / gre().key(7) / inner4;
  const craft::Bytes frame = ethernet() / ipv4("192.0.2.9", "192.0.2.1") / craft::icmp_unreachable(1).quote(sent);
  Within error(frame, "all", "tunnel");
  REQUIRE(error.outcome == Outcome::packet);
  CHECK(error.view().is_icmp_error());
  CHECK(error.source() == v4(2)); // as if sent by the quoted packet's receiver
  CHECK(error.source_port() == 53);
  CHECK(error.layers() == "gre:7");
  CHECK(error.view().icmp_sender()[3] == 9);
  Within packet(ethernet() / craft::payload(sent), "all", "tunnel");
  Within sent_packet(ethernet() / craft::datagram(sent), "all", "tunnel");
  CHECK(error.key() == sent_packet.key());
  CHECK(error.hash() == sent_packet.hash());
  // As much as eight octets behind the outer header: it is the outer packet's.
  const craft::Bytes brief = ethernet() / ipv4("192.0.2.9", "192.0.2.1") / craft::icmp_unreachable(1).quote(sent, 28);
  Within outer(brief);
  CHECK(outer.source() == craft::Bytes{192, 0, 2, 2});
  CHECK(outer.layers() == "-");
  // Of another version than the error's own its numbers would mean something else.
  const craft::Bytes sent6 = ipv4("192.0.2.1", "192.0.2.2") / inner6;
  Within other(ethernet() / ipv4("192.0.2.9", "192.0.2.1") / craft::icmp_unreachable(1).quote(sent6));
  CHECK(other->key.version == 4);
  CHECK(other->key.protocol == 41);
}

TEST_CASE("names of tunnels that there are not are refused") {
  CHECK_THROWS(static_cast<void>(TunnelSet::parse("gre,foo")));
  CHECK_THROWS(static_cast<void>(TunnelSet::parse("")));
  CHECK(TunnelSet::parse("gre,vxlan").has(TunnelKind::vxlan));
  CHECK(!TunnelSet::parse("gre,vxlan").has(TunnelKind::gtp));
}
