// SPDX-License-Identifier: GPL-3.0-or-later
// The life of a flow, to the second, as DESIGN says it: idle, completed, dormant, vetoed, flushed.
#include "tests/unit/observer/chain_support.hpp"
#include "tests/unit/observer/scripted_chain.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

Packet at(std::uint64_t second, std::uint64_t ns = 0) {
  return forward(udp).at(second, ns);
}
Packet completing(std::uint64_t second, std::uint64_t ns = 0) {
  return at(second, ns).ip_length(ScriptedChain::complete_length);
}
std::string reason(const ScriptedMetering& metering) {
  return metering.flows().back()["flow_end_reason"];
}

/// The second at which the meter's only flow leaves, its clock going on second by second; 0: not within a minute.
std::uint64_t leaves_at(ScriptedMetering& metering) {
  for (const std::uint64_t begin = metering.meter().clock(); metering.meter().clock() < begin + 60;) {
    metering.meter().tick(metering.meter().clock() + 1);
    if (metering.left() == 1)
      return metering.meter().clock();
  }
  return 0;
}
std::uint64_t leaves_at(std::initializer_list<Packet> packets, const FlowMeterOptions& options = {}) {
  ScriptedMetering metering(scripted, options);
  metering.feed(packets);
  REQUIRE(metering.left() == 0);
  return leaves_at(metering);
}

} // namespace

TEST_CASE("a flow is idle at the second after 30 s without a packet, rounded up, and leaves then") {
  CHECK(leaves_at({at(100)}) == 130);
  CHECK(leaves_at({at(100, 1)}) == 131);
  CHECK(leaves_at({at(100, 999'999'999)}) == 131);
  ScriptedMetering metering(scripted);
  metering.feed(at(100));
  CHECK(leaves_at(metering) == 130);
  CHECK(reason(metering) == "idle timeout");
  metering.feed(reverse(udp).at(130)); // exactly 30 s later: another flow, of who sends first
  CHECK(metering.flush()[1]["sp"] == std::to_string(server.port));
}

TEST_CASE("a later packet moves the idle second, an older one does not move it back") {
  CHECK(leaves_at({at(100), at(110), at(120, 5)}) == 151);
  CHECK(leaves_at({at(100), at(120), at(105)}) == 150);
}

TEST_CASE("a completed flow leaves 5 s after its last packet, and 30 s after its completion at the latest") {
  CHECK(leaves_at({completing(100)}) == 105);
  CHECK(leaves_at({completing(100, 1)}) == 106);
  CHECK(leaves_at({completing(100), at(104)}) == 109);
  CHECK(leaves_at({completing(100), at(104), completing(107, 500'000'000)}) == 113);
  CHECK(leaves_at({completing(104), at(100)}) == 109);
  ScriptedMetering metering(scripted);
  metering.feed(completing(100));
  for (std::uint64_t second = 104; second < 130; second += 4)
    metering.feed(at(second));
  CHECK(metering.left() == 0);
  CHECK(leaves_at(metering) == 130);
  CHECK(metering.flows()[0]["pkt_fwd"] == "8");
  CHECK(reason(metering) == "end of Flow detected");
}

TEST_CASE("what follows a record that left is another record of the same flow, in its direction") {
  ScriptedMetering metering(scripted);
  metering.feed({completing(100), reverse(udp).at(110), at(111)});
  CHECK(metering.left() == 1);
  CHECK(metering.meter().open_flows() == 1);
  REQUIRE(metering.flush().size() == 2);
  CHECK(metering.flows()[1]["sp"] == std::to_string(client.port));
  CHECK(metering.flows()[1]["pkt_fwd"] == "1");
  CHECK(metering.flows()[1]["pkt_rev"] == "1");
  CHECK(metering.flows()[1]["pkt_first"] == "110000000000");
  CHECK(metering.counters().flows_opened == 2);
}

TEST_CASE("a flow whose record has left is gone when it is idle, and makes no record") {
  ScriptedMetering metering(scripted);
  metering.feed(completing(100));
  metering.meter().tick(105);
  CHECK(metering.left() == 1);
  CHECK(metering.meter().open_flows() == 0);
  metering.meter().tick(130);
  metering.feed(reverse(udp).at(130));
  REQUIRE(metering.flush().size() == 2);
  CHECK(metering.flows()[1]["sp"] == std::to_string(server.port));
  ScriptedMetering ended(scripted);
  ended.feed(completing(100)).meter().tick(105);
  CHECK(ended.flush().size() == 1);
}

