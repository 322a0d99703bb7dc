// SPDX-License-Identifier: GPL-3.0-or-later
// The chains that read TCP options: mss, tcpopt, tfo.
#include "tests/unit/observer/chain_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

Packet syn(Octets options) {
  return forward(tcp).flags(TCP_SYN).options(std::move(options));
}
Packet syn_ack(Octets options) {
  return reverse(tcp).flags(TCP_SA).options(std::move(options));
}

} // namespace

TEST_CASE("mss: length and value of the option on SYN and SYN+ACK") {
  const auto flow = flow_of({"mss"}, {syn({TO_NOP, TO_MSS, 4, 0x05, 0xb4}), syn_ack({TO_MSS, 4, 0xff, 0xff})});
  CHECK(flow["mss_len_fwd"] == "4");
  CHECK(flow["mss_value_fwd"] == "1460");
  CHECK(flow["mss_len_rev"] == "4");
  CHECK(flow["mss_value_rev"] == "65535");
}

TEST_CASE("mss: null without the option, and on segments without SYN") {
  const auto flow = flow_of({"mss"}, {syn({}), forward(tcp).flags(TCP_ACK).options({TO_MSS, 4, 1, 2})});
  for (const auto* name : {"mss_len_fwd", "mss_len_rev", "mss_value_fwd", "mss_value_rev"})
    CHECK_MESSAGE(flow[name] == "null", name);
}

TEST_CASE("mss: an option of any length is recorded with it") {
  const auto mss = [](Octets options) { return flow_of({"mss"}, {syn(std::move(options))}); };
  CHECK(mss({TO_MSS, 2})["mss_len_fwd"] == "2");
  CHECK(mss({TO_MSS, 2})["mss_value_fwd"] == "0");
  CHECK(mss({TO_MSS, 3, 7})["mss_len_fwd"] == "3");
  CHECK(mss({TO_MSS, 3, 7})["mss_value_fwd"] == "7");
  CHECK(mss({TO_MSS, 6, 0xff, 0xff, 0xff, 0xff})["mss_value_fwd"] == "4294967295");
  CHECK(mss({TO_MSS, 7, 1, 0, 0, 0, 0})["mss_len_fwd"] == "7");
  CHECK(mss({TO_MSS, 7, 1, 0, 0, 0, 0})["mss_value_fwd"] == "null");
  CHECK(mss({TO_MSS, 7, 0, 1, 0, 0, 0})["mss_value_fwd"] == "16777216");
}

TEST_CASE("mss: of repeated options the last one counts") {
  const auto flow = flow_of({"mss"}, {syn({TO_MSS, 4, 0, 1, TO_MSS, 3, 2})});
  CHECK(flow["mss_len_fwd"] == "3");
  CHECK(flow["mss_value_fwd"] == "2");
}

TEST_CASE("mss: the list ends at EOL, at a length below 2, at one past the header, and at a kind without length") {
  const auto seen = [](Octets options) { return flow_of({"mss"}, {syn(std::move(options))})["mss_len_fwd"]; };
  CHECK(seen({TO_EOL, TO_MSS, 4, 1, 2}) == "null");
  CHECK(seen({99, 0, TO_MSS, 4, 1, 2}) == "null");
  CHECK(seen({99, 1, TO_MSS, 4, 1, 2}) == "null");
  CHECK(seen({TO_MSS, 5, 1, 2}) == "null");
  CHECK(seen({TO_MSS}) == "null");
  CHECK(seen({TO_MSS, 4, 1, 2, TO_WS}) == "4");
  CHECK(seen({TO_WS, 3, 7, TO_NOP, TO_NOP, TO_MSS, 4, 1, 2}) == "4");
}

TEST_CASE("tcpopt: what the forward SYN carries is in fields of its own") {
  const auto flow = flow_of({"tcpopt"}, {syn({TO_SACKOK, 2, TO_WS, 3, 7}), syn_ack({TO_WS, 3, 7})});
  CHECK(flow["tcpopt_sack_offered"] == "true");
  CHECK(flow["tcpopt_ws_offered"] == "true");
  CHECK(flow["tcpopt_ts_offered"] == "null");
  CHECK(flow["tcpopt_sack"] == "null");
  CHECK(flow["tcpopt_ws"] == "true");
}

TEST_CASE("tcpopt: true where the reverse SYN carries the option, else null") {
  const auto one = [](Octets options) { return flow_of({"tcpopt"}, {syn({}), syn_ack(std::move(options))}); };
  const auto all = one({TO_SACKOK, 2, TO_TS, 10, 0, 0, 0, 0, 0, 0, 0, 0, TO_NOP, TO_WS, 3, 7});
  for (const auto* name : {"tcpopt_ts", "tcpopt_ws", "tcpopt_sack"})
    CHECK_MESSAGE(all[name] == "true", name);
  const auto sack = one({TO_SACKOK, 2});
  CHECK(sack["tcpopt_ts"] == "null");
  CHECK(sack["tcpopt_ws"] == "null");
  CHECK(sack["tcpopt_sack"] == "true");
  CHECK(one({TO_WS, 3, 0})["tcpopt_ws"] == "true");
  CHECK(one({TO_WS, 3, 0})["tcpopt_sack"] == "null");
  CHECK(one({TO_TS, 10, 0, 0, 0, 0, 0, 0, 0, 0})["tcpopt_ts"] == "true");
}

