// SPDX-License-Identifier: GPL-3.0-or-later
// The chains that read marks of the IP header: dscp, ecn, evil.
#include "tests/unit/observer/chain_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

Packet syn(bool rev = false) {
  return (rev ? reverse(tcp) : forward(tcp)).flags(rev ? TCP_SA : TCP_SYN);
}
Packet ack(bool rev = false) {
  return (rev ? reverse(tcp) : forward(tcp)).flags(TCP_ACK);
}
Packet data(bool rev = false) {
  return ack(rev).payload(10);
}

const std::vector<std::string> ecn_fields = {"ecn_ect0_syn_fwd",  "ecn_ect1_syn_fwd",  "ecn_ce_syn_fwd",
                                             "ecn_ect0_data_fwd", "ecn_ect1_data_fwd", "ecn_ce_data_fwd",
                                             "ecn_ect0_syn_rev",  "ecn_ect1_syn_rev",  "ecn_ce_syn_rev",
                                             "ecn_ect0_data_rev", "ecn_ect1_data_rev", "ecn_ce_data_rev"};

/// The ECN fields that are true.
std::vector<std::string> ecn_of(std::initializer_list<Packet> packets) {
  const auto flow = flow_of({"ecn"}, packets);
  std::vector<std::string> names;
  for (const auto& name : ecn_fields) {
    CHECK((flow[name] == "true" || flow[name] == "false"));
    if (flow[name] == "true")
      names.push_back(name);
  }
  return names;
}
using Names = std::vector<std::string>;

} // namespace

TEST_CASE("dscp: SYN and data have marks of their own in each direction") {
  const auto flow = flow_of({"dscp"}, {syn().dscp(1), syn(true).dscp(2), data().dscp(3), data(true).dscp(63)});
  CHECK(flow["dscp_mark_syn_fwd"] == "1");
  CHECK(flow["dscp_mark_syn_rev"] == "2");
  CHECK(flow["dscp_mark_data_fwd"] == "3");
  CHECK(flow["dscp_mark_data_rev"] == "63");
}

TEST_CASE("dscp: the code point is the upper six bits of the traffic class") {
  CHECK(flow_of({"dscp"}, {syn().traffic_class(0xb9)})["dscp_mark_syn_fwd"] == "46");
}

TEST_CASE("dscp: the first mark wins, also when it is 0") {
  const auto flow = flow_of({"dscp"}, {syn().dscp(0), syn().dscp(8), data().dscp(0), data().dscp(9), syn(true).dscp(4),
                                       syn(true).dscp(5), data(true).dscp(6), data(true).dscp(0)});
  CHECK(flow["dscp_mark_syn_fwd"] == "0");
  CHECK(flow["dscp_mark_data_fwd"] == "0");
  CHECK(flow["dscp_mark_syn_rev"] == "4");
  CHECK(flow["dscp_mark_data_rev"] == "6");
}

TEST_CASE("dscp: a segment without payload is no data, and a SYN with payload is a SYN") {
  const auto flow = flow_of({"dscp"}, {syn().dscp(1).payload(100), ack().dscp(2)});
  CHECK(flow["dscp_mark_syn_fwd"] == "1");
  CHECK(flow["dscp_mark_data_fwd"] == "null");
  CHECK(flow["dscp_mark_data_rev"] == "null");
}

TEST_CASE("dscp: any packet that is not TCP is data, with payload or without, IPv6 too") {
  CHECK(flow_of({"dscp"}, {forward(udp).dscp(7)})["dscp_mark_data_fwd"] == "7");
  CHECK(flow_of({"dscp"}, {forward(47).dscp(7)})["dscp_mark_data_fwd"] == "7");
  CHECK(flow_of({"dscp"}, {Packet(ipv6(1, 2), ipv6(3, 4), udp).dscp(7)})["dscp_mark_data_fwd"] == "7");
  CHECK(flow_of({"dscp"}, {forward(udp).dscp(7)})["dscp_mark_syn_fwd"] == "null");
}

TEST_CASE("dscp and ecn: a router's own marks on an ICMP error are not the flow's") {
  const auto flow =
      flow_of({"dscp", "ecn"}, {forward(udp).dscp(7), Packet::error(client, server, udp, 11).traffic_class(0xff)});
  CHECK(flow["dscp_mark_data_rev"] == "null");
  CHECK(flow["ecn_ce_data_rev"] == "false");
}

TEST_CASE("CE on a reverse data packet marks only ecn_ce_data_rev") {
  CHECK(ecn_of({syn(), data(true).traffic_class(3)}) == Names{"ecn_ce_data_rev"});
}

TEST_CASE("ecn: each mark, on a SYN and on anything else, in each direction has a field of its own") {
  const std::pair<std::uint8_t, std::string> marks[] = {{2, "ect0"}, {1, "ect1"}, {3, "ce"}};
  for (const auto& [bits, mark] : marks) {
    CHECK(ecn_of({syn().traffic_class(bits)}) == Names{"ecn_" + mark + "_syn_fwd"});
    CHECK(ecn_of({ack().traffic_class(bits)}) == Names{"ecn_" + mark + "_data_fwd"});
    CHECK(ecn_of({syn(), syn(true).traffic_class(bits)}) == Names{"ecn_" + mark + "_syn_rev"});
    CHECK(ecn_of({syn(), ack(true).traffic_class(bits)}) == Names{"ecn_" + mark + "_data_rev"});
  }
}

TEST_CASE("ecn: not-ECT marks nothing, the code point does not matter, and marks add up") {
  CHECK(ecn_of({syn().traffic_class(0xfc), ack().traffic_class(0xfc)}).empty());
  CHECK(ecn_of({data().traffic_class(0xfe), data().traffic_class(0xff), data().traffic_class(0)}) ==
        Names{"ecn_ect0_data_fwd", "ecn_ce_data_fwd"});
  CHECK(ecn_of({Packet(ipv6(1, 2), ipv6(3, 4), udp).traffic_class(1)}) == Names{"ecn_ect1_data_fwd"});
}

TEST_CASE("evil: the first SYN and the first data in each direction say, later ones do not") {
  const auto evil = [](Packet packet) { return packet.set(PacketBits::evil); };
  const auto flow = flow_of(
      {"evil"}, {evil(syn()), syn(), data(), evil(data()), syn(true), evil(syn(true)), evil(data(true)), data(true)});
  CHECK(flow["evilbit_syn_fwd"] == "true");
  CHECK(flow["evilbit_data_fwd"] == "false");
  CHECK(flow["evilbit_syn_rev"] == "false");
  CHECK(flow["evilbit_data_rev"] == "true");
}

TEST_CASE("evil: null without a SYN or data, and for IPv6") {
  const auto flow = flow_of({"evil"}, {ack().set(PacketBits::evil)});
  for (const auto* name : {"evilbit_syn_fwd", "evilbit_syn_rev", "evilbit_data_fwd", "evilbit_data_rev"})
    CHECK_MESSAGE(flow[name] == "null", name);
  CHECK(flow_of({"evil"}, {Packet(ipv6(1, 2), ipv6(3, 4), udp)})["evilbit_data_fwd"] == "null");
  CHECK(flow_of({"evil"}, {forward(udp).set(PacketBits::evil)})["evilbit_data_fwd"] == "true");
}

TEST_CASE("dscp, ecn and evil never complete a flow") {
  for (const auto* chain : {"dscp", "ecn", "evil"})
    CHECK_FALSE(completes(chain, {syn(), data().set(PacketBits::evil), data(), syn(true), data(true)}));
}
