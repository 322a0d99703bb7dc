// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/error.hpp"
#include "common/tcp.hpp"
#include "tests/unit/merger/conditions_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr auto ok = ConnectionState::ok, failed = ConnectionState::failed, timeout = ConnectionState::timeout;

/// A connected flow with ECN whose SYN+ACK has these flags.
MadeFlow ecn_flow(std::uint8_t flags = TCP_SAE) {
  return MadeFlow({{"tcp_connected", 1},
                   {"tcp_synflags_rev", flags},
                   {"ecn_ect0_syn_rev", 0},
                   {"ecn_ect1_syn_rev", 0},
                   {"ecn_ce_syn_rev", 0},
                   {"ecn_ect0_data_rev", 0},
                   {"ecn_ect1_data_rev", 0},
                   {"ecn_ce_data_rev", 0}});
}

/// A marked flow; a mark below 0 was not seen.
MadeFlow dscp_flow(int syn_fwd, int data_fwd, int syn_rev, int data_rev) {
  MadeFlow flow;
  const auto set = [&flow](const char* field, int mark) {
    if (mark >= 0)
      flow.with(field, mark);
  };
  set("dscp_mark_syn_fwd", syn_fwd);
  set("dscp_mark_data_fwd", data_fwd);
  set("dscp_mark_syn_rev", syn_rev);
  set("dscp_mark_data_rev", data_rev);
  return flow;
}

PluginRun code_points(std::vector<std::string> values) {
  PluginRun run;
  run.options = {{"codepoint", std::move(values)}};
  return run;
}

MadeFlow option_flow(int ts, int ws, int sack) {
  return MadeFlow({{"tcp_connected", 1}, {"tcpopt_ts", ts}, {"tcpopt_ws", ws}, {"tcpopt_sack", sack}});
}

MadeFlow fast_flow(std::int64_t cookie_length, std::int64_t seq, std::int64_t dlen, std::int64_t ack) {
  return MadeFlow(
      {{"tfo_synkind", 34}, {"tfo_synclen", cookie_length}, {"tfo_seq", seq}, {"tfo_dlen", dlen}, {"tfo_ack", ack}});
}

Words tfo(const MadeFlow& third) {
  return combine("tfo", {MadeFlow(), MadeFlow(), third});
}

MadeFlow dns_flow(bool valid) {
  return MadeFlow({{"dns_response_valid", valid}}).udp();
}

} // namespace

TEST_CASE("connectivity: works, broken, transient, offline; online, offline") {
  const auto word = [](bool a, bool b) {
    Conditions conditions;
    combine_connectivity(a, b, "x", conditions);
    return conditions.list();
  };
  CHECK(word(true, true) == Words{"x.connectivity.works"});
  CHECK(word(true, false) == Words{"x.connectivity.broken"});
  CHECK(word(false, true) == Words{"x.connectivity.transient"});
  CHECK(word(false, false) == Words{"x.connectivity.offline"});
  Conditions one;
  combine_connectivity(true, "x", one);
  combine_connectivity(false, "x", one);
  CHECK(one.list() == Words{"x.connectivity.online", "x.connectivity.offline"});
}

TEST_CASE("an unseen condition in a flow with drops becomes one pathspider.uncertain") {
  Conditions conditions;
  const auto sound = MadeFlow();
  const auto lossy = MadeFlow().with_drops();
  conditions.add_unseen(sound, "a");
  conditions.add_unseen(lossy, "b");
  conditions.add_unseen(lossy, "c");
  CHECK(conditions.list() == Words{"a", "pathspider.uncertain"});
}

TEST_CASE("a plugin that has no conditions is a usage error which names those that have") {
  CHECK_THROWS_WITH_AS(static_cast<void>(find_combiner("nonsense")),
                       doctest::Contains("\"nonsense\"; there are: dnsresolv, dscp, ecn"), UsageError);
  for (const auto* entry : library_combiners)
    CHECK((find_combiner(entry->plugin).combine == entry->combine));
}

