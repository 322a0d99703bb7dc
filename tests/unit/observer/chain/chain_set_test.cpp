// SPDX-License-Identifier: GPL-3.0-or-later
// Choosing chains: order, repetition, mistyped names, and the description of the stream.
#include "tests/unit/observer/chain_support.hpp"

#include <map>
#include <random>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

using Names = std::vector<std::string>;

const Names all_chains = [] {
  Names names;
  for (const ChainInfo& chain : chains_of<LibraryChains>())
    names.emplace_back(chain.name);
  return names;
}();

std::string usage_error(const Names& chains) {
  try {
    (void)choose_chains<LibraryChains>(chains);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

/// The fields of a chain and their types.
const std::map<std::string, std::vector<std::pair<std::string, std::string>>>& expected_fields() {
  static const std::map<std::string, std::vector<std::pair<std::string, std::string>>> fields{
      {"basic",
       {{"sip", "address"},
        {"dip", "address"},
        {"proto", "u8"},
        {"sp", "u16_or_null"},
        {"dp", "u16_or_null"},
        {"pkt_fwd", "u64"},
        {"pkt_rev", "u64"},
        {"oct_fwd", "u64"},
        {"oct_rev", "u64"}}},
      {"tcp",
       {{"tcp_synflags_fwd", "u8_or_null"},
        {"tcp_synflags_rev", "u8_or_null"},
        {"tcp_fin_fwd", "bool"},
        {"tcp_fin_rev", "bool"},
        {"tcp_rst_fwd", "bool"},
        {"tcp_rst_rev", "bool"},
        {"tcp_connected", "bool"}}},
      {"icmp",
       {{"icmp_unreachable", "bool"},
        {"icmp_type_fwd", "u8_or_null"},
        {"icmp_type_rev", "u8_or_null"},
        {"icmp_code_fwd", "u8_or_null"},
        {"icmp_code_rev", "u8_or_null"},
        {"icmp_error_from", "address"}}},
      {"dscp",
       {{"dscp_mark_syn_fwd", "u8_or_null"},
        {"dscp_mark_syn_rev", "u8_or_null"},
        {"dscp_mark_data_fwd", "u8_or_null"},
        {"dscp_mark_data_rev", "u8_or_null"}}},
      {"ecn",
       {{"ecn_ect0_syn_fwd", "bool"},
        {"ecn_ect1_syn_fwd", "bool"},
        {"ecn_ce_syn_fwd", "bool"},
        {"ecn_ect0_data_fwd", "bool"},
        {"ecn_ect1_data_fwd", "bool"},
        {"ecn_ce_data_fwd", "bool"},
        {"ecn_ect0_syn_rev", "bool"},
        {"ecn_ect1_syn_rev", "bool"},
        {"ecn_ce_syn_rev", "bool"},
        {"ecn_ect0_data_rev", "bool"},
        {"ecn_ect1_data_rev", "bool"},
        {"ecn_ce_data_rev", "bool"}}},
      {"evil",
       {{"evilbit_syn_fwd", "bool_or_null"},
        {"evilbit_syn_rev", "bool_or_null"},
        {"evilbit_data_fwd", "bool_or_null"},
        {"evilbit_data_rev", "bool_or_null"}}},
      {"mss",
       {{"mss_len_fwd", "u8_or_null"},
        {"mss_len_rev", "u8_or_null"},
        {"mss_value_fwd", "u32_or_null"},
        {"mss_value_rev", "u32_or_null"}}},
      {"dns", {{"dns_response_valid", "bool"}}},
      {"tcpopt",
       {{"tcpopt_ts", "bool_or_null"},
        {"tcpopt_ws", "bool_or_null"},
        {"tcpopt_sack", "bool_or_null"},
        {"tcpopt_ts_offered", "bool_or_null"},
        {"tcpopt_ws_offered", "bool_or_null"},
        {"tcpopt_sack_offered", "bool_or_null"}}},
      {"tfo",
       {{"tfo_synkind", "u8"},
        {"tfo_ackkind", "u8"},
        {"tfo_synclen", "u8"},
        {"tfo_ackclen", "u8"},
        {"tfo_seq", "u32"},
        {"tfo_dlen", "u32"},
        {"tfo_ack", "u32"}}},
      {"udp", {{"udp_zero_checksum_fwd", "bool_or_null"}, {"udp_zero_checksum_rev", "bool_or_null"}}},
      {"delivery",
       {{"delivery_mss", "u32_or_null"},
        {"delivery_largest_fwd", "u32"},
        {"delivery_largest_rev", "u32"},
        {"delivery_contiguous_fwd", "u32"},
        {"delivery_contiguous_rev", "u32"},
        {"delivery_acked_fwd", "u32"},
        {"delivery_acked_rev", "u32"},
        {"delivery_acked_segment_fwd", "u32"},
        {"delivery_acked_segment_rev", "u32"}}},
      {"noop", {}},
  };
  return fields;
}

/// Packets that every chain has something to say of.
std::vector<Packet> eventful_packets() {
  std::mt19937 random(7);
  std::vector<Packet> packets;
  for (int i = 0; i < 400; ++i) {
    const std::uint8_t protocol = std::array{tcp, tcp, tcp, udp, icmp, std::uint8_t{47}}[random() % 6];
    const Host a = ipv4(static_cast<std::uint8_t>(1 + random() % 3), 1),
               b = ipv4(static_cast<std::uint8_t>(4 + random() % 3), 2);
    const bool turned = random() % 2;
    Packet packet = random() % 10 == 0 ? Packet::error(turned ? a : b, turned ? b : a, protocol, random() % 2 ? 3 : 11)
                                       : Packet(turned ? a : b, turned ? b : a, protocol);
    packet.at(static_cast<std::uint64_t>(1000 + i / 4), random() % ns_per_s)
        .traffic_class(static_cast<std::uint8_t>(random()));
    if (protocol == tcp)
      packet.flags(static_cast<std::uint8_t>(random() & random()))
          .options({TO_MSS, 4, 1, static_cast<std::uint8_t>(random()), TO_FASTOPEN, 4, 1, 2});
    packets.push_back(packet.payload(random() % 3));
  }
  return packets;
}

std::multimap<std::string, std::map<std::string, std::string>> flows_by_end(const Names& chains) {
  Metering<> metering(chains);
  for (const Packet& packet : eventful_packets())
    metering.feed(packet);
  std::multimap<std::string, std::map<std::string, std::string>> flows;
  for (const SeenFlow& flow : metering.flush())
    flows.emplace(flow["pkt_first"] + flow["sip"] + flow["dip"], flow.values());
  return flows;
}

} // namespace

TEST_CASE("PATHspider's chains are in the library, with the fields and types that scripts rely on") {
  const auto library = chains_of<LibraryChains>();
  for (const auto& entry : expected_fields()) {
    const std::string name = entry.first; // not a binding: the asserts are lambdas, and Clang lets those use no binding
    const auto& expected = entry.second;
    const auto chain = std::ranges::find(library, name, &ChainInfo::name);
    REQUIRE_MESSAGE(chain != library.end(), name);
    std::vector<std::pair<std::string, std::string>> fields;
    for (const ChainField& field : chain->fields)
      fields.emplace_back(field.name, to_string(field.type));
    CHECK_MESSAGE(fields == expected, name);
  }
}

TEST_CASE("every chain of the library says what it is and what its fields are") {
  for (const ChainInfo& chain : chains_of<LibraryChains>()) {
    CHECK_FALSE(chain.summary.empty());
    CHECK_MESSAGE(check_chain(chain) == "", chain.name);
    for (const ChainField& field : chain.fields)
      CHECK_MESSAGE(!field.help.empty(), field.name);
  }
}

TEST_CASE("the description of a stream is valid, complete, and without two fields in one place") {
  for (const Names& chains : {Names{}, Names{"noop"}, Names{"tfo", "basic", "icmp"}, all_chains}) {
    const ChainSet set = choose_chains<LibraryChains>(chains);
    const StreamDescription& stream = set.describe();
    CHECK(StreamDescription::decode(stream.encode()) == stream);
    CHECK(stream.needs == set.needs());
    REQUIRE(stream.tables.size() == 1);
    const auto& flows = stream.tables[0];
    CHECK(flows.record_octets == sizeof(FlowRecord) + set.choice().record_bytes());
    CHECK(set.state_bytes() % 8 == 0);
    std::vector<bool> taken(flows.record_octets);
    for (const auto& field : flows.fields) {
      CHECK(field.offset >= sizeof(RecordHeader));
      for (std::uint32_t at = field.offset; at < field.offset + field_size(field.type); ++at) {
        CHECK_MESSAGE(!taken[at], field.name);
        taken[at] = true;
      }
    }
  }
}

TEST_CASE("fields come in the order of the chains, each with its chain's name, the flow's own first") {
  const ChainSet set = choose_chains<LibraryChains>(Names{"udp", "basic"});
  Names names, chains;
  for (const auto& field : set.describe().tables[0].fields) {
    names.push_back(field.name);
    chains.push_back(field.chain);
  }
  CHECK(names == Names{"pkt_first", "pkt_last", "flow_end_reason", "ring_drops", "udp_zero_checksum_fwd",
                       "udp_zero_checksum_rev", "sip", "dip", "proto", "sp", "dp", "pkt_fwd", "pkt_rev", "oct_fwd",
                       "oct_rev"});
  CHECK(chains[0].empty());
  CHECK(chains[4] == "udp");
  CHECK(chains[6] == "basic");
}

TEST_CASE("fields with a direction know their mirror, and each is the other's") {
  const ChainSet set = choose_chains<LibraryChains>(all_chains);
  const auto& flows = set.describe().tables[0];
  for (const auto& field : flows.fields) {
    const bool has_direction = field.name.ends_with("_fwd") || field.name.ends_with("_rev") || field.name == "sip" ||
                               field.name == "dip" || field.name == "sp" || field.name == "dp";
    CHECK_MESSAGE(field.mirror.empty() != has_direction, field.name);
    CHECK(flows.mirror_of(flows.mirror_of(field)).name == field.name);
  }
  CHECK(flows.mirror_of(*flows.find("sip")).name == "dip");
  CHECK(flows.mirror_of(*flows.find("ecn_ce_data_rev")).name == "ecn_ce_data_fwd");
}

TEST_CASE("a chain named twice counts once") {
  const ChainSet once = choose_chains<LibraryChains>(Names{"tcp", "basic"}),
                 twice = choose_chains<LibraryChains>(Names{"tcp", "basic", "tcp"});
  CHECK(twice.state_bytes() == once.state_bytes());
  CHECK(twice.describe() == once.describe());
}

TEST_CASE("chains say what they need of packets, together") {
  CHECK(choose_chains<LibraryChains>(Names{"basic", "tcp", "ecn"}).needs() == Need::none);
  CHECK(choose_chains<LibraryChains>(Names{"mss"}).needs() == Need::tcp_options);
  CHECK(choose_chains<LibraryChains>(Names{"tfo", "dns"}).needs() == (Need::tcp_options | Need::payload("dns")));
}

TEST_CASE("an unknown chain is a usage error that names the nearest, or all of them") {
  CHECK(usage_error({"basic", "tpc"}).find("did you mean 'tcp'") != std::string::npos);
  CHECK(usage_error({"dscpp"}).find("did you mean 'dscp'") != std::string::npos);
  const std::string far = usage_error({"quic-spin-bit"});
  for (const auto& name : all_chains)
    CHECK_MESSAGE(far.find(name) != std::string::npos, name);
}

TEST_CASE("the order of chains changes nothing but the order of fields") {
  const auto expected = flows_by_end(all_chains);
  CHECK(expected.size() > 10);
  Names shuffled = all_chains;
  std::mt19937 random(3);
  for (int round = 0; round < 10; ++round) {
    std::ranges::shuffle(shuffled, random);
    CHECK(flows_by_end(shuffled) == expected);
  }
}
