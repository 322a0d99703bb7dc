// SPDX-License-Identifier: GPL-3.0-or-later
// Chains of shared objects: the library's own chains under other names must say the same as the built-in ones.
#include "observer/chain/find_chains.hpp"
#include "observer/chains/ecn.hpp"
#include "observer/chains/icmp.hpp"
#include "observer/chains/tcp.hpp"
#include "observer/chains/tcpopt.hpp"
#include "tests/unit/observer/chain_support.hpp"

#include <random>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// A chain of the library as a shared object would bring it, under a name that is free.
template <typename Chain>
SharedChain renamed(std::string_view name) {
  SharedChain chain = shared_chain<Chain>();
  chain.info.name = name;
  return chain;
}

/// Wants no flow of the lower endpoint's port 1.
struct PickyChain {
  static constexpr std::string_view name = "picky";
  static constexpr std::string_view summary = "vetoes";
  static constexpr std::uint32_t needs = Need::none;
  struct State {};
  inline static const auto fields = std::array<ChainField, 0>{};
  static bool new_flow(State&, PacketView packet) noexcept { return packet->key.ports[0] != 1; }
  static bool udp(State&, PacketView, bool rev) noexcept { return !rev; }
};

using Shared = std::vector<const SharedChain*>;

std::string why_not(SharedChain chain) {
  return check_shared_chain(chain, chains_of<LibraryChains>());
}

} // namespace

TEST_CASE("a chain from a shared object says what the same chain says when it is built in") {
  const SharedChain ecn = renamed<EcnChain>("ecn2"), tcp_chain = renamed<TcpChain>("tcp2"),
                    icmp = renamed<IcmpChain>("icmp2"), options = renamed<TcpoptChain>("tcpopt2");
  const Shared shared{&ecn, &tcp_chain, &icmp, &options};
  const std::vector<std::string> built_in{"ecn", "tcp", "icmp", "tcpopt"}, others{"ecn2", "tcp2", "icmp2", "tcpopt2"};
  Metering<> as_built_in(built_in), as_shared(choose_chains<LibraryChains>(others, shared));
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const bool rev = random() % 2;
    const auto protocol = static_cast<std::uint8_t>(std::array{6, 6, 17, 1, 132}[random() % 5]);
    Packet packet = random() % 8 == 0
                        ? Packet::error(rev ? server : client, rev ? client : server, protocol, random() % 2 ? 3 : 11)
                        : Packet(rev ? server : client, rev ? client : server, protocol);
    packet.at(1000 + static_cast<std::uint64_t>(i), 0).traffic_class(static_cast<std::uint8_t>(random()));
    if (protocol == 6)
      packet.flags(static_cast<std::uint8_t>(random() & random()))
          .options({2, 4, 1, 2, 4, 2, 3, 3, 7, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8});
    as_built_in.feed(packet);
    as_shared.feed(packet);
  }
  const auto& expected = as_built_in.flush();
  const auto& got = as_shared.flush();
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK(got[i].values() == expected[i].values());
}

TEST_CASE("shared and built-in chains are chosen together, and the fields come as the user named the chains") {
  const SharedChain ecn = renamed<EcnChain>("ecn2");
  const Shared shared{&ecn};
  const ChainSet set = choose_chains<LibraryChains>(std::vector<std::string>{"ecn2", "basic", "ecn2"}, shared);
  const auto& flows = set.describe().tables[0];
  CHECK(flows.fields[4].chain == "ecn2");
  CHECK(flows.fields[4 + EcnChain::fields.size()].chain == "basic");
  CHECK(flows.fields.size() == 4 + EcnChain::fields.size() + 9);
  CHECK(flows.record_octets == sizeof(FlowRecord) + set.state_bytes());
}

TEST_CASE("a shared chain vetoes flows and completes them") {
  const SharedChain picky = shared_chain<PickyChain>();
  const Shared shared{&picky};
  Metering<> metering(choose_chains<LibraryChains>(std::vector<std::string>{"picky", "basic"}, shared));
  metering.feed(Packet(ipv4(1, 1), ipv4(2, 2), 17)).feed(Packet(ipv4(1, 3), ipv4(2, 2), 17));
  metering.feed(Packet(ipv4(2, 2), ipv4(1, 3), 17));
  const auto& flows = metering.flush();
  REQUIRE(flows.size() == 1);
  CHECK(flows[0]["sp"] == "3");
  CHECK(flows[0]["flow_end_reason"] == "end of Flow detected");
  CHECK(metering.counters().flows_vetoed == 1);
}

TEST_CASE("a shared chain that cannot be used is refused with its reason") {
  CHECK(why_not(renamed<EcnChain>("ecn2")).empty());
  CHECK(why_not(shared_chain<EcnChain>()).find("already") != std::string::npos);
  CHECK(why_not(renamed<EcnChain>("")).find("1 to 63") != std::string::npos);
  CHECK(why_not(renamed<EcnChain>("a\"name")).find("1 to 63") != std::string::npos);
  SharedChain outside = renamed<EcnChain>("outside");
  outside.info.state_bytes = 3;
  CHECK(why_not(outside).find("outside of its state") != std::string::npos);
  SharedChain aligned = renamed<EcnChain>("aligned");
  aligned.info.state_alignment = 64;
  SharedChain unnamed = renamed<EcnChain>("unnamed");
  unnamed.info.fields[0].name = "x y";
  CHECK(why_not(unnamed).find("'x y'") != std::string::npos);
  SharedChain lonely = renamed<EcnChain>("lonely");
  lonely.info.fields[0].mirror = "nobody";
  CHECK(why_not(lonely).find("no mirror of 'nobody'") != std::string::npos);
  SharedChain twins = renamed<EcnChain>("twins");
  twins.info.fields[1].name = twins.info.fields[0].name;
  CHECK(why_not(twins).find("has two fields 'ecn_ect0_syn_fwd'") != std::string::npos);
  SharedChain core = renamed<EcnChain>("core");
  core.info.fields[0].name = "pkt_first";
  CHECK(why_not(core).find("'pkt_first'") != std::string::npos);
  CHECK(why_not(aligned).find("aligned to 64") != std::string::npos);
}