TEST_CASE("ecn: connectivity follows the spider's state") {
  const auto word = [](ConnectionState a, ConnectionState b) {
    return combine("ecn", {MadeFlow().with(a), MadeFlow().with(b)});
  };
  CHECK(word(ok, ok) == Words{"ecn.connectivity.works"});
  CHECK(word(ok, timeout) == Words{"ecn.connectivity.broken"});
  CHECK(word(failed, ok) == Words{"ecn.connectivity.transient"});
  CHECK(word(failed, failed) == Words{"ecn.connectivity.offline"});
}

TEST_CASE("ecn: negotiation by the flags of the SYN+ACK") {
  CHECK(has(combine("ecn", {MadeFlow(), ecn_flow(TCP_SAE)}), "ecn.negotiation.succeeded"));
  CHECK(has(combine("ecn", {MadeFlow(), ecn_flow(TCP_SAEC)}), "ecn.negotiation.reflected"));
  CHECK(has(combine("ecn", {MadeFlow(), ecn_flow(TCP_SA)}), "ecn.negotiation.failed"));
  CHECK(has(combine("ecn", {MadeFlow(), ecn_flow(TCP_SA | TCP_CWR)}), "ecn.negotiation.failed"));
  CHECK(has(combine("ecn", {MadeFlow(), ecn_flow(TCP_SAE | TCP_FIN)}), "ecn.negotiation.succeeded"));
}

TEST_CASE("ecn: marks in the reverse direction, on SYN or data, each by itself") {
  CHECK(combine("ecn", {MadeFlow(), ecn_flow()}) == Words{"ecn.connectivity.works", "ecn.negotiation.succeeded",
                                                          "ecn.ipmark.ect0.not_seen", "ecn.ipmark.ect1.not_seen",
                                                          "ecn.ipmark.ce.not_seen"});
  for (const std::string mark : {"ect0", "ect1", "ce"})
    for (const std::string part : {"syn", "data"}) {
      const auto words = combine("ecn", {MadeFlow(), ecn_flow().with("ecn_" + mark + "_" + part + "_rev", 1)});
      CHECK(has(words, "ecn.ipmark." + mark + ".seen"));
      CHECK(std::count_if(words.begin(), words.end(), [](const auto& w) { return w.ends_with(".not_seen"); }) == 2);
    }
  const auto forward = combine("ecn", {MadeFlow(), ecn_flow().with("ecn_ce_data_fwd", 1)});
  CHECK(has(forward, "ecn.ipmark.ce.not_seen"));
}

TEST_CASE("ecn: not observed if any flow was not, and the second one still speaks") {
  const auto words = combine("ecn", {MadeFlow().unobserved(), ecn_flow()});
  CHECK(words[0] == "pathspider.not_observed");
  CHECK(words[1] == "ecn.negotiation.succeeded");
  CHECK(combine("ecn", {MadeFlow(), ecn_flow().unobserved()}) == Words{"pathspider.not_observed"});
  CHECK(combine("ecn", {MadeFlow(), MadeFlow({{"tcp_connected", 0}})}) == Words{"ecn.connectivity.works"});
}

TEST_CASE("ecn: with drops, what was seen stays and what was not becomes uncertain") {
  auto lossy = ecn_flow(TCP_SA).with("ecn_ce_data_rev", 1).with_drops();
  CHECK(combine("ecn", {MadeFlow(), lossy}) ==
        Words{"ecn.connectivity.works", "pathspider.uncertain", "ecn.ipmark.ce.seen"});
}

TEST_CASE("dscp: connectivity and reply marks by code point") {
  CHECK(combine("dscp", {dscp_flow(0, 0, 0, 0), dscp_flow(48, 48, 8, 0), dscp_flow(10, 10, -1, -1).with(timeout)},
                code_points({"48", "10"})) == Words{"dscp.0.replymark:0", "dscp.48.connectivity.works",
                                                    "dscp.48.replymark:8", "dscp.10.connectivity.broken"});
  CHECK(combine("dscp", {dscp_flow(0, 0, -1, -1).with(failed), dscp_flow(48, -1, -1, -1)}, code_points({"48"})) ==
        Words{"dscp.48.connectivity.transient"});
}

