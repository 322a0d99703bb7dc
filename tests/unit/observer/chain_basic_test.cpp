// SPDX-License-Identifier: GPL-3.0-or-later
// The basic, icmp, udp and noop chains.
#include "tests/unit/observer/chain_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("basic says the addresses and ports of the first packet's direction, whichever endpoint is the lower one") {
  const auto flow = flow_of({"basic"}, {forward(tcp), reverse(tcp)});
  CHECK(flow["sip"] == "192.0.2.200");
  CHECK(flow["dip"] == "192.0.2.1");
  CHECK(flow["proto"] == "6");
  CHECK(flow["sp"] == "40000");
  CHECK(flow["dp"] == "80");
  const auto turned = flow_of({"basic"}, {reverse(tcp), forward(tcp)});
  CHECK(turned["sip"] == "192.0.2.1");
  CHECK(turned["dip"] == "192.0.2.200");
  CHECK(turned["sp"] == "80");
  CHECK(turned["dp"] == "40000");
}

TEST_CASE("basic says IPv6 addresses") {
  const auto flow = flow_of({"basic"}, {Packet(ipv6(9, 53), ipv6(3, 5353), udp)});
  CHECK(flow["sip"] == "2001:db8::9");
  CHECK(flow["dip"] == "2001:db8::3");
  CHECK(flow["sp"] == "53");
  CHECK(flow["dp"] == "5353");
}