TEST_CASE("a flow is of who opened it: a SYN's sender, else a SYN+ACK's receiver, else the first sender") {
  const auto ports_of = [](std::initializer_list<Packet> packets) {
    Metering<> metering({"basic", "tcp"});
    metering.feed(packets);
    const auto& flows = metering.flush();
    REQUIRE(flows.size() == 1);
    return flows[0]["sp"] + " " + flows[0]["pkt_fwd"] + " " + flows[0]["pkt_rev"] + " " + flows[0]["tcp_rst_rev"];
  };
  const std::string by_client = std::to_string(client.port), by_server = std::to_string(server.port);
  CHECK(ports_of({reverse(tcp).flags(TCP_SA), forward(tcp).flags(TCP_ACK)}) == by_client + " 1 1 false");
  CHECK(ports_of({reverse(tcp).flags(TCP_ACK), forward(tcp).flags(TCP_SYN)}) == by_client + " 1 1 false");
  CHECK(ports_of({reverse(tcp).flags(TCP_ACK), forward(tcp).flags(TCP_ACK)}) == by_server + " 1 1 false");
  CHECK(ports_of({reverse(tcp).flags(TCP_ACK), reverse(tcp).flags(TCP_SA)}) == by_client + " 0 2 false");
  // A first SYN decides for good: two that cross are one connection of the first one's sender.
  CHECK(ports_of({forward(tcp).flags(TCP_SYN), reverse(tcp).flags(TCP_SYN), reverse(tcp).flags(TCP_SA)}) ==
        by_client + " 1 2 false");
  // An error about a packet tells no more than that it was sent.
  CHECK(ports_of({Packet::error(server, client, tcp, 3), forward(tcp).flags(TCP_SYN)}) == by_client + " 1 0 false");
  const Host self = ipv4(5, 9000);
  Metering<> alone({"basic"});
  alone.feed({Packet(self, self, tcp).flags(TCP_SYN), Packet(self, self, tcp).flags(TCP_SA)});
  CHECK(alone.flush()[0]["pkt_fwd"] == "2");
}

TEST_CASE("a connection is connected by SYN forward, SYN+ACK in reverse at any time, and then an ACK without RST") {
  const auto connected = [](std::initializer_list<Packet> packets) {
    Metering<> metering({"basic", "tcp"});
    metering.feed(packets);
    return metering.flush().at(0)["tcp_connected"];
  };
  const auto syn = [] { return forward(tcp).flags(TCP_SYN); };
  const auto syn_ack = [] { return reverse(tcp).flags(TCP_SA); };
  CHECK(connected({syn(), syn_ack(), forward(tcp).flags(TCP_ACK)}) == "true");
  CHECK(connected({syn(), syn_ack(), forward(tcp).flags(TCP_ACK | TCP_RST)}) == "false");
  CHECK(connected({syn(), syn_ack(), reverse(tcp).flags(TCP_ACK)}) == "false");
  CHECK(connected({syn(), forward(tcp).flags(TCP_ACK), syn_ack()}) == "false");
  CHECK(connected({syn_ack(), syn(), forward(tcp).flags(TCP_ACK)}) == "true");
  CHECK(connected({syn(), reverse(tcp).flags(TCP_SYN), forward(tcp).flags(TCP_SA), syn_ack(),
                   forward(tcp).flags(TCP_ACK | TCP_PSH)}) == "true");
}

TEST_CASE("what a flow turns round by turns with it, field by field") {
  Metering<> metering({"basic", "tcp", "ecn", "dscp"});
  metering.feed({reverse(tcp).flags(TCP_FIN | TCP_ACK).ip_length(99).traffic_class(0x03),
                 forward(tcp).flags(TCP_SYN).ip_length(40).traffic_class(0)});
  const auto& flow = metering.flush().at(0);
  CHECK(flow["oct_fwd"] == "40");
  CHECK(flow["oct_rev"] == "99");
  CHECK(flow["tcp_fin_fwd"] == "false");
  CHECK(flow["tcp_fin_rev"] == "true");
  CHECK(flow["ecn_ce_data_rev"] == "true");
  CHECK(flow["ecn_ce_data_fwd"] == "false");
  CHECK(flow["dscp_mark_syn_fwd"] == "0");
  CHECK(flow["tcp_synflags_fwd"] == "2");
}

