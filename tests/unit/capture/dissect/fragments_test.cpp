// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/fragments.hpp"
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::udp;

namespace {

struct Fragments {
  std::vector<Dissected> parts;

  explicit Fragments(const craft::Bytes& datagram, std::uint32_t id = 1) {
    std::uint64_t time_ns = 1'000'000'000;
    for (const auto& fragment : craft::fragments_of(datagram, 24, id))
      parts.emplace_back(ethernet() / fragment, FrameOptions{.time_ns = ++time_ns});
  }
  PacketDraft& operator[](std::size_t i) { return parts[i].draft; }
};

/// Three fragments of a UDP datagram from port 1000 to port 53, sent by the higher address where `down`.
Fragments ipv4_fragments(std::uint16_t id, bool down = false) {
  const char *low = "10.0.0.1", *high = "10.0.0.2";
  return Fragments(ipv4(down ? high : low, down ? low : high).id(id) / udp(1000, 53) / craft::zeros(60));
}
Fragments ipv6_fragments(std::uint32_t id) {
  return Fragments(ipv6("fd00::2", "fd00::1") / udp(1000, 53) / craft::zeros(60), id);
}

std::vector<PacketDraft> released(FragmentCache& cache) {
  std::vector<PacketDraft> drafts;
  for (PacketDraft draft; cache.next_released(draft);)
    drafts.push_back(draft);
  return drafts;
}

unsigned source_port(const PacketDraft& draft) {
  return draft.record.key.ports[(draft.record.bits & PacketBits::from_high) != 0];
}

bool same_key(const PacketDraft& a, const PacketDraft& b) {
  return std::memcmp(&a.record.key, &b.record.key, sizeof a.record.key) == 0 &&
         std::memcmp(a.addresses, b.addresses, addresses_length(a.record.key.version)) == 0 &&
         (a.record.bits & PacketBits::from_high) == (b.record.bits & PacketBits::from_high);
}

} // namespace

TEST_CASE("the first fragment's ports serve the later ones") {
  for (Fragments fragments : {ipv4_fragments(1), ipv4_fragments(2, true), ipv6_fragments(3)}) {
    FragmentCache cache;
    for (auto& part : fragments.parts) {
      CHECK(cache.take(part.draft, 1));
      CHECK(released(cache).empty());
      CHECK(part->key.has_ports == 1);
      CHECK(source_port(part.draft) == 1000);
      CHECK(same_key(part.draft, fragments[0]));
    }
    CHECK(cache.unmatched() == 0);
  }
}

TEST_CASE("fragments that come before the first wait for it, and keep their order and their time") {
  for (Fragments fragments : {ipv4_fragments(1), ipv4_fragments(2, true), ipv6_fragments(3)}) {
    FragmentCache cache;
    CHECK_FALSE(cache.take(fragments[2], 1));
    CHECK_FALSE(cache.take(fragments[1], 1));
    CHECK(cache.waiting() == 2);
    CHECK(released(cache).empty());
    CHECK(cache.take(fragments[0], 1));
    const auto out = released(cache);
    REQUIRE(out.size() == 2);
    CHECK(cache.waiting() == 0);
    CHECK(out[0].record.time_ns == fragments[2].record.time_ns);
    CHECK(out[1].record.time_ns == fragments[1].record.time_ns);
    CHECK(same_key(out[0], fragments[0]));
    CHECK(same_key(out[1], fragments[0]));
  }
}

TEST_CASE("datagrams are told apart by addresses, direction, identification and protocol") {
  FragmentCache cache;
  Fragments known = ipv4_fragments(7);
  REQUIRE(cache.take(known[0], 1));
  CHECK_FALSE(cache.take(ipv4_fragments(8)[1], 1));
  CHECK_FALSE(cache.take(ipv4_fragments(7, true)[1], 1));
  Fragments tcp(ipv4("10.0.0.1", "10.0.0.2").id(7) / craft::tcp(1000, 53) / craft::zeros(60));
  CHECK_FALSE(cache.take(tcp[1], 1));
  CHECK(cache.take(known[1], 1));
}

TEST_CASE("a later fragment whose first one never comes goes on without ports when its time is over") {
  FragmentCache cache;
  Fragments fragments = ipv4_fragments(1);
  REQUIRE_FALSE(cache.take(fragments[1], 100));
  cache.expire(129);
  CHECK(released(cache).empty());
  cache.expire(130);
  const auto out = released(cache);
  REQUIRE(out.size() == 1);
  CHECK(out[0].record.key.has_ports == 0);
  CHECK(out[0].record.key.protocol == 17);
  CHECK(cache.unmatched() == 1);
  CHECK(cache.displaced() == 0);
  CHECK_FALSE(cache.take(fragments[2], 130)); // and its datagram is forgotten
}

