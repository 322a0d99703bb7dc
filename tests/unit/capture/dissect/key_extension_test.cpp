// SPDX-License-Identifier: GPL-3.0-or-later
// Flow keys with VLANs, tunnels and ICMP identifiers.
#include "capture/dissect/fragments.hpp"
#include "tests/unit/capture/dissect/within_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::udp, craft::vlan, craft::gre, craft::Packet;

namespace {

const Packet there = ipv4("10.0.0.1", "10.0.0.2") / udp(1000, 53);
const Packet back = ipv4("10.0.0.2", "10.0.0.1") / udp(53, 1000);

} // namespace

TEST_CASE("VLANs are part of the key where that is asked for, and their priority is not") {
  Within five(ethernet() / vlan(5) / there, "all", "vlan"), six(ethernet() / vlan(6) / there, "all", "vlan");
  Within urgent(ethernet() / vlan(5).priority(7) / back, "all", "vlan");
  Within two(ethernet() / vlan(5) / vlan(6) / there, "all", "vlan"), none(ethernet() / there, "all", "vlan");
  CHECK(five.key() != six.key());
  CHECK(five.key() == urgent.key());
  CHECK(five.hash() == urgent.hash());
  CHECK(five.key() != two.key());
  CHECK(five.key() != none.key());
  CHECK(none->key.extended == 0);
  CHECK(Within(ethernet() / vlan(5) / there).key() == Within(ethernet() / vlan(6) / there).key());
}

TEST_CASE("tunnels are part of the key, and both directions have the same") {
  const auto through = [](std::string_view from, std::string_view to, std::uint32_t id, const Packet& packet) {
    return Within(ethernet() / ipv4(from, to) / gre().key(id) / packet, "gre", "tunnel").key();
  };
  const auto key = through("192.0.2.1", "192.0.2.2", 7, there);
  CHECK(key == through("192.0.2.2", "192.0.2.1", 7, back));
  CHECK(key != through("192.0.2.1", "192.0.2.2", 8, there));
  CHECK(key != through("192.0.2.1", "192.0.2.3", 7, there));
  CHECK(key != through("192.0.2.2", "192.0.2.1", 7, there)); // the same hosts at the other ends
  CHECK(key != Within(ethernet() / there, "gre", "tunnel").key());
}

TEST_CASE("a host that talks to itself in a tunnel has one key") {
  const Packet self = ipv4("10.0.0.1", "10.0.0.1") / udp(7, 9), answer = ipv4("10.0.0.1", "10.0.0.1") / udp(9, 7);
  CHECK(Within(ethernet() / ipv4("192.0.2.1", "192.0.2.2") / self, "all", "tunnel").key() ==
        Within(ethernet() / ipv4("192.0.2.2", "192.0.2.1") / answer, "all", "tunnel").key());
}

TEST_CASE("a link's own layers are part of the key where they are taken off by name") {
  const auto labelled = [](std::uint32_t label, std::string_view taken) {
    return Within(ethernet() / craft::mpls(label) / there, taken, "tunnel").key();
  };
  CHECK(labelled(5, "mpls") != labelled(6, "mpls"));
  CHECK(labelled(5, "gre") == labelled(6, "gre"));
}

TEST_CASE("the longest key there can be") {
  Packet frame = there;
  for (unsigned i = 0; i < max_tunnels; ++i)
    frame = ipv6("2001:db8::1", "2001:db8::2") / frame;
  for (unsigned i = 0; i < 20; ++i)
    frame = craft::mpls(i) / frame;
  for (unsigned i = 0; i < 20; ++i)
    frame = vlan(static_cast<std::uint16_t>(i)) / frame;
  Within packet(ethernet() / frame, "all", "vlan,tunnel,icmp-id");
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet.view().key_extension().size() <= max_key_extension);
  Within deep(ethernet() / (craft::mpls(1) / there), "all", "vlan,tunnel");
  CHECK(deep->key.extended == 1);
}

TEST_CASE("ICMP identifiers tell flows apart, in both directions, fragments and errors too") {
  const auto echo = [](const Packet& message, std::string_view key = "icmp-id") {
    return Within(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / message, "all", key).key();
  };
  const auto key = echo(craft::icmp_echo(7, 1));
  CHECK(key == echo(craft::icmp_echo(7, 2)));
  CHECK(key != echo(craft::icmp_echo(8, 1)));
  CHECK(echo(craft::icmp_echo(7, 1), "vlan") == echo(craft::icmp_echo(8, 1), "vlan"));
  CHECK(key ==
        Within(ethernet() / ipv4("10.0.0.2", "10.0.0.1") / craft::icmp_echo_reply(7, 1), "all", "icmp-id").key());
  const craft::Bytes sent = ipv4("10.0.0.1", "10.0.0.2") / craft::icmp_echo(7, 1);
  Within error(ethernet() / ipv4("10.0.0.9", "10.0.0.1") / craft::icmp_time_exceeded().quote(sent), "all", "icmp-id");
  CHECK(error.key() == key);
  CHECK(error->key.has_ports == 0);
  const auto six = [](std::uint16_t id) {
    return Within(ethernet() / ipv6("fd00::1", "fd00::2") / craft::icmp6_echo(id, 1), "all", "icmp-id").key();
  };
  CHECK(six(7) != six(8));
  CHECK(six(7) == six(7));
}

TEST_CASE("later fragments of a large echo get its identifier") {
  const craft::Bytes ping = ipv4("10.0.0.1", "10.0.0.2").id(3) / craft::icmp_echo(7, 1) / craft::zeros(1000);
  const auto fragments = craft::fragments_of(ping, 504);
  FragmentCache cache;
  Within later(ethernet() / fragments[1], "all", "icmp-id"), first(ethernet() / fragments[0], "all", "icmp-id");
  PacketDraft late = later.dissector.packet(), early = first.dissector.packet();
  CHECK(!cache.take(late, 1));
  CHECK(cache.take(early, 1));
  REQUIRE(cache.next_released(late));
  CHECK(late.record.key.ports[0] == 7);
  CHECK(late.record.key.has_ports == 0);
}

TEST_CASE("fragments belong together where all of the key's extension does") {
  const craft::Bytes datagram = ipv4("10.0.0.1", "10.0.0.2").id(3) / udp(1000, 53) / craft::zeros(1000);
  const auto fragments = craft::fragments_of(datagram, 504);
  FragmentCache cache;
  Within first(ethernet() / vlan(5) / fragments[0], "all", "vlan"),
      same(ethernet() / vlan(5) / fragments[1], "all", "vlan"),
      other(ethernet() / vlan(6) / fragments[1], "all", "vlan");
  PacketDraft draft = first.dissector.packet();
  CHECK(cache.take(draft, 1));
  draft = other.dissector.packet();
  CHECK(!cache.take(draft, 1));
  draft = same.dissector.packet();
  CHECK(cache.take(draft, 1));
  CHECK(draft.record.key.has_ports == 1);
}

TEST_CASE("what cannot be part of a key is refused") {
  CHECK_THROWS(static_cast<void>(parse_flow_key("vlan,mac")));
  CHECK_THROWS(static_cast<void>(parse_flow_key("")));
  CHECK(parse_flow_key("five-tuple") == Need::none);
  CHECK(parse_flow_key("vlan,icmp-id") == (Need::key_vlan | Need::key_icmp_id));
}