TEST_CASE("dscp: the SYN's mark, also where it is 0, and else that of the data") {
  CHECK(combine("dscp", {dscp_flow(0, 0, 0, 6), dscp_flow(-1, 48, -1, 7)}, code_points({"48"})) ==
        Words{"dscp.0.replymark:0", "dscp.48.connectivity.works", "dscp.48.replymark:7"});
}

TEST_CASE("dscp: not observed stands alone; without any packet of ours nothing is certain") {
  CHECK(combine("dscp", {dscp_flow(0, 0, 0, 0), dscp_flow(48, 48, 0, 0).unobserved()}, code_points({"48"})) ==
        Words{"pathspider.not_observed"});
  CHECK(combine("dscp", {dscp_flow(0, 0, 0, 0), dscp_flow(-1, -1, 3, 3)}, code_points({"48"})) ==
        Words{"dscp.0.replymark:0", "pathspider.uncertain"});
}

TEST_CASE("tcpopt: each option against the flow without, negotiated and unsolicited") {
  CHECK(combine("tcpopt", {option_flow(0, 0, 1), option_flow(1, 0, 0), option_flow(1, 0, 1),
                           option_flow(0, 0, 1).with(failed)}) ==
        Words{"tsopt.connectivity.works", "wsopt.connectivity.works", "sack.connectivity.broken",
              "tsopt.negotiation.succeeded", "wsopt.negotiation.failed", "sack.negotiation.succeeded",
              "tsopt.unsolicited.not_seen", "wsopt.unsolicited.not_seen", "sack.unsolicited.seen"});
}

TEST_CASE("tcpopt: flows not observed or not connected say nothing of options") {
  CHECK(combine("tcpopt", {option_flow(0, 0, 0).unobserved(), option_flow(1, 1, 1).with("tcp_connected", 0),
                           option_flow(1, 1, 1).unobserved(), option_flow(1, 1, 1)}) ==
        Words{"pathspider.not_observed", "sack.negotiation.succeeded"});
}

TEST_CASE("tcpopt: a target that fails in all four configurations is offline in all, if anything was sent to it") {
  auto gone = MadeFlow().with(failed);
  CHECK(combine("tcpopt", {gone, gone, gone, gone}) ==
        Words{"tsopt.connectivity.offline", "wsopt.connectivity.offline", "sack.connectivity.offline"});
  gone.unobserved();
  CHECK(combine("tcpopt", {gone, gone, gone, gone}) == Words{"pathspider.not_observed"});
}

TEST_CASE("tcpopt: with drops an option not seen is uncertain") {
  CHECK(combine("tcpopt", {option_flow(1, 1, 1), option_flow(0, 0, 0).with_drops(), option_flow(0, 1, 0),
                           option_flow(0, 0, 1)})[3] == "pathspider.uncertain");
}

TEST_CASE("tfo: data on the SYN acknowledged, not acknowledged, or the SYN not answered") {
  CHECK(tfo(fast_flow(8, 1000, 5, 1006)) ==
        Words{"tfo.connectivity.works", "tfo.cookie.received", "tfo.syndata.acked"});
  CHECK(tfo(fast_flow(8, 1000, 5, 1001)).back() == "tfo.syndata.not_acked");
  CHECK(tfo(fast_flow(8, 1000, 0, 1001)).back() == "tfo.syndata.acked");
  CHECK(tfo(fast_flow(8, 1000, 5, 0)).back() == "tfo.syndata.failed");
  CHECK(tfo(fast_flow(8, 1000, 5, 1003)).back() == "tfo.cookie.received");
}