TEST_CASE("tcpopt: SACK blocks, the forward SYN and segments without SYN do not count") {
  const Octets all{TO_SACKOK, 2, TO_TS, 10, 0, 0, 0, 0, 0, 0, 0, 0, TO_NOP, TO_WS, 3, 7};
  const auto flow = flow_of({"tcpopt"}, {syn(all), syn_ack({TO_SACK, 2}), reverse(tcp).flags(TCP_ACK).options(all)});
  for (const auto* name : {"tcpopt_ts", "tcpopt_ws", "tcpopt_sack"})
    CHECK_MESSAGE(flow[name] == "null", name);
}

TEST_CASE("tfo: all zero without the option") {
  const auto flow = flow_of({"tfo"}, {syn({TO_MSS, 4, 1, 2}).sequence(5).payload(6), syn_ack({}).acknowledgement(7)});
  for (const auto* name :
       {"tfo_synkind", "tfo_ackkind", "tfo_synclen", "tfo_ackclen", "tfo_seq", "tfo_dlen", "tfo_ack"})
    CHECK_MESSAGE(flow[name] == "0", name);
}

TEST_CASE("tfo: kind 34 with a cookie, sequence number, data and what was acknowledged") {
  const auto flow = flow_of({"tfo"}, {syn({TO_FASTOPEN, 10, 1, 2, 3, 4, 5, 6, 7, 8}).sequence(0xfffffff0).payload(500),
                                      syn_ack({TO_FASTOPEN, 6, 1, 2, 3, 4}).acknowledgement(0x1e5)});
  CHECK(flow["tfo_synkind"] == "34");
  CHECK(flow["tfo_synclen"] == "8");
  CHECK(flow["tfo_seq"] == "4294967280");
  CHECK(flow["tfo_dlen"] == "500");
  CHECK(flow["tfo_ackkind"] == "34");
  CHECK(flow["tfo_ackclen"] == "4");
  CHECK(flow["tfo_ack"] == "485");
}

TEST_CASE("tfo: a cookie request has length 0, and a SYN+ACK without the option is acknowledged all the same") {
  const auto flow = flow_of({"tfo"}, {syn({TO_FASTOPEN, 2}).sequence(9), syn_ack({}).acknowledgement(10)});
  CHECK(flow["tfo_synkind"] == "34");
  CHECK(flow["tfo_synclen"] == "0");
  CHECK(flow["tfo_seq"] == "9");
  CHECK(flow["tfo_ackkind"] == "0");
  CHECK(flow["tfo_ack"] == "10");
}

TEST_CASE("tfo: kinds 254 and 255 count with the experiment identifier F9 89, which is no part of the cookie") {
  for (const std::uint8_t kind : {TO_EXPA, TO_EXPB}) {
    const auto flow = flow_of({"tfo"}, {syn({kind, 8, 0xf9, 0x89, 1, 2, 3, 4}), syn_ack({kind, 4, 0xf9, 0x89})});
    CHECK(flow["tfo_synkind"] == std::to_string(kind));
    CHECK(flow["tfo_synclen"] == "4");
    CHECK(flow["tfo_ackkind"] == std::to_string(kind));
    CHECK(flow["tfo_ackclen"] == "0");
    CHECK(flow_of({"tfo"}, {syn({kind, 8, 0xf9, 0x88, 1, 2, 3, 4})})["tfo_synkind"] == "0");
    CHECK(flow_of({"tfo"}, {syn({kind, 3, 0xf9})})["tfo_synkind"] == "0");
    CHECK(flow_of({"tfo"}, {syn({kind, 2})})["tfo_synkind"] == "0");
  }
}

TEST_CASE("tfo: SYN+ACK kinds and numbers are recorded only when the SYN had the option") {
  const auto flow = flow_of({"tfo"}, {syn({}), syn_ack({TO_FASTOPEN, 6, 1, 2, 3, 4}).acknowledgement(77)});
  CHECK(flow["tfo_ackkind"] == "0");
  CHECK(flow["tfo_ack"] == "0");
}

TEST_CASE("mss, tcpopt and tfo never complete a flow") {
  for (const auto* chain : {"mss", "tcpopt", "tfo"})
    CHECK_FALSE(completes(chain, {syn({TO_MSS, 4, 1, 2, TO_FASTOPEN, 2}), syn_ack({TO_MSS, 4, 1, 2, TO_WS, 3, 7})}));
}