TEST_CASE("a SYN without ACK opens the next connection at once where the one before is complete") {
  Metering<> metering({"basic", "tcp"});
  metering.feed({forward(tcp).at(100).flags(TCP_RST), forward(tcp).at(101).flags(TCP_ACK),
                 reverse(tcp).at(102).flags(TCP_SYN), reverse(tcp).at(102).flags(TCP_SYN)});
  REQUIRE(metering.flush().size() == 2);
  CHECK(metering.flows()[0]["tcp_synflags_fwd"] == "null");
  CHECK(metering.flows()[0]["pkt_fwd"] == "2");
  CHECK(metering.flows()[0]["flow_end_reason"] == "end of Flow detected");
  CHECK(metering.flows()[1]["sp"] == std::to_string(server.port));
  CHECK(metering.flows()[1]["pkt_fwd"] == "2");
  CHECK(metering.flows()[1]["tcp_synflags_fwd"] == "2");
  CHECK(metering.flows()[1]["tcp_rst_fwd"] == "false");
  Metering<> after({"basic", "tcp"}); // also where its record has left
  after.feed({forward(tcp).at(100).flags(TCP_RST), reverse(tcp).at(107).flags(TCP_SYN)});
  REQUIRE(after.flush().size() == 2);
  CHECK(after.flows()[1]["sp"] == std::to_string(server.port));
}

TEST_CASE("every second up to a packet's own has taken effect before the packet is handled") {
  ScriptedMetering metering(scripted);
  metering.feed({at(100), at(130)});
  CHECK(metering.left() == 1);
  CHECK(metering.meter().open_flows() == 1);
  CHECK(metering.flows()[0]["pkt_fwd"] == "1");
}

TEST_CASE("packets that are far older than the clock make flows that leave at its next second") {
  constexpr std::uint64_t year = 31'536'000;
  ScriptedMetering metering(scripted);
  metering.feed({at(100), forward(tcp).at(100 + year), at(101), at(102), reverse(udp).at(200)});
  CHECK(metering.meter().clock() == 100 + year);
  CHECK(metering.left() == 1);
  metering.meter().tick(101 + year);
  REQUIRE(metering.left() == 2);
  CHECK(metering.flows()[1]["pkt_fwd"] == "2");
  CHECK(metering.flows()[1]["pkt_first"] == "101000000000");
  CHECK(metering.flows()[1]["pkt_last"] == "200000000000");
  CHECK(metering.counters().packets_counted == 5);
}

