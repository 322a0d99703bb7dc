// SPDX-License-Identifier: GPL-3.0-or-later
// The tcp chain.
#include "tests/unit/observer/chain_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

Packet fwd(int flags) {
  return forward(tcp).flags(static_cast<std::uint8_t>(flags));
}
Packet rev(int flags) {
  return reverse(tcp).flags(static_cast<std::uint8_t>(flags));
}
std::string connected(std::initializer_list<Packet> packets) {
  return flow_of({"tcp"}, packets)["tcp_connected"];
}

} // namespace

TEST_CASE("tcp: without a SYN, FIN or RST the flags are null and the rest false") {
  const auto flow = flow_of({"tcp"}, {fwd(TCP_ACK), rev(TCP_ACK)});
  CHECK(flow["tcp_synflags_fwd"] == "null");
  CHECK(flow["tcp_synflags_rev"] == "null");
  for (const auto* name : {"tcp_fin_fwd", "tcp_fin_rev", "tcp_rst_fwd", "tcp_rst_rev", "tcp_connected"})
    CHECK_MESSAGE(flow[name] == "false", name);
}

TEST_CASE("tcp: all eight flag bits of the SYN are kept") {
  const auto flow = flow_of({"tcp"}, {fwd(0xff & ~(TCP_RST | TCP_ACK)), rev(TCP_SAEC)});
  CHECK(flow["tcp_synflags_fwd"] == "235");
  CHECK(flow["tcp_synflags_rev"] == std::to_string(TCP_SAEC));
}

TEST_CASE("tcp: a later SYN does not overwrite the first one's flags") {
  const auto flow = flow_of({"tcp"}, {fwd(TCP_SEC), fwd(TCP_SYN), rev(TCP_SAE), rev(TCP_SA)});
  CHECK(flow["tcp_synflags_fwd"] == std::to_string(TCP_SEC));
  CHECK(flow["tcp_synflags_rev"] == std::to_string(TCP_SAE));
}

TEST_CASE("tcp: FIN and RST are noted in the direction in which they went") {
  CHECK(flow_of({"tcp"}, {fwd(TCP_FIN)})["tcp_fin_fwd"] == "true");
  CHECK(flow_of({"tcp"}, {fwd(TCP_FIN)})["tcp_fin_rev"] == "false");
  CHECK(flow_of({"tcp"}, {fwd(TCP_ACK), rev(TCP_FIN)})["tcp_fin_fwd"] == "false");
  CHECK(flow_of({"tcp"}, {fwd(TCP_ACK), rev(TCP_FIN)})["tcp_fin_rev"] == "true");
  CHECK(flow_of({"tcp"}, {fwd(TCP_RST)})["tcp_rst_fwd"] == "true");
  CHECK(flow_of({"tcp"}, {fwd(TCP_RST)})["tcp_rst_rev"] == "false");
  CHECK(flow_of({"tcp"}, {fwd(TCP_ACK), rev(TCP_RST)})["tcp_rst_fwd"] == "false");
  CHECK(flow_of({"tcp"}, {fwd(TCP_ACK), rev(TCP_RST)})["tcp_rst_rev"] == "true");
}

TEST_CASE("tcp: SYN, SYN+ACK, then an ACK forward is connected") {
  CHECK(connected({fwd(TCP_SYN), rev(TCP_SA), fwd(TCP_ACK)}) == "true");
  CHECK(connected({fwd(TCP_SEC), rev(TCP_SAE), fwd(TCP_ACK | TCP_PSH)}) == "true");
}

TEST_CASE("tcp: no part of the handshake may be missing, turned or out of order") {
  CHECK(connected({fwd(TCP_SYN), rev(TCP_SA)}) == "false");
  CHECK(connected({fwd(TCP_SYN), rev(TCP_SA), rev(TCP_ACK)}) == "false");
  CHECK(connected({fwd(TCP_SYN), rev(TCP_SA), fwd(0)}) == "false");
  CHECK(connected({fwd(TCP_SYN), fwd(TCP_ACK), rev(TCP_SA)}) == "false");
  CHECK(connected({fwd(TCP_SYN), rev(TCP_SYN), fwd(TCP_ACK)}) == "false");
  CHECK(connected({fwd(TCP_SYN), rev(TCP_ACK), fwd(TCP_ACK)}) == "false");
  CHECK(connected({fwd(TCP_ACK), rev(TCP_SA), fwd(TCP_ACK)}) == "false");
}

TEST_CASE("tcp: FIN in both directions or RST in either completes a flow, FIN in one does not") {
  CHECK_FALSE(completes("tcp", {fwd(TCP_SYN), fwd(TCP_FIN), fwd(TCP_FIN)}));
  CHECK(completes("tcp", {fwd(TCP_SYN), fwd(TCP_FIN), rev(TCP_FIN)}));
  CHECK(completes("tcp", {fwd(TCP_SYN), rev(TCP_FIN), fwd(TCP_FIN)}));
  CHECK(completes("tcp", {fwd(TCP_RST)}));
  CHECK(completes("tcp", {fwd(TCP_SYN), rev(TCP_RST | TCP_ACK)}));
}

TEST_CASE("tcp: what is not a TCP segment, or has no captured header, says nothing") {
  CHECK(flow_of({"tcp"}, {forward(udp).flags(TCP_SYN)})["tcp_synflags_fwd"] == "null");
  CHECK(flow_of({"tcp"}, {fwd(TCP_SYN).without_transport()})["tcp_synflags_fwd"] == "null");
  CHECK(flow_of({"tcp"}, {fwd(TCP_ACK), Packet::error(client, server, tcp, 11).flags(TCP_RST)})["tcp_rst_rev"] ==
        "false");
}