TEST_CASE("what a first fragment said is forgotten in time, unless its identification came again") {
  FragmentCache cache;
  Fragments fragments = ipv4_fragments(1);
  REQUIRE(cache.take(fragments[0], 100));
  cache.expire(120);
  REQUIRE(cache.take(fragments[0], 120));
  cache.expire(135);
  CHECK(cache.take(fragments[1], 135));
  cache.expire(150);
  CHECK_FALSE(cache.take(fragments[2], 150));
}

TEST_CASE("an identification that is used again has the ports of its latest first fragment") {
  FragmentCache cache;
  Fragments old = ipv4_fragments(1);
  Fragments young(ipv4("10.0.0.1", "10.0.0.2").id(1) / udp(2000, 53) / craft::zeros(60));
  REQUIRE(cache.take(old[0], 1));
  REQUIRE(cache.take(young[0], 1));
  REQUIRE(cache.take(young[1], 1));
  CHECK(source_port(young[1]) == 2000);
}

TEST_CASE("at the end of the input everything that waits comes out, oldest first") {
  FragmentCache cache;
  for (std::uint16_t id = 1; id <= 5; ++id)
    REQUIRE_FALSE(cache.take(ipv4_fragments(id)[1], 1));
  cache.flush();
  const auto out = released(cache);
  REQUIRE(out.size() == 5);
  for (std::uint32_t i = 0; i < 5; ++i)
    CHECK(out[i].fragment_id == i + 1);
  CHECK(cache.waiting() == 0);
  CHECK(cache.unmatched() == 5);
}

TEST_CASE("a flood of fragments displaces the oldest, counted, and nothing is lost") {
  for (const auto& limits : {FragmentCache::Limits{16, 1000}, FragmentCache::Limits{1024, 16}}) {
    FragmentCache cache(limits);
    std::uint32_t next = 1, kept = 0;
    for (std::uint16_t id = 1; id <= 1000; ++id) {
      REQUIRE_FALSE(cache.take(ipv4_fragments(id)[1], 1));
      ++kept;
      for (const auto& draft : released(cache)) {
        CHECK(draft.fragment_id == next++);
        --kept;
      }
      CHECK(cache.waiting() == kept);
      CHECK(kept <= 16);
    }
    CHECK(cache.displaced() == next - 1);
    cache.flush();
    CHECK(released(cache).size() == kept);
    CHECK(cache.unmatched() == 1000);
    CHECK(cache.take(ipv4_fragments(1)[0], 1));
  }
}

TEST_CASE("one datagram's fragments alone can fill the buffer") {
  FragmentCache cache({16, 4});
  std::size_t out = 0;
  for (int i = 0; i < 100; ++i) {
    REQUIRE_FALSE(cache.take(ipv4_fragments(1)[1], 1));
    out += released(cache).size();
  }
  CHECK(out + cache.waiting() == 100);
  CHECK(cache.waiting() < 4);
}

TEST_CASE("a quoted later fragment gets its ports by lookup and never waits") {
  FragmentCache cache;
  Fragments fragments = ipv4_fragments(9);
  const auto error = [&] {
    return Dissected(
        ethernet() / ipv4("10.0.0.9", "10.0.0.1") /
        craft::icmp(11, 1).quote(
            craft::fragments_of(ipv4("10.0.0.1", "10.0.0.2").id(9) / udp(1000, 53) / craft::zeros(60), 24)[1].content));
  };
  Dissected unknown = error();
  CHECK(cache.take(unknown.draft, 1));
  CHECK(unknown->key.has_ports == 0);
  REQUIRE(cache.take(fragments[0], 1));
  Dissected known = error();
  CHECK(cache.take(known.draft, 1));
  CHECK(known.source_port() == 53);
  CHECK(known.destination_port() == 1000);
  CHECK(known.source() == v4(2));
  CHECK(known.has(PacketBits::icmp_error));
}

TEST_CASE("a later IPv6 fragment learns the protocol that only the first one shows") {
  const craft::Bytes unfragmentable = ipv6("fd00::1", "fd00::2") / craft::fragment(0, true, 4) /
                                      craft::destination_options() / udp(1000, 53) / craft::zeros(8);
  const craft::Bytes rest =
      ipv6("fd00::1", "fd00::2") / craft::fragment(24, false, 4).next_header(60) / craft::zeros(16);
  FragmentCache cache;
  Dissected later(ethernet() / craft::datagram(rest)), first(ethernet() / craft::datagram(unfragmentable));
  CHECK_FALSE(cache.take(later.draft, 1));
  CHECK(cache.take(first.draft, 1));
  const auto out = released(cache);
  REQUIRE(out.size() == 1);
  CHECK(out[0].record.key.protocol == 17);
  CHECK(same_key(out[0], first.draft));
}
