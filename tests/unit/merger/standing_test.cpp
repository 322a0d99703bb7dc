// SPDX-License-Identifier: GPL-3.0-or-later
// What may rest on a connection: packets that left, as they should be, and a failure that is not our own.
#include "common/tcp.hpp"
#include "tests/unit/merger/conditions_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr auto failed = ConnectionState::failed, timeout = ConnectionState::timeout;

PluginRun by(const std::string& kind, std::vector<std::string> code_points = {}) {
  PluginRun run;
  run.connect = kind;
  run.options = {{"codepoint", std::move(code_points)}};
  return run;
}

/// A connection of a request by HTTP that timed out: opened, the request acknowledged, nothing came back.
MadeFlow mute() {
  return MadeFlow({{"pkt_fwd", 4},
                   {"tcp_synflags_fwd", TCP_SYN},
                   {"tcp_synflags_rev", TCP_SA},
                   {"tcp_connected", 1},
                   {"delivery_mss", 1460},
                   {"delivery_largest_fwd", 300},
                   {"delivery_acked_fwd", 300},
                   {"delivery_acked_segment_fwd", 300}})
      .with(timeout);
}

} // namespace

TEST_CASE("packets that are not as the plugin's configuration makes them take the place of what would rest on them") {
  const auto syn = [](int flags) { return MadeFlow({{"tcp_synflags_fwd", flags}}); };
  const Words untreated{"pathspider.untreated"};
  CHECK(combine("ecn", {syn(TCP_SYN), syn(TCP_SEC)}) == Words{"ecn.connectivity.works"});
  CHECK(combine("ecn", {syn(TCP_SYN), syn(TCP_SYN)}) == untreated);
  CHECK(combine("ecn", {syn(TCP_SEC), syn(TCP_SEC)}) == untreated);
  CHECK(combine("ecn", {syn(TCP_SYN), syn(TCP_SYN | TCP_ECE)}) == untreated);
  const auto without = MadeFlow({{"tfo_synkind", 0}}), asks = MadeFlow({{"tfo_synkind", 34}});
  CHECK(combine("tfo", {without, without, without}) == untreated);
  CHECK(combine("tfo", {asks, asks, asks}) == Words{"pathspider.untreated", "tfo.cookie.not_received"});
  CHECK(combine("tfo", {without, without, asks}) == Words{"tfo.connectivity.works", "pathspider.untreated"});
  CHECK(combine("mss", {MadeFlow({{"mss_value_fwd", 0}, {"tcp_connected", 1}})}) == untreated);
  const auto evil = [](int bit) { return MadeFlow({{"evilbit_syn_fwd", bit}, {"tcp_synflags_rev", TCP_SA}}); };
  CHECK(combine("evilbit", {evil(0), evil(0)}, by("tcpsyn")) == untreated);
  const auto zero = [](int is) { return MadeFlow({{"udp_zero_checksum_fwd", is}, {"dns_response_valid", 1}}).udp(); };
  CHECK(combine("udpzero", {zero(0), zero(1)}, by("dnsudp")) == Words{"udpzero.connectivity.works"});
  CHECK(combine("udpzero", {zero(0), zero(0)}, by("dnsudp")) == untreated);
  CHECK(combine("udpzero", {zero(1), zero(1)}, by("dnsudp")) == untreated);
}

TEST_CASE("of several options only those are unsaid whose packets were others") {
  const auto sent = [](int ts, int ws, int sack) {
    return MadeFlow({{"tcp_connected", 1},
                     {"tcpopt_ts_offered", ts},
                     {"tcpopt_ws_offered", ws},
                     {"tcpopt_sack_offered", sack},
                     {"tcpopt_ts", 1}});
  };
  CHECK(combine("tcpopt", {sent(0, 0, 0), sent(1, 0, 0), sent(0, 0, 0), sent(1, 0, 1)}) ==
        Words{"tsopt.connectivity.works", "pathspider.untreated", "tsopt.negotiation.succeeded",
              "tsopt.unsolicited.seen", "wsopt.unsolicited.not_seen", "sack.unsolicited.not_seen"});
}

TEST_CASE("each code point is the one that was asked for, on the SYN and on the data") {
  const auto marked = [](int syn, int data) {
    return MadeFlow({{"dscp_mark_syn_fwd", syn}, {"dscp_mark_data_fwd", data}});
  };
  const auto run = by("http", {"8", "48"});
  CHECK(combine("dscp", {marked(0, 0), marked(8, 8), marked(0, 0)}, run) ==
        Words{"dscp.8.connectivity.works", "pathspider.untreated"});
  CHECK(combine("dscp", {marked(0, 0), marked(8, 0), marked(48, 48)}, run) ==
        Words{"pathspider.untreated", "dscp.48.connectivity.works"});
  CHECK(combine("dscp", {marked(10, 10), marked(8, 8), marked(48, 48)}, run) == Words{"pathspider.untreated"});
  CHECK_THROWS_WITH(static_cast<void>(combine("dscp", {marked(0, 0), marked(8, 8)}, by("http"))),
                    doctest::Contains("--codepoint"));
}

