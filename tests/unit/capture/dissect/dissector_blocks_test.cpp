// SPDX-License-Identifier: GPL-3.0-or-later
// What travels only where it is asked for, from the frame to a view of the record.
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include "capture/dissect/fragments.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::tcp, craft::udp, craft::vlan, craft::service_vlan;

namespace {

const auto ip4 = ipv4("10.0.0.1", "10.0.0.2");
const auto ip6 = ipv6("fd00::1", "fd00::2");

std::vector<VlanTag> tags_of(const Dissected& packet) {
  std::vector<VlanTag> tags;
  for (std::size_t i = 0; i < packet.view().vlan_tags().size(); ++i)
    tags.push_back(packet.view().vlan_tags()[i]);
  return tags;
}

/// Kinds and identifiers.
std::vector<std::pair<TunnelKind, std::uint32_t>> layers_of(const Dissected& packet) {
  std::vector<std::pair<TunnelKind, std::uint32_t>> layers;
  packet.view().for_each_tunnel([&](const TunnelLayer& layer) {
    CHECK(layer.source.empty());
    CHECK(layer.destination.empty());
    layers.emplace_back(layer.kind, layer.identifier);
  });
  return layers;
}

} // namespace

TEST_CASE("a plain packet takes 64 octets of the ring, or 88, and has no block to show") {
  for (const auto& frame : {ethernet() / ip4 / tcp(1, 2), ethernet() / ip6 / tcp(1, 2)}) {
    const Dissected packet(frame, {}, Need::none);
    CHECK(packet.valid());
    CHECK(packet->header.length == (packet->key.version == 4 ? 64 : 88));
    CHECK(packet->blocks == 0);
    CHECK_FALSE(packet.view().ethernet());
    CHECK(packet.view().vlan_tags().empty());
    CHECK(layers_of(packet).empty());
    CHECK_FALSE(packet.view().flow_label());
    CHECK(packet.view().icmp_sender().empty());
    CHECK(packet.options().empty());
    CHECK(packet.quotation().empty());
    CHECK(packet.payload().empty());
    CHECK(packet.view().payload_kind() == 0);
    CHECK_FALSE(packet.view().icmp_rest());
  }
}

TEST_CASE("VLAN tags come outer first, each with its protocol and control information") {
  const auto one = ethernet() / vlan(7).priority(5);
  CHECK(tags_of(Dissected(one / ip4 / udp(1, 2), {}, Need::vlan_tags)) == std::vector{VlanTag{0x8100, 0xa007}});
  const Dissected stack(ethernet() / service_vlan(100) / craft::Vlan(0x9100, 4094) / vlan(7) / ip6 / udp(1, 2));
  CHECK(tags_of(stack) == std::vector{VlanTag{0x88a8, 100}, VlanTag{0x9100, 4094}, VlanTag{0x8100, 7}});
  CHECK(stack.valid());
  const VlanTag tag{0x8100, 0xb007};
  CHECK(tag.priority() == 5);
  CHECK(tag.drop_eligible());
  CHECK(tag.id() == 7);
}

TEST_CASE("VLAN tags stay behind where nobody asks, and untagged frames have none") {
  CHECK(tags_of(Dissected(ethernet() / vlan(7) / ip4 / udp(1, 2), {}, Need::all & ~Need::vlan_tags)).empty());
  CHECK(tags_of(Dissected(ethernet() / ip4 / udp(1, 2))).empty());
}

TEST_CASE("VLAN tags of cooked frames, after SNAP and before MPLS and PPPoE are told too") {
  const std::vector seven{VlanTag{0x8100, 7}};
  CHECK(tags_of(Dissected(craft::linux_cooked() / vlan(7) / ip4 / udp(1, 2), {.link = LinkType::linux_sll})) == seven);
  CHECK(tags_of(Dissected(craft::linux_cooked2() / vlan(7) / ip6 / udp(1, 2), {.link = LinkType::linux_sll2})) ==
        seven);
  CHECK(tags_of(Dissected(ethernet() / vlan(7) / craft::mpls(16) / ip4 / udp(1, 2))) == seven);
  CHECK(tags_of(Dissected(ethernet() / vlan(7) / craft::pppoe_session() / craft::ppp() / ip6 / udp(1, 2))) == seven);
}

TEST_CASE("of more VLAN tags and labels than a record holds the outer ones travel") {
  craft::Packet tagged, labelled;
  for (unsigned i = 0; i < 40; ++i) {
    tagged = tagged / vlan(static_cast<std::uint16_t>(i));
    labelled = labelled / craft::mpls(100 + i);
  }
  const Dissected tags(ethernet() / tagged / ip4 / udp(1, 2));
  REQUIRE(tags_of(tags).size() == max_vlan_tags);
  CHECK(tags_of(tags).back() == VlanTag{0x8100, max_vlan_tags - 1});
  CHECK(tags.valid());
  const Dissected labels(ethernet() / labelled / ip6 / udp(1, 2));
  REQUIRE(layers_of(labels).size() == max_tunnel_layers);
  CHECK(layers_of(labels).back().second == 100 + max_tunnel_layers - 1);
  CHECK(labels.valid());
}