TEST_CASE("where the packets' clock was set, flows go on by differences, and say the times that packets said") {
  ScriptedMetering metering(scripted);
  metering.feed(at(10'000));
  metering.meter().moved(9000 * ns_per_s); // back by 9000 s
  metering.feed({at(1005), forward(tcp).at(1010)});
  CHECK(metering.meter().clock() == 10'010);
  metering.meter().tick(10'034);
  CHECK(metering.left() == 0);
  metering.meter().tick(10'035);
  REQUIRE(metering.left() == 1);
  CHECK(metering.flows()[0]["pkt_first"] == "1005000000000");
  CHECK(metering.flows()[0]["pkt_last"] == "10000000000000");
  metering.meter().moved(0 - 50'000 * ns_per_s); // and on by 59,000
  metering.feed(forward(tcp).at(60'036));
  CHECK(metering.meter().clock() == 10'036);
  CHECK(metering.flush().size() == 2);
}

TEST_CASE("the clock never steps back, and follows no second that is no time of day") {
  ScriptedMetering metering(scripted);
  metering.meter().tick(500);
  metering.meter().tick(400);
  CHECK(metering.meter().clock() == 500);
  metering.feed(at(100));
  CHECK(metering.meter().clock() == 500);
  metering.meter().tick(~std::uint64_t{0});
  CHECK(metering.meter().clock() == 500);
  metering.feed(at(600).at_ns(~std::uint64_t{0}));
  CHECK(metering.flush().size() == 1);
}

TEST_CASE("a complete timeout of 0 lets a flow leave with the packet that completes it") {
  FlowMeterOptions options;
  options.complete_timeout_s = 0;
  ScriptedMetering metering(scripted, options);
  metering.feed(at(100)).feed(completing(101));
  CHECK(metering.left() == 1);
  CHECK(metering.flows()[0]["pkt_fwd"] == "2");
  metering.feed(at(101));
  CHECK(leaves_at({at(100)}, options) == 130);
  CHECK(metering.flush().size() == 2);
}

TEST_CASE("an active timeout cuts a flow that goes on, at once, and its next packet begins another record") {
  FlowMeterOptions options;
  options.active_timeout_s = 20;
  ScriptedMetering metering(scripted, options);
  for (std::uint64_t second = 100; second <= 130; second += 5)
    metering.feed(at(second));
  REQUIRE(metering.left() == 1);
  CHECK(reason(metering) == "active timeout");
  CHECK(metering.flows()[0]["pkt_fwd"] == "4");
  CHECK(metering.flush()[1]["pkt_first"] == "120000000000");
  CHECK(leaves_at({completing(100), at(103)}, options) == 108);
  // It goes on in its place: whoever sends next, its direction stays.
  ScriptedMetering turned(scripted, options);
  turned.feed({at(100), reverse(udp).at(110), reverse(udp).at(121)});
  CHECK(turned.flush()[1]["sp"] == std::to_string(client.port));
  CHECK(turned.flows()[1]["pkt_rev"] == "1");
}

TEST_CASE("a vetoed flow's packets are ignored and counted until it was idle, and it never leaves as a flow") {
  ScriptedMetering metering(scripted);
  metering.feed(at(100).ip_length(ScriptedChain::veto_length)).feed({at(101), completing(102), reverse(udp).at(103)});
  CHECK(metering.counters().packets_ignored == 4);
  CHECK(metering.counters().packets_counted == 0);
  CHECK(metering.counters().flows_vetoed == 1);
  CHECK(metering.counters().flows_opened == 0);
  CHECK(metering.meter().open_flows() == 0);
  metering.feed(at(132));
  CHECK(metering.counters().packets_ignored == 5);
  metering.feed(at(162)); // 30 s after the last: another flow, which nobody vetoes
  CHECK(metering.counters().flows_opened == 1);
  CHECK(metering.flush().size() == 1);
}

TEST_CASE("an ICMP error belongs to the flow it quotes and counts as its packet, in its reverse direction") {
  Metering<> metering({"basic", "icmp"});
  metering.feed({at(100), Packet::error(client, server, udp, 3).at(101)});
  CHECK(metering.counters().icmp_errors == 1);
  CHECK(metering.counters().packets_counted == 2);
  const auto& flow = metering.flush().at(0);
  CHECK(flow["icmp_unreachable"] == "true");
  CHECK(flow["pkt_last"] == "101000000000");
}

TEST_CASE("an ICMP error for an unseen flow opens it forward as quoted, and its packets find it so") {
  for (const bool turned : {false, true}) {
    const Host& quoted = turned ? server : client;
    const Host& other = turned ? client : server;
    Metering<> metering({"basic"});
    metering.feed({Packet::error(quoted, other, udp, 11), Packet(quoted, other, udp), Packet(other, quoted, udp)});
    const auto& flow = metering.flush().at(0);
    CHECK(metering.left() == 1);
    CHECK(flow["sp"] == std::to_string(quoted.port));
    CHECK(flow["pkt_fwd"] == "1");
    CHECK(flow["pkt_rev"] == "1");
  }
}

TEST_CASE("a host that talks to itself on one port is always forward, also after an ICMP error about it") {
  const Host self = ipv4(5, 9000);
  Metering<> metering({"basic", "icmp"});
  metering.feed({Packet(self, self, udp), Packet(self, self, udp), Packet::error(self, self, udp, 3)});
  CHECK(metering.flush().at(0)["pkt_fwd"] == "2");
  CHECK(metering.flows()[0]["icmp_unreachable"] == "true");
  Metering<> opened({"basic", "icmp"});
  opened.feed({Packet::error(self, self, udp, 3), Packet(self, self, udp)});
  CHECK(opened.flush().at(0)["pkt_fwd"] == "1");
  CHECK(opened.flows()[0]["pkt_rev"] == "0");
  CHECK(opened.flows()[0]["icmp_unreachable"] == "true");
}

TEST_CASE("each flow says how many packets its ring lost while it was open") {
  ScriptedMetering metering(scripted);
  metering.meter().lost(100, 99 * ns_per_s);
  metering.feed(at(100));
  metering.meter().lost(7, 99 * ns_per_s);
  metering.feed(forward(tcp).at(100));
  metering.meter().lost(2, 99 * ns_per_s);
  metering.flush();
  CHECK(metering.flows()[0]["ring_drops"] == "9");
  CHECK(metering.flows()[1]["ring_drops"] == "2");
  CHECK(metering.counters().packets_lost == 109);
}

TEST_CASE("a slot that had very many flows keeps none of their timers") {
  FlowMeterOptions options;
  options.complete_timeout_s = 0;
  options.active_timeout_s = 10;
  ScriptedMetering metering(scripted, options);
  for (std::uint32_t i = 0; i <= 1 << 16; ++i)
    metering.feed(completing(100)); // in one slot: each leaves at once
  metering.feed(at(109));
  metering.meter().tick(118);
  CHECK(metering.left() == (1 << 16) + 1);
  metering.meter().tick(119);
  CHECK(metering.left() == (1 << 16) + 2);
}

TEST_CASE("a flow that opens with a packet from before the last loss carries that loss") {
  ScriptedMetering metering(scripted);
  metering.meter().lost(5, 98 * ns_per_s);
  metering.meter().lost(3, 100 * ns_per_s); // told while older packets still waited to be read
  metering.feed(at(100));
  metering.feed(forward(tcp).at(101));
  metering.flush();
  CHECK(metering.flows()[0]["ring_drops"] == "3");
  CHECK(metering.flows()[1]["ring_drops"] == "0");
}

TEST_CASE("a flow says the earliest and the latest time of its packets, in whatever order they come") {
  ScriptedMetering metering(scripted);
  metering.feed({at(100), at(102), at(101), at(99).set(PacketBits::fragment), at(98)});
  metering.meter().flush();
  CHECK(metering.flows()[0]["pkt_first"] == "98000000000");
  CHECK(metering.flows()[0]["pkt_last"] == "102000000000");
}

TEST_CASE("at the end all flows leave: active ones as forced, completed ones for their reason") {
  ScriptedMetering metering(scripted);
  metering.feed({at(100), forward(tcp).at(128).ip_length(ScriptedChain::complete_length), forward(sctp).at(130)});
  std::map<std::string, std::string> reasons;
  for (const SeenFlow& flow : metering.flush())
    reasons[flow["proto"]] = flow["flow_end_reason"];
  CHECK(reasons["6"] == "end of Flow detected");
  CHECK(reasons["17"] == "idle timeout");
  CHECK(reasons["132"] == "forced end");
  CHECK(metering.meter().open_flows() == 0);
  CHECK(metering.counters().flows_opened == 3);
}

TEST_CASE("the longest idle flow makes room, a completed one for its own reason, within one second too") {
  FlowMeterOptions options;
  options.max_flows = 3;
  ScriptedMetering metering(scripted, options);
  const auto flow = [](std::uint16_t port, std::uint64_t ns) { return Packet(ipv4(9, port), server, udp).at(100, ns); };
  metering.feed({flow(1, 10), flow(2, 20), flow(3, 30), flow(1, 40)});
  metering.feed(flow(3, 50).ip_length(ScriptedChain::complete_length));
  metering.feed({flow(4, 60), flow(5, 70), flow(6, 80)});
  REQUIRE(metering.left() == 3);
  CHECK(metering.flows()[0]["sp"] == "2");
  CHECK(metering.flows()[0]["flow_end_reason"] == "lack of resources");
  CHECK(metering.flows()[1]["sp"] == "1");
  CHECK(metering.flows()[2]["sp"] == "3");
  CHECK(metering.flows()[2]["flow_end_reason"] == "end of Flow detected");
}

TEST_CASE("a flow whose record has left makes room first, then the one that was idle for the longest") {
  FlowMeterOptions options;
  options.max_flows = 3;
  ScriptedMetering metering(scripted, options);
  const auto flow = [](std::uint16_t port, std::uint64_t s, std::uint64_t ns = 0) {
    return Packet(ipv4(9, port), server, udp).at(s, ns);
  };
  metering.feed({flow(1, 100), flow(2, 102), flow(3, 104).ip_length(ScriptedChain::complete_length)});
  metering.feed({flow(4, 104), flow(5, 104, 5)});
  REQUIRE(metering.left() == 2);
  CHECK(metering.flows()[1]["sp"] == "2");
  metering.meter().tick(109); // the record of 3 leaves
  REQUIRE(metering.left() == 3);
  metering.feed({flow(6, 110), flow(7, 110)});
  REQUIRE(metering.left() == 4);
  CHECK(metering.flows()[3]["sp"] == "4");
}

TEST_CASE("a flow that waits for its active timeout makes room like any other") {
  FlowMeterOptions options;
  options.max_flows = 2;
  options.active_timeout_s = 100;
  ScriptedMetering metering(scripted, options);
  const auto flow = [](std::uint16_t port, std::uint64_t s) { return Packet(ipv4(9, port), server, udp).at(s); };
  metering.feed({flow(1, 0), flow(1, 29), flow(1, 58), flow(1, 80), flow(2, 85), flow(3, 95)});
  REQUIRE(metering.left() == 1);
  CHECK(metering.flows()[0]["sp"] == "1");
}
