// SPDX-License-Identifier: GPL-3.0-or-later
// What one core can do at best in a single process: the mapped reader's walk and the dissection, and the same with a
// flow table that counts packets and octets and runs the tcp chain, prefetched, but never expires or writes a flow.
// Prints a line of JSON for each: {"what": ..., "packets": N, "seconds": S}.
#include "capture/dissect/dissector.hpp"
#include "capture/dissect/flow_hash.hpp"
#include "capture/dissect/plain_packet.hpp"
#include "capture/sources/open_source.hpp"
#include "observer/chain/library_chains.hpp"
#include "observer/flows/flow_scope.hpp"
#include "observer/flows/flow_table.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>

namespace {

using namespace orbweaver;

struct alignas(64) Packet {
  PacketRecord record;
  std::uint8_t addresses[32];
};

template <std::uint8_t version>
bool dissect_plain(const Frame& frame, Packet& packet) {
  PlainPacket<version> plain;
  if (!plain.fits(frame) || !plain.read(frame, Need::none))
    return false;
  plain.write(plain.hash(1), reinterpret_cast<std::byte*>(&packet));
  return true;
}

bool dissect_any(const Frame& frame, Packet& packet) {
  PacketDraft draft;
  if (dissect(frame, Need::none, draft) != Outcome::packet)
    return false;
  draft.record.flow_hash = static_cast<std::uint32_t>(flow_hash(draft.record.key, draft.addresses, 1));
  packet.record = draft.record;
  std::memcpy(packet.addresses, draft.addresses, sizeof draft.addresses);
  return true;
}

/// Reads the capture once, handing over batches of dissected packets; returns how many frames there were.
template <typename Handle>
std::uint64_t walk(const std::string& path, Handle&& handle) {
  SourceOptions options;
  options.name = path;
  const auto source = open_source(options);
  std::array<Frame, frame_batch> frames{};
  static std::array<Packet, frame_batch> packets;
  std::uint64_t total = 0;
  for (;;) {
    const auto result = source->read(frames);
    if (result.status != Source::Status::frames)
      return total;
    total += result.count;
    std::size_t count = 0;
    for (const Frame& frame : std::span(frames.data(), result.count))
      count += dissect_plain<4>(frame, packets[count]) || dissect_plain<6>(frame, packets[count]) ||
               dissect_any(frame, packets[count]);
    handle(std::span(packets.data(), count));
  }
}

template <typename Run>
void measure(const char* what, Run&& run) {
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t packets = run();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("{\"what\": \"%s\", \"packets\": %llu, \"seconds\": %.6f}\n", what,
              static_cast<unsigned long long>(packets), seconds.count());
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: limit CAPTURE\n", stderr);
    return 2;
  }
  const std::string path = argv[1];
  std::uint64_t octets = 0;
  measure("walk and dissection", [&] {
    return walk(path, [&](std::span<const Packet> packets) {
      for (const Packet& packet : packets)
        octets += packet.record.ip_length;
    });
  });

  const std::array<std::string, 2> names{"basic", "tcp"};
  const ChainSet chains = choose_chains<LibraryChains>(names);
  FlowTable table(chains.state_bytes(), 1 << 24);
  struct Nowhere final : RowSink {
    void row(const Row&) noexcept override {}
  } nowhere;
  FlowMemory memory(0); // these chains want none
  FlowScope scope(chains.choice(), memory, nowhere);
  measure("and a flow table with prefetch", [&] {
    return walk(path, [&](std::span<Packet> packets) {
      std::array<std::uint32_t, frame_batch> likely_slots;
      for (const Packet& packet : packets)
        table.prefetch_index(packet.record.flow_hash);
      for (std::size_t i = 0; i < packets.size(); ++i)
        likely_slots[i] = table.prefetch_flow(packets[i].record.flow_hash);
      for (std::size_t i = 0; i < packets.size(); ++i) {
        const Packet& packet = packets[i];
        const PacketView view(&packet.record);
        const std::uint32_t hash = packet.record.flow_hash;
        std::uint32_t slot = table.holds(likely_slots[i], view) ? likely_slots[i] : table.find(hash, view);
        if (slot == FlowTable::none) {
          slot = table.insert(hash, view);
          ChainCalls<LibraryChains>::new_flow(chains, table.flow(slot).states(), view, scope);
          table.flow(slot).state = FlowState::active;
          table.flow(slot).bits = view.from_high() ? FlowBits::forward_from_high : 0;
        }
        Flow& flow = table.flow(slot);
        flow.last_ns = packet.record.time_ns;
        ChainCalls<LibraryChains>::packet(
            chains, flow.states(), view, view.from_high() != static_cast<bool>(flow.bits & FlowBits::forward_from_high),
            scope);
      }
    });
  });
  std::fprintf(stderr, "%llu octets, %llu flows\n", static_cast<unsigned long long>(octets),
               static_cast<unsigned long long>(table.size()));
  return 0;
}