TEST_CASE("basic counts packets and octets by direction, octets by the datagram's own length") {
  const auto flow = flow_of({"basic"}, {forward(tcp).ip_length(60), reverse(tcp).ip_length(52),
                                        forward(tcp).ip_length(70'000), forward(tcp).ip_length(0)});
  CHECK(flow["pkt_fwd"] == "3");
  CHECK(flow["pkt_rev"] == "1");
  CHECK(flow["oct_fwd"] == "70060");
  CHECK(flow["oct_rev"] == "52");
}

TEST_CASE("basic has ports for SCTP and UDP-Lite, and null where a protocol has none") {
  for (const std::uint8_t protocol : {sctp, std::uint8_t{136}})
    CHECK(flow_of({"basic"}, {forward(protocol)})["sp"] == "40000");
  const auto gre = flow_of({"basic"}, {forward(47), reverse(47)});
  CHECK(gre["sp"] == "null");
  CHECK(gre["dp"] == "null");
  CHECK(gre["pkt_rev"] == "1");
}

TEST_CASE("port zero is a port and not null") {
  const auto flow = flow_of({"basic"}, {Packet(ipv4(1, 0), ipv4(2, 0), udp)});
  CHECK(flow["sp"] == "0");
  CHECK(flow["dp"] == "0");
}

TEST_CASE("basic does not count an ICMP error that quotes the flow") {
  const auto flow =
      flow_of({"basic"}, {forward(udp).ip_length(100), Packet::error(client, server, udp, 3).ip_length(56)});
  CHECK(flow["pkt_fwd"] == "1");
  CHECK(flow["pkt_rev"] == "0");
  CHECK(flow["oct_fwd"] == "100");
  CHECK(flow["oct_rev"] == "0");
}

TEST_CASE("every flow says its first and last packet's time and its end") {
  const auto flow = flow_of({}, {forward(tcp).at(100, 123'456'789), reverse(tcp).at(101, 1)});
  CHECK(flow["pkt_first"] == "100123456789");
  CHECK(flow["pkt_last"] == "101000000001");
  CHECK(flow["flow_end_reason"] == "forced end");
  CHECK(flow["ring_drops"] == "0");
}

TEST_CASE("icmp: a destination unreachable in the reverse direction is noted and completes the flow") {
  CHECK(flow_of({"icmp"}, {forward(udp)})["icmp_unreachable"] == "false");
  CHECK(flow_of({"icmp"}, {forward(udp), Packet::error(client, server, udp, 3)})["icmp_unreachable"] == "true");
  CHECK(completes("icmp", {forward(udp), Packet::error(client, server, udp, 3)}));
  const auto from = ipv6(9, 1000), to = ipv6(3, 2000);
  CHECK(flow_of({"icmp"}, {Packet(from, to, udp), Packet::error(from, to, udp, 1)})["icmp_unreachable"] == "true");
  CHECK(completes("icmp", {Packet(from, to, udp), Packet::error(from, to, udp, 1)}));
}

TEST_CASE("icmp: an unreachable about a packet that the other side sent is forward, and not noted") {
  CHECK(flow_of({"icmp"}, {forward(udp), Packet::error(server, client, udp, 3)})["icmp_unreachable"] == "false");
  CHECK_FALSE(completes("icmp", {forward(udp), Packet::error(server, client, udp, 3)}));
}

TEST_CASE("icmp: the unreachable type of the other IP version, or time exceeded, is not unreachable") {
  CHECK(flow_of({"icmp"}, {forward(udp), Packet::error(client, server, udp, 1)})["icmp_unreachable"] == "false");
  CHECK(flow_of({"icmp"}, {forward(udp), Packet::error(client, server, udp, 11)})["icmp_unreachable"] == "false");
  const auto from = ipv6(9, 1000), to = ipv6(3, 2000);
  CHECK(flow_of({"icmp"}, {Packet(from, to, udp), Packet::error(from, to, udp, 3)})["icmp_unreachable"] == "false");
}

TEST_CASE("icmp: an error that opens its flow counts as its reverse direction") {
  const auto flow = flow_of({"basic", "icmp"}, {Packet::error(client, server, udp, 3)});
  CHECK(flow["icmp_unreachable"] == "true");
  CHECK(flow["sip"] == "192.0.2.200");
  CHECK(flow["sp"] == "40000");
  CHECK(flow["dip"] == "192.0.2.1");
  CHECK(flow["dp"] == "80");
  CHECK(flow["proto"] == "17");
}

TEST_CASE("icmp: an unreachable without its quotation belongs to the flow of its own addresses") {
  const auto alone = Packet(ipv4(1), ipv4(9), icmp).icmp_type(3);
  CHECK(flow_of({"icmp"}, {alone})["icmp_unreachable"] == "false");
  const auto answered = Packet(ipv4(9), ipv4(1), icmp).icmp_type(3);
  CHECK(flow_of({"icmp"}, {alone, answered})["icmp_unreachable"] == "true");
}

TEST_CASE("icmp: a message whose header was not captured says nothing") {
  const auto ping = Packet(ipv4(1), ipv4(9), icmp).icmp_type(8);
  const auto cut = Packet(ipv4(9), ipv4(1), icmp).icmp_type(3).without_transport();
  CHECK(flow_of({"icmp"}, {ping, cut})["icmp_unreachable"] == "false");
}

TEST_CASE("udp: the last datagram in each direction says whether the checksum was zero") {
  auto zero = [](Packet packet) { return packet.set(PacketBits::zero_checksum); };
  CHECK(flow_of({"udp"}, {forward(udp)})["udp_zero_checksum_fwd"] == "false");
  CHECK(flow_of({"udp"}, {forward(udp)})["udp_zero_checksum_rev"] == "null");
  const auto flow = flow_of({"udp"}, {zero(forward(udp)), reverse(udp), forward(udp), zero(reverse(udp))});
  CHECK(flow["udp_zero_checksum_fwd"] == "false");
  CHECK(flow["udp_zero_checksum_rev"] == "true");
}

TEST_CASE("udp: TCP segments and fragments without a header leave null") {
  CHECK(flow_of({"udp"}, {forward(tcp)})["udp_zero_checksum_fwd"] == "null");
  CHECK(flow_of({"udp"}, {forward(udp).without_transport()})["udp_zero_checksum_fwd"] == "null");
}

TEST_CASE("noop has no fields and completes nothing") {
  const auto flow =
      flow_of({"noop"}, {forward(tcp).flags(TCP_RST), Packet::error(client, server, tcp, 3), forward(tcp)});
  CHECK(flow.names() == std::vector<std::string>{"pkt_first", "pkt_last", "flow_end_reason", "ring_drops"});
  CHECK(flow["flow_end_reason"] == "forced end");
}
