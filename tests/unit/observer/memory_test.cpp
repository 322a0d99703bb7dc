// SPDX-License-Identifier: GPL-3.0-or-later
// What a flow costs in memory, and that flows which are gone cost none; for another number of flows:
// `OBSERVER_FLOWS=10000000 unit-observer -ts="memory" -s`.
#include "tests/unit/observer/record_maker.hpp"

#include "observer/flows/flow_meter.hpp"

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

std::uint64_t flows_asked(std::uint64_t otherwise) {
  const char* const asked = std::getenv("OBSERVER_FLOWS");
  return asked ? std::stoull(asked) : otherwise;
}

/// Hands over one packet each of flows by number.
class Feed {
public:
  explicit Feed(FlowMeter& meter) : meter_(meter) {}

  void operator()(std::uint64_t flow, std::uint64_t time_ns, std::uint8_t tcp_flags = TCP_SYN) {
    auto* const record = reinterpret_cast<PacketRecord*>(words_.data());
    std::memcpy(record + 1, &flow, sizeof flow); // the addresses
    record->flow_hash = static_cast<std::uint32_t>(flow * 11'400'714'819'323'198'485u >> 32);
    record->time_ns = time_ns;
    record->tcp_flags = tcp_flags;
    const PacketRecord* const packet = record;
    meter_.packets({&packet, 1});
  }

private:
  FlowMeter& meter_;
  std::vector<std::uint64_t> words_ = Packet(ipv4(1, 1000), ipv4(2, 80), tcp).words();
};

} // namespace

TEST_SUITE_BEGIN("memory");

TEST_CASE("a flow with basic and tcp takes at most 200 octets of memory") {
  const std::uint64_t flows = flows_asked(1'000'000);
  const std::uint64_t before = resident_octets();
  const ChainSet chains = choose_chains<LibraryChains>(std::vector<std::string>{"basic", "tcp"});
  FlowMeterOptions options;
  options.max_flows = 2 * flows;
  Nowhere sink;
  FlowMeter meter(chains, options, sink);
  Feed feed(meter);
  for (std::uint64_t i = 0; i < flows; ++i)
    feed(i, 100 * ns_per_s + i * 25 * ns_per_s / flows);
  REQUIRE(meter.open_flows() == flows);
  const std::uint64_t resident = resident_octets() - before;
  MESSAGE(flows << " flows: " << meter.memory_bytes() / flows << " octets a flow by count, " << resident / flows
                << " resident");
  CHECK(meter.memory_bytes() <= 200 * flows);
}

TEST_CASE("flows that are gone take no memory, however many and whatever the timeouts") {
  // Half of the flows complete, the rest make room for others, all within one hour: none of the timeouts ever comes.
  const std::uint64_t flows = flows_asked(300'000);
  constexpr std::uint64_t most = 10'000;
  const ChainSet chains = choose_chains<LibraryChains>(std::vector<std::string>{"basic", "tcp"});
  FlowMeterOptions options;
  options.max_flows = most;
  options.idle_timeout_s = max_timeout_s;
  options.active_timeout_s = max_timeout_s / 2;
  Nowhere sink;
  FlowMeter meter(chains, options, sink);
  const std::uint64_t empty = meter.memory_bytes();
  CHECK(empty < std::uint64_t{2} << 20);
  Feed feed(meter);
  std::uint64_t early = 0;
  const std::uint64_t before = resident_octets();
  for (std::uint64_t i = 0; i < flows; ++i) {
    feed(i, 100 * ns_per_s + i * 3600 * ns_per_s / flows, i % 2 == 0 ? TCP_RST : TCP_SYN);
    if (i == 5 * most)
      early = meter.memory_bytes();
  }
  const std::uint64_t resident = resident_octets() - before;
  MESSAGE(flows << " flows, " << most << " at most open: " << meter.memory_bytes() << " octets by count, " << empty
                << " before the first flow, " << resident << " resident");
  CHECK(meter.open_flows() <= most); // the others are those whose record has left
  CHECK(meter.open_flows() > most - most / 10);
  CHECK(meter.counters().ended[static_cast<std::size_t>(EndReason::active_timeout)] == 0);
  // A second holds two part-filled chunks of timers at most; all else is the table's.
  CHECK(meter.memory_bytes() < early + 3600 * std::uint64_t{128});
  CHECK(meter.memory_bytes() - empty < 200 * most + 3600 * 128);
}

TEST_SUITE_END();
