// SPDX-License-Identifier: GPL-3.0-or-later
// The flow table alone: packets of N flows in random order, `basic tcp`, all flows open all the time. Prints two lines
// of JSON for each N given: throughput once all flows are open, with the memory of a flow; and what memory itself gives
// where nothing is done but touch a bucket of the index and the two cache lines of a flow.
#include "common/memory_area.hpp"
#include "observer/flows/flow_meter.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace orbweaver;

/// Counts what leaves and forgets it.
struct NullSink final : RowSink {
  void row(const Row&) noexcept override { ++flows; }
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
  record.flow_hash = static_cast<std::uint32_t>(mix(flow + 1));
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

void run(std::uint64_t flows, std::uint64_t packets, bool is_kept) {
  const std::array<std::string, 2> names{"basic", "tcp"};
  const ChainSet chains = choose_chains<LibraryChains>(names);
  NullSink sink;
  FlowMeterOptions options;
  options.max_flows = flows;
  FileDescriptor memory;
  std::optional<KeptTable> kept;
  if (is_kept) {
    memory = make_kept_memory("table-bench");
    kept.emplace(memory.get(), chains.state_bytes(), flows, 0);
  }
  FlowMeter meter(chains, options, sink, kept ? &*kept : nullptr);
  std::array<Packet, FlowMeter::max_batch> batch{};
  std::array<const PacketRecord*, FlowMeter::max_batch> records{};
  for (std::size_t i = 0; i < batch.size(); ++i)
    records[i] = &batch[i].record;

  // All within ten seconds of packet time, so that no flow is idle.
  constexpr std::uint64_t start_ns = 1'700'000'000'000'000'000;
  const auto feed = [&](std::uint64_t count, auto&& pick) {
    for (std::uint64_t done = 0; done < count; done += batch.size()) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        make(batch[i], pick(done + i), start_ns + (done + i) * 10'000'000'000 / (count + batch.size()));
        meter.announce(batch[i].record);
      }
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
  std::printf("{\"what\": \"%s\", \"flows\": %llu, \"packets\": %llu, \"seconds\": %.6f, \"octets_per_flow\": %.1f}\n",
              is_kept ? "kept flow table" : "flow table", static_cast<unsigned long long>(flows),
              static_cast<unsigned long long>(packets), seconds.count(),
              static_cast<double>(meter.memory_bytes()) / static_cast<double>(flows));
}

/// Touches what a packet of a random flow would, asked for so many packets ahead that memory is busy all the time.
void run_limit(std::uint64_t flows, std::uint64_t packets) {
  constexpr std::uint64_t ahead = 32, flow_bytes = 128, line_bytes = 64, flows_a_bucket = 5;
  const MemoryArea slab(flows * flow_bytes), index((flows / flows_a_bucket + 1) * line_bytes);
  std::memset(slab.data(), 1, slab.size());
  std::memset(index.data(), 1, index.size());
  const auto lines_of = [&](std::uint64_t packet) {
    const std::uint64_t flow = mix(packet) % flows, bucket = mix(flow + 1) % (flows / flows_a_bucket + 1);
    return std::array{index.data() + bucket * line_bytes, slab.data() + flow * flow_bytes,
                      slab.data() + flow * flow_bytes + line_bytes};
  };
  unsigned sum = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t packet = 0; packet < packets; ++packet) {
    for (const std::byte* const line : lines_of(packet + ahead))
      __builtin_prefetch(line, 1);
    for (std::byte* const line : lines_of(packet)) {
      sum += std::to_integer<unsigned>(*line);
      *line ^= std::byte{1};
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("{\"what\": \"memory\", \"flows\": %llu, \"packets\": %llu, \"seconds\": %.6f, \"sum\": %u}\n",
              static_cast<unsigned long long>(flows), static_cast<unsigned long long>(packets), seconds.count(), sum);
}

} // namespace

int main(int argc, char** argv) {
  const bool is_kept = argc > 1 && std::strcmp(argv[1], "--kept") == 0;
  const int first = is_kept ? 2 : 1;
  if (argc < first + 2) {
    std::fputs("usage: table_bench [--kept] PACKETS FLOWS...\n", stderr);
    return 2;
  }
  const std::uint64_t packets = std::strtoull(argv[first], nullptr, 10);
  for (int i = first + 1; i < argc; ++i) {
    const std::uint64_t flows = std::strtoull(argv[i], nullptr, 10);
    run(flows, packets, is_kept);
    if (!is_kept)
      run_limit(flows, packets);
  }
  return 0;
}
