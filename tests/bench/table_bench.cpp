// SPDX-License-Identifier: GPL-3.0-or-later
// The flow table alone: packets of N flows in random order, `basic tcp`, all flows open all the time. Prints a line of JSON
// for each N given: throughput once all flows are open, and memory of a flow.
#include "observer/flow_meter.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace orbweaver;

/// Counts what leaves and forgets it.
struct NullSink final : FlowSink {
  void flow(const FlowRecord&, std::span<const std::byte>) noexcept override { ++flows; }
  std::uint64_t flows = 0;
};

struct Packet {
  PacketRecord record{};
  std::uint8_t addresses[8]{};
};
static_assert(sizeof(Packet) == 64);

/// A pseudorandom permutation step and hash (the finalizer of SplitMix64).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

void make(Packet& packet, std::uint64_t flow, std::uint64_t time_ns) {
  PacketRecord& record = packet.record;
  record.header = {sizeof(Packet), RecordKind::packet, 0};
  record.time_ns = time_ns;
  record.flow_hash = mix(flow + 1);
  record.key.protocol = 6;
  record.key.version = 4;
  record.key.has_ports = 1;
  record.key.ports[0] = static_cast<std::uint16_t>(flow);
  record.key.ports[1] = 443;
  record.tcp_flags = 0x10;
  record.bits = PacketBits::transport;
  record.ip_length = 1500;
  std::memcpy(packet.addresses, &flow, sizeof flow);
}

void run(std::uint64_t flows, std::uint64_t packets) {
  const std::array<std::string, 2> names{"basic", "tcp"};
  const ChainSet chains = ChainSet::choose(names);
  NullSink sink;
  FlowMeterOptions options;
  options.max_flows = flows;
  FlowMeter meter(chains, options, sink);
  std::array<Packet, FlowMeter::max_batch> batch{};
  std::array<const PacketRecord*, FlowMeter::max_batch> records{};
  for (std::size_t i = 0; i < batch.size(); ++i)
    records[i] = &batch[i].record;

  // All within ten seconds of packet time, so that no flow is idle.
  constexpr std::uint64_t start_ns = 1'700'000'000'000'000'000;
  const auto feed = [&](std::uint64_t count, auto&& pick) {
    for (std::uint64_t done = 0; done < count; done += batch.size()) {
      for (std::size_t i = 0; i < batch.size(); ++i)
        make(batch[i], pick(done + i), start_ns + (done + i) * 10'000'000'000 / (count + batch.size()));
      meter.packets(records);
    }
  };
  feed(flows, [&](std::uint64_t i) { return i < flows ? i : flows - 1; });
  const auto start = std::chrono::steady_clock::now();
  feed(packets, [&](std::uint64_t i) { return mix(i) % flows; });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (meter.open_flows() != flows || sink.flows != 0) {
    std::fprintf(stderr, "table_bench: %llu flows are open, %llu wanted\n",
                 static_cast<unsigned long long>(meter.open_flows()), static_cast<unsigned long long>(flows));
    std::exit(1);
  }
  std::printf("{\"what\": \"flow table\", \"flows\": %llu, \"packets\": %llu, \"seconds\": %.6f, \"octets_per_flow\": %.1f}\n",
              static_cast<unsigned long long>(flows), static_cast<unsigned long long>(packets), seconds.count(),
              static_cast<double>(meter.memory_bytes()) / static_cast<double>(flows));
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: table_bench PACKETS FLOWS...\n", stderr);
    return 2;
  }
  for (int i = 2; i < argc; ++i)
    run(std::strtoull(argv[i], nullptr, 10), std::strtoull(argv[1], nullptr, 10));
  return 0;
}