TEST_CASE("an Ethernet frame's addresses and the type behind its tags travel where they are asked for") {
  const auto link = ethernet().source({2, 0, 0, 0, 0, 0x11}).destination({2, 0, 0, 0, 0, 0x22});
  const auto type_of = [](const craft::Bytes& frame) {
    const Dissected packet(frame, {}, Need::ethernet);
    REQUIRE(packet.valid());
    const auto header = packet.view().ethernet();
    REQUIRE(header);
    CHECK(craft::Bytes(header->source, header->source + 6) == craft::Bytes{2, 0, 0, 0, 0, 0x11});
    CHECK(craft::Bytes(header->destination, header->destination + 6) == craft::Bytes{2, 0, 0, 0, 0, 0x22});
    return header->type;
  };
  CHECK(type_of(link / ip4 / tcp(1, 2)) == 0x0800);
  CHECK(type_of(link / ip6 / tcp(1, 2)) == 0x86dd);
  CHECK(type_of(link / service_vlan(1) / vlan(7) / ip6 / tcp(1, 2)) == 0x86dd);
  CHECK(type_of(link / craft::mpls(16) / ip4 / tcp(1, 2)) == 0x8847);
  CHECK_FALSE(Dissected(link / ip4 / tcp(1, 2), {}, Need::vlan_tags).view().ethernet());
  CHECK_FALSE(Dissected(ip4 / tcp(1, 2), {.link = LinkType::raw_ip}).view().ethernet());
  CHECK_FALSE(Dissected(craft::linux_cooked() / ip4 / tcp(1, 2), {.link = LinkType::linux_sll}).view().ethernet());
}

