// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of chains share: two hosts, and the one flow that some packets between them make.
#pragma once

#include "tests/unit/observer/flow_collector.hpp"

#include <doctest/doctest.h>

namespace orbweaver::test {

/// The side that opens the flow, and the other one. The client is the key's higher endpoint: `rev` must not follow it.
inline const Host client = ipv4(200, 40'000), server = ipv4(1, 80);

inline Packet forward(std::uint8_t protocol) {
  return Packet(client, server, protocol);
}
inline Packet reverse(std::uint8_t protocol) {
  return Packet(server, client, protocol);
}

/// The flow that these packets make, as these chains see it.
inline SeenFlow flow_of(const std::vector<std::string>& chains, std::initializer_list<Packet> packets) {
  Metering<> metering(chains);
  metering.feed(packets);
  const auto& flows = metering.flush();
  REQUIRE(flows.size() == 1);
  return flows.front();
}

/// Whether a chain completes the flow of these packets.
inline bool completes(const std::string& chain, std::initializer_list<Packet> packets) {
  return flow_of({chain}, packets)["flow_end_reason"] == "end of Flow detected";
}

} // namespace orbweaver::test