TEST_CASE("tfo: sequence numbers wrap") {
  CHECK(tfo(fast_flow(8, 0xFFFF'FFFE, 5, 4)).back() == "tfo.syndata.acked");
  CHECK(tfo(fast_flow(8, 0xFFFF'FFFF, 5, 0)).back() == "tfo.syndata.not_acked");
}

TEST_CASE("tfo: without a cookie on the SYN there was none to be had") {
  CHECK(tfo(fast_flow(0, 1000, 0, 1001)) == Words{"tfo.connectivity.works", "tfo.cookie.not_received"});
  CHECK(tfo(MadeFlow()).back() == "tfo.cookie.not_received");
  CHECK(combine("tfo", {MadeFlow(), MadeFlow().unobserved(), fast_flow(0, 1000, 0, 1001)}).back() ==
        "pathspider.not_observed");
  CHECK(tfo(MadeFlow().with_drops()).back() == "pathspider.uncertain");
  CHECK(tfo(fast_flow(8, 1000, 5, 0).with_drops()).back() == "pathspider.uncertain");
}

TEST_CASE("tfo: a cookie that came, and that our own system did not send, says nothing of the path") {
  const Words unsaid{"tfo.connectivity.works", "pathspider.uncertain"};
  const MadeFlow given({{"tfo_ackclen", 8}});
  CHECK(combine("tfo", {MadeFlow(), given, fast_flow(0, 1000, 0, 1001)}) == unsaid);
  CHECK(combine("tfo", {MadeFlow(), MadeFlow(), given}) == unsaid);
}

TEST_CASE("tfo: the first and the third connection count, and only what was seen is spoken of") {
  CHECK(combine("tfo", {MadeFlow(), MadeFlow().with(failed), MadeFlow().with(timeout)}) ==
        Words{"tfo.connectivity.broken"});
  CHECK(combine("tfo", {MadeFlow().with(failed), MadeFlow(), MadeFlow().unobserved()}) ==
        Words{"pathspider.not_observed"});
}

TEST_CASE("mss: values of both ends, and what became of it") {
  const auto with = [](std::int64_t local, std::int64_t remote) {
    return combine("mss", {MadeFlow({{"tcp_connected", 1}, {"mss_value_fwd", local}, {"mss_value_rev", remote}})});
  };
  CHECK(with(1460, 1460) == Words{"mss.connectivity.online", "mss.option.local.value:1460",
                                  "mss.option.remote.value:1460", "mss.option.received.unchanged"});
  CHECK(with(1460, 1400).back() == "mss.option.received.deflated");
  CHECK(with(1460, 8960).back() == "mss.option.received.inflated");
  const auto absent = MadeFlow({{"tcp_connected", 1}, {"mss_value_fwd", 1460}});
  CHECK(combine("mss", {absent}) ==
        Words{"mss.connectivity.online", "mss.option.local.value:1460", "mss.option.received.absent"});
  CHECK(combine("mss", {MadeFlow(absent).with_drops()}).back() == "pathspider.uncertain");
}

TEST_CASE("mss: connectivity is what the observer saw, not what the spider says") {
  CHECK(combine("mss", {MadeFlow()}) == Words{"mss.connectivity.offline"});
  CHECK(combine("mss", {MadeFlow().with_drops()}) == Words{"pathspider.uncertain"});
  CHECK(combine("mss", {MadeFlow().unobserved()}) == Words{"pathspider.not_observed"});
  CHECK(combine("mss", {MadeFlow({{"tcp_connected", 1}}).with(failed)})[0] == "mss.connectivity.online");
}

TEST_CASE("h2: the upgrade where the second connection is there and was observed") {
  const auto with = [](const std::string& version) {
    return MadeFlow().with_member("/http_info/http_version", version);
  };
  CHECK(combine("h2", {MadeFlow(), with("2").unobserved()}) == Words{"pathspider.not_observed"});
  CHECK(combine("h2", {MadeFlow(), with("2")}) == Words{"h2.connectivity.works", "h2.upgrade.success"});
  CHECK(combine("h2", {MadeFlow(), with("1.1")}).back() == "h2.upgrade.failed");
  CHECK(combine("h2", {MadeFlow().with(failed), with("2")}) ==
        Words{"h2.connectivity.transient", "h2.upgrade.success"});
  CHECK(combine("h2", {MadeFlow(), with("2").with(timeout)}) == Words{"h2.connectivity.broken"});
}

TEST_CASE("h2: an answer that is not in the record leaves it open whether the upgrade worked") {
  CHECK(combine("h2", {MadeFlow(), MadeFlow()}) == Words{"h2.connectivity.works", "pathspider.uncertain"});
}

TEST_CASE("evilbit: a SYN+ACK is an answer, and its mark is seen or not") {
  const auto answered = [](std::uint8_t flags, int mark) {
    return MadeFlow({{"tcp_synflags_rev", flags}, {"evilbit_syn_rev", mark}});
  };
  const auto silent = MadeFlow();
  CHECK(combine("evilbit", {answered(TCP_SA, 0), answered(TCP_SA, 0)}) ==
        Words{"evilbit.connectivity.works", "evilbit.mark.not_seen"});
  CHECK(combine("evilbit", {answered(TCP_SA, 0), answered(TCP_SAE, 1)}).back() == "evilbit.mark.seen");
  CHECK(combine("evilbit", {answered(TCP_SA, 0), silent}) == Words{"evilbit.connectivity.broken"});
  CHECK(combine("evilbit", {silent, answered(TCP_SA, 1)}) ==
        Words{"evilbit.connectivity.transient", "evilbit.mark.seen"});
  CHECK(combine("evilbit", {answered(TCP_SYN, 0), silent}) == Words{"evilbit.connectivity.offline"});
  CHECK(combine("evilbit", {silent, MadeFlow(silent).with_drops()}) == Words{"pathspider.uncertain"});
  CHECK(combine("evilbit", {answered(TCP_SA, 0), answered(TCP_SA, 0).with_drops()}) ==
        Words{"evilbit.connectivity.works", "pathspider.uncertain"});
  CHECK(combine("evilbit", {silent, MadeFlow().unobserved()}) == Words{"pathspider.not_observed"});
}

TEST_CASE("evilbit: over UDP a valid DNS response is an answer; IPv6 has no mark") {
  CHECK(combine("evilbit", {dns_flow(true), dns_flow(true).with("evilbit_data_rev", 1)}) ==
        Words{"evilbit.connectivity.works", "evilbit.mark.seen"});
  CHECK(combine("evilbit", {dns_flow(true), dns_flow(true)}) == Words{"evilbit.connectivity.works"});
  CHECK(combine("evilbit", {dns_flow(true), dns_flow(false)}) == Words{"evilbit.connectivity.broken"});
}

TEST_CASE("udpzero: connectivity is a valid DNS response") {
  CHECK(combine("udpzero", {dns_flow(true), dns_flow(true)}) == Words{"udpzero.connectivity.works"});
  CHECK(combine("udpzero", {dns_flow(true), dns_flow(false)}) == Words{"udpzero.connectivity.broken"});
  CHECK(combine("udpzero", {dns_flow(false), dns_flow(true)}) == Words{"udpzero.connectivity.transient"});
  CHECK(combine("udpzero", {dns_flow(false), dns_flow(false)}) == Words{"udpzero.connectivity.offline"});
  CHECK(combine("udpzero", {dns_flow(false).with_drops(), dns_flow(true)}) == Words{"pathspider.uncertain"});
  CHECK(combine("udpzero", {dns_flow(true).with_drops(), dns_flow(true)}) == Words{"udpzero.connectivity.works"});
  CHECK(combine("udpzero", {dns_flow(true), dns_flow(true).unobserved()}) == Words{"pathspider.not_observed"});
}

TEST_CASE("dnsresolv has no conditions") {
  CHECK(combine("dnsresolv", {}).empty());
}
