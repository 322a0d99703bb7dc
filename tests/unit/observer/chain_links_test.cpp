// SPDX-License-Identifier: GPL-3.0-or-later
// The vlan and tunnel chains, what the icmp chain says of messages, and flows whose keys are longer than the
// five-tuple.
#include "tests/unit/observer/chain_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("vlan: the first packet's tags, and the outer one's priority") {
  auto flow = flow_of({"vlan"}, {forward(udp).vlans({0xa005, 0x0006}), forward(udp).vlans({7})});
  CHECK(flow["vlan_ids"] == "[5,6]");
  CHECK(flow["vlan_priority"] == "5");
  flow = flow_of({"vlan"}, {forward(udp)});
  CHECK(flow["vlan_ids"] == "null");
  CHECK(flow["vlan_priority"] == "null");
}

TEST_CASE("tunnel: kind, addresses and identifier, a list where there are several") {
  const Octets a{192, 0, 2, 1}, b{192, 0, 2, 2};
  auto flow = flow_of({"tunnel"}, {forward(udp).tunnel(TunnelKind::vxlan, 1, 100, a, b)});
  CHECK(flow["tunnel_type"] == "[vxlan]");
  CHECK(flow["tunnel_sip"] == "[192.0.2.1]");
  CHECK(flow["tunnel_dip"] == "[192.0.2.2]");
  CHECK(flow["tunnel_id"] == "[100]");
  flow = flow_of(
      {"tunnel"},
      {forward(udp).tunnel(TunnelKind::mpls, 1, 5).tunnel(TunnelKind::ipip, 0, 0, ipv6(1).address, ipv6(2).address)});
  CHECK(flow["tunnel_type"] == "[mpls,ipip]");
  CHECK(flow["tunnel_sip"] == "[,2001:db8::1]");
  CHECK(flow["tunnel_id"] == "[5,null]");
  flow = flow_of({"tunnel"}, {forward(udp).tunnel(TunnelKind::mpls, 1, 5)});
  CHECK(flow["tunnel_sip"] == "null");
  CHECK(flow_of({"tunnel"}, {forward(udp)})["tunnel_type"] == "null");
}

TEST_CASE("icmp: type and code of the first message by direction, and who sent the first error") {
  auto flow = flow_of({"icmp"}, {Packet(client, server, icmp).icmp_type(8), Packet(server, client, icmp).icmp_type(0),
                                 Packet(client, server, icmp).icmp_type(13)});
  CHECK(flow["icmp_type_fwd"] == "8");
  CHECK(flow["icmp_code_fwd"] == "0");
  CHECK(flow["icmp_type_rev"] == "0");
  CHECK(flow["icmp_error_from"] == "null");
  flow =
      flow_of({"icmp"}, {forward(udp), Packet::error(client, server, udp, 11).icmp_code(1).icmp_sender({10, 0, 0, 7}),
                         Packet::error(client, server, udp, 3).icmp_code(2).icmp_sender({10, 0, 0, 8})});
  CHECK(flow["icmp_type_fwd"] == "null");
  CHECK(flow["icmp_type_rev"] == "11");
  CHECK(flow["icmp_code_rev"] == "1");
  CHECK(flow["icmp_error_from"] == "10.0.0.7");
  CHECK(flow["icmp_unreachable"] == "true");
}

TEST_CASE("keys of the same hash and five-tuple are told apart by their extension") {
  FlowMeterOptions options;
  options.key_octets = key_octets_of(Need::key_vlan | Need::key_tunnel);
  Metering<> metering({"basic"}, options);
  const Octets longest(max_key_extension, 7);
  Octets other = longest;
  other.back() = 8;
  metering.feed({forward(udp), forward(udp).key_extension({1, 5, 0}), forward(udp).key_extension({1, 6, 0}),
                 reverse(udp).key_extension({1, 5, 0}), forward(udp).key_extension(longest),
                 forward(udp).key_extension(other), forward(udp).key_extension(longest)});
  const auto& flows = metering.flush();
  REQUIRE(flows.size() == 5);
  CHECK(std::ranges::count_if(flows, [](SeenFlow flow) { return flow["pkt_rev"] == "1"; }) == 1);
  CHECK(std::ranges::count_if(flows, [](SeenFlow flow) { return flow["pkt_fwd"] == "2"; }) == 1);
}