TEST_CASE("MPLS labels and PPPoE sessions are tunnel layers, outer first") {
  using Layers = std::vector<std::pair<TunnelKind, std::uint32_t>>;
  const auto labels = ethernet() / craft::mpls(0xf'fffe) / craft::mpls(17);
  CHECK(layers_of(Dissected(labels / ip4 / udp(1, 2))) == Layers{{TunnelKind::mpls, 0xf'fffe}, {TunnelKind::mpls, 17}});
  CHECK(layers_of(Dissected(labels / ip4 / udp(1, 2), {}, Need::all & ~Need::tunnels)).empty());
  const auto session = craft::pppoe_session(0xabcd) / craft::ppp() / ip6 / udp(1, 2);
  CHECK(layers_of(Dissected(ethernet() / session)) == Layers{{TunnelKind::pppoe, 0xabcd}});
  CHECK(layers_of(Dissected(session, {.link = LinkType::ppp_ether})) == Layers{{TunnelKind::pppoe, 0xabcd}});
}

TEST_CASE("the flow label travels with IPv6 where it is asked for") {
  const auto labelled = ipv6("fd00::1", "fd00::2").flow_label(0xabcde).traffic_class(0xff);
  CHECK(Dissected(ethernet() / labelled / tcp(1, 2), {}, Need::flow_label).view().flow_label() == 0xabcde);
  CHECK(Dissected(ethernet() / ip6 / craft::hop_by_hop() / udp(1, 2), {}, Need::flow_label).view().flow_label() == 0);
  CHECK_FALSE(Dissected(ethernet() / labelled / tcp(1, 2), {}, Need::all & ~Need::flow_label).view().flow_label());
  CHECK_FALSE(Dissected(ethernet() / ip4 / tcp(1, 2)).view().flow_label());
}

TEST_CASE("identification and DF come with every IPv4 packet, fragments too, and IPv6 has neither") {
  const Dissected whole(ethernet() / ipv4("10.0.0.1", "10.0.0.2").id(0xbeef).dont_fragment() / tcp(1, 2), {},
                        Need::none);
  CHECK(whole->ip_id == 0xbeef);
  CHECK(whole.has(PacketBits::dont_fragment));
  CHECK_FALSE(whole.has(PacketBits::evil));
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2").id(77) / udp(1, 2) / craft::zeros(40);
  for (const auto& fragment : craft::fragments_of(datagram, 24)) {
    const Dissected packet(ethernet() / fragment);
    CHECK(packet->ip_id == 77);
    CHECK_FALSE(packet.has(PacketBits::dont_fragment));
  }
  CHECK(Dissected(ethernet() / ip6 / tcp(1, 2))->ip_id == 0);
  CHECK_FALSE(Dissected(ethernet() / ip6 / tcp(1, 2)).has(PacketBits::dont_fragment));
}

TEST_CASE("an ICMP error tells its octets 4 to 7 and, where it is asked for, who sent it") {
  const auto quoted4 = ip4 / udp(1000, 53) / craft::zeros(8);
  const craft::Bytes too_big4 =
      ethernet() / ipv4("192.0.2.9", "10.0.0.1") / craft::icmp(3, 4, 1400).quote(quoted4.bytes());
  const Dissected four(too_big4);
  REQUIRE(four.has(PacketBits::icmp_error));
  CHECK(four.view().icmp_rest() == 1400);
  CHECK(Dissected::bytes_of(four.view().icmp_sender()) == craft::Bytes{192, 0, 2, 9});
  CHECK(four.quotation() == quoted4.bytes());
  CHECK(four.valid());

  const auto quoted6 = ip6 / tcp(1234, 80).syn();
  const Dissected six(ethernet() / ipv6("fd00::99", "fd00::1") /
                      craft::icmp6_packet_too_big(1280).quote(quoted6.bytes()));
  REQUIRE(six.has(PacketBits::icmp_error));
  CHECK(six.view().icmp_rest() == 1280);
  CHECK(Dissected::bytes_of(six.view().icmp_sender()) == v6(0x99));
  CHECK(six->key.protocol == 6);
  CHECK(six.options().empty());
  CHECK(six.valid());

  const Dissected bare(too_big4, {}, Need::none);
  CHECK(bare.view().icmp_rest() == 1400);
  CHECK(bare.view().icmp_sender().empty());
  CHECK(bare->header.length == 64);
}

TEST_CASE("octets 4 to 7 of other ICMP messages are there where they were captured, and the sender is in the key") {
  const craft::Bytes echo = ethernet() / ip4 / craft::icmp_echo(0x1234, 0x5678) / craft::zeros(20);
  CHECK(Dissected(echo).view().icmp_rest() == 0x12345678);
  CHECK(Dissected(echo).view().icmp_sender().empty());
  CHECK_FALSE(Dissected(echo, {.snap_length = 14 + 20 + 7}).view().icmp_rest());
  CHECK(Dissected(echo, {.snap_length = 14 + 20 + 7}).has(PacketBits::transport));
  CHECK_FALSE(Dissected(ethernet() / ip4 / tcp(1, 2)).view().icmp_rest());
}

TEST_CASE("a fragment that waited keeps the blocks of its own frame") {
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2").id(5) / udp(1000, 53) / craft::zeros(40);
  const auto fragments = craft::fragments_of(datagram, 24);
  FragmentCache cache;
  PacketDraft released;
  {
    Dissected later(ethernet() / vlan(9) / fragments[1]), first(ethernet() / vlan(8) / fragments[0]);
    REQUIRE_FALSE(cache.take(later.draft, 1));
    REQUIRE(cache.take(first.draft, 1));
    REQUIRE(cache.next_released(released));
  }
  std::vector<std::uint64_t> words(record_stride(released.record.header.length) / 8);
  released.copy_to(words.data());
  const PacketView view(reinterpret_cast<const PacketRecord*>(words.data()));
  REQUIRE(packet_record_valid(&view->header));
  REQUIRE(view.vlan_tags().size() == 1);
  CHECK(view.vlan_tags()[0] == VlanTag{0x8100, 9});
  CHECK(view.ethernet());
  CHECK(view->key.ports[0] == 1000);
}

TEST_CASE("all blocks together lie one behind the other, whatever is asked for") {
  const std::uint8_t answer[]{192, 0, 2, 1};
  const craft::Bytes payload = craft::dns_over_tcp(craft::dns_response(7, "example.org", answer));
  const craft::Bytes frame = ethernet() / service_vlan(3) / vlan(4) / craft::mpls(5) /
                             ipv6("fd00::1", "fd00::2").flow_label(6) / tcp(53, 999).syn().mss(1460) /
                             craft::payload(payload);
  for (std::uint32_t needs = 0; needs <= Need::all; ++needs) {
    const Dissected packet(frame, {}, needs);
    REQUIRE(packet.valid());
    CHECK(packet.view().ethernet().has_value() == ((needs & Need::ethernet) != 0));
    CHECK(tags_of(packet).size() == (needs & Need::vlan_tags ? 2 : 0));
    CHECK(layers_of(packet).size() == (needs & Need::tunnels ? 1 : 0));
    CHECK(packet.view().flow_label() == (needs & Need::flow_label ? std::optional(6u) : std::nullopt));
    CHECK(packet.options() == (needs & Need::all_tcp_options ? craft::Bytes{2, 4, 0x05, 0xb4} : craft::Bytes{}));
    CHECK(packet.payload() == (needs & Need::payload("dns") ? payload : craft::Bytes{}));
    CHECK(Dissected::bytes_of(packet.view().payload("dns")) == packet.payload());
  }
}
