// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of link layers share: a packet of each version that is found behind them, wherever a frame is cut.
#pragma once

#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

namespace orbweaver::test {

inline const craft::Packet packet4 =
    craft::ipv4("10.0.0.1", "10.0.0.2") / craft::udp(1000, 53) / craft::payload("four");
inline const craft::Packet packet6 = craft::ipv6("fd00::1", "fd00::2") / craft::udp(1000, 53) / craft::payload("six");

/// `behind`: octets behind the packet.
inline void check_found(const craft::Bytes& frame, unsigned version, LinkType link = LinkType::ethernet,
                        std::size_t behind = 0) {
  const Dissected packet(frame, {.link = link});
  REQUIRE(packet.outcome == Outcome::packet);
  CHECK(packet->key.version == version);
  CHECK(packet.source() == (version == 4 ? v4(1) : v6(1)));
  CHECK(packet.source_port() == 1000);
  CHECK(packet.destination_port() == 53);
  CHECK(packet->ip_length == (version == 4 ? 32 : 51));
  CHECK(packet.draft.faults == 0);
  // A frame cut anywhere is short, never a crash, never something else; up to where the ports are.
  const std::size_t ports_end = frame.size() - behind - (version == 4 ? 8 : 7);
  for (std::size_t captured = 0; captured < ports_end; ++captured) {
    const Dissected cut(
        frame, {.link = link, .snap_length = captured, .wire_length = static_cast<std::uint32_t>(frame.size())});
    INFO("captured ", captured);
    CHECK((cut.outcome == Outcome::short_link || cut.outcome == Outcome::short_ip ||
           cut.outcome == Outcome::short_transport));
  }
}

inline Outcome outcome_of(const craft::Bytes& frame, LinkType link = LinkType::ethernet) {
  return Dissected(frame, {.link = link}).outcome;
}

} // namespace orbweaver::test
