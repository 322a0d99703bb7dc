// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/flow_hash.hpp"
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <set>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::tcp;

namespace {

std::uint64_t hash_of(const craft::Bytes& frame, std::uint64_t seed = 1) {
  const Dissected packet(frame);
  return flow_hash(packet->key, packet.draft.addresses, seed);
}

} // namespace

TEST_CASE("both directions of a flow have one hash") {
  CHECK(hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2)) ==
        hash_of(ethernet() / ipv4("10.0.0.2", "10.0.0.1") / tcp(2, 1)));
  CHECK(hash_of(ethernet() / ipv6("fd00::1", "fd00::2") / tcp(1, 2)) ==
        hash_of(ethernet() / ipv6("fd00::2", "fd00::1") / tcp(2, 1)));
}

TEST_CASE("the hash depends on every part of the key, and on the seed") {
  const std::set<std::uint64_t> hashes{
      hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2)),
      hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 3)),
      hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(2, 1)),
      hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.3") / tcp(1, 2)),
      hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / craft::udp(1, 2)),
      hash_of(ethernet() / ipv6("fd00::1", "fd00::2") / tcp(1, 2)),
      hash_of(ethernet() / ipv6("fd00::1", "fd01::2") / tcp(1, 2)),
      hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1, 2), 2),
  };
  CHECK(hashes.size() == 8);
}

TEST_CASE("flows are dealt out evenly, and every shard exists") {
  CHECK(shard_of(0, 1) == 0);
  CHECK(shard_of(std::numeric_limits<std::uint64_t>::max(), 3) == 2);
  std::array<unsigned, 3> counts{};
  for (std::uint16_t port = 1; port <= 3000; ++port)
    ++counts[shard_of(hash_of(ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(port, 80)), 3)];
  for (const unsigned count : counts)
    CHECK((count > 850 && count < 1150));
}
