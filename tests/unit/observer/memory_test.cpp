// SPDX-License-Identifier: GPL-3.0-or-later
// What a flow costs in memory; for another number of flows:
// `OBSERVER_FLOWS=10000000 unit-observer -tc="*octets of memory*" -s`.
#include "tests/unit/observer/record_maker.hpp"

#include "observer/flow_meter.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Nowhere final : RowSink {
  void row(const Row&) noexcept override {}
};

std::uint64_t resident_octets() {
  std::uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

} // namespace

TEST_CASE("a flow with basic and tcp takes at most 200 octets of memory") {
  const char* const asked = std::getenv("OBSERVER_FLOWS");
  const std::uint64_t flows = asked ? std::stoull(asked) : 1'000'000;
  const std::uint64_t before = resident_octets();
  const ChainSet chains = ChainSet::choose(std::vector<std::string>{"basic", "tcp"});
  FlowMeterOptions options;
  options.max_flows = 2 * flows;
  Nowhere sink;
  FlowMeter meter(chains, options, sink);
  auto words = Packet(ipv4(1, 1000), ipv4(2, 80), tcp).flags(TCP_SYN).at(100).words();
  auto* const record = reinterpret_cast<PacketRecord*>(words.data());
  for (std::uint64_t i = 0; i < flows; ++i) {
    std::memcpy(record + 1, &i, sizeof i); // the addresses
    record->flow_hash = i * 11'400'714'819'323'198'485u >> 32;
    record->time_ns = 100 * ns_per_s + i * 25 * ns_per_s / flows;
    const PacketRecord* const packet = record;
    meter.packets({&packet, 1});
  }
  REQUIRE(meter.open_flows() == flows);
  const std::uint64_t resident = resident_octets() - before;
  MESSAGE(flows << " flows: " << meter.memory_bytes() / flows << " octets a flow by count, " << resident / flows
                << " resident");
  CHECK(meter.memory_bytes() <= 200 * flows);
}