TEST_CASE("where the packet was not seen, or some were lost, it is uncertain what it was") {
  const auto seen = MadeFlow({{"tcp_synflags_fwd", TCP_SYN}});
  CHECK(combine_as_is("ecn", {seen, MadeFlow()}) == Words{"pathspider.uncertain"});
  CHECK(combine_as_is("ecn", {seen, MadeFlow(seen).with_drops()}) == Words{"pathspider.uncertain"});
}

TEST_CASE("where packets were lost a connection that worked did, and one that failed is uncertain") {
  CHECK(combine("ecn", {MadeFlow(), MadeFlow().with_drops()})[0] == "ecn.connectivity.works");
  CHECK(combine("ecn", {MadeFlow(), MadeFlow().with(timeout).with_drops()}) == Words{"pathspider.uncertain"});
}

TEST_CASE("a flow without a packet of ours was not seen leaving") {
  const auto quoted = MadeFlow({{"pkt_fwd", 0}}).with(failed);
  CHECK(combine("ecn", {MadeFlow(), quoted}) == Words{"pathspider.not_observed"});
  CHECK(combine("udpzero", {MadeFlow().udp(), MadeFlow(quoted).udp()}) == Words{"pathspider.not_observed"});
}

TEST_CASE("an error that no packet of the path brings about leaves it open what the path would have done") {
  for (const char* const error : {"EPERM", "ENETDOWN", "EADDRNOTAVAIL", "ENOBUFS", "no carrier"})
    CHECK_MESSAGE(combine("ecn", {MadeFlow(), MadeFlow().with(failed).with_error(error)}) ==
                      Words{"pathspider.uncertain"},
                  error);
  for (const char* const error : {"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EACCES", ""})
    CHECK_MESSAGE(combine("ecn", {MadeFlow(), MadeFlow().with(failed).with_error(error)}) ==
                      Words{"ecn.connectivity.broken"},
                  error);
}

TEST_CASE("an answer that came and that our own side did not take says nothing of the path") {
  const Words uncertain{"pathspider.uncertain"};
  const auto accepted = MadeFlow({{"tcp_synflags_rev", TCP_SA}, {"tcp_connected", 0}}).with(timeout);
  CHECK(combine("ecn", {MadeFlow(), accepted}, by("tcp")) == uncertain);
  CHECK(combine("mss", {MadeFlow(accepted).with(ConnectionState::ok)}, by("tcp")) == uncertain);
  // The system answers to a SYN+ACK of a SYN that it knows nothing of by a reset.
  CHECK(combine("evilbit", {MadeFlow(accepted).with(ConnectionState::ok), MadeFlow()}, by("tcpsyn")) ==
        Words{"evilbit.connectivity.broken"});

  CHECK(combine("h2", {MadeFlow(), mute().with("delivery_contiguous_rev", 200)}, by("http")) == uncertain);
  CHECK(combine("h2", {MadeFlow(), mute().with("delivery_largest_fwd", 0)}, by("http")) == uncertain);
  CHECK(combine("h2", {MadeFlow(), mute().with("delivery_largest_fwd", 0).with("tcp_rst_rev", 1)}, by("http")) ==
        Words{"h2.connectivity.broken"});

  const auto answered = MadeFlow({{"dscp_mark_data_fwd", 48}, {"dns_response_valid", 1}}).udp();
  CHECK(combine("dscp", {MadeFlow({{"dscp_mark_data_fwd", 0}}).udp(), MadeFlow(answered).with(timeout)},
                by("dnsudp", {"48"})) == uncertain);
}

TEST_CASE("a connection on which nothing full-sized gets through, and small segments do, hints at the MTU") {
  const Words hinted{"h2.connectivity.broken", "pathspider.pmtu_suspect"}, broken{"h2.connectivity.broken"};
  const auto said = [](const MadeFlow& flow, const std::string& kind = "http") {
    return combine("h2", {MadeFlow(), flow}, by(kind));
  };
  CHECK(said(mute()) == hinted);
  CHECK(said(mute(), "https") == hinted);
  CHECK(said(mute().with("delivery_largest_rev", 80)) == hinted); // the end of an answer whose beginning is missing
  CHECK(said(mute().with("delivery_acked_fwd", 0).with("delivery_acked_segment_fwd", 0)) == broken);
  CHECK(said(mute()
                 .with("delivery_largest_fwd", 1448)
                 .with("delivery_acked_fwd", 0)
                 .with("delivery_acked_segment_fwd", 0)) == hinted);
  CHECK(said(mute().with("delivery_largest_rev", 1448)) == broken);
  CHECK(said(mute().with("delivery_acked_segment_fwd", 1448)) == broken);
  CHECK(said(mute().with("delivery_mss", 300).with("delivery_largest_rev", 288)) == broken);
  CHECK(said(mute().with("tcp_rst_rev", 1)) == broken);
  CHECK(said(mute().with(failed)) == broken);
  CHECK(said(mute(), "tcp") == broken);
  CHECK(said(mute().with_drops()) == Words{"pathspider.uncertain"});
  CHECK(combine("h2", {mute(), mute()}, by("http")) == Words{"h2.connectivity.offline", "pathspider.pmtu_suspect"});
}
