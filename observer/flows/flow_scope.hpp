// SPDX-License-Identifier: GPL-3.0-or-later
// The flow that chains are at work on: what a hook's context does goes to this flow's memory, and what it emits carries
// this flow's addresses. One for an observer; its thread.
#pragma once

#include "observer/chain/chain_choice.hpp"
#include "observer/flows/flow.hpp"
#include "observer/flows/flow_memory.hpp"
#include "observer/flows/row.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace orbweaver {

class FlowScope final : public FlowServices {
public:
  /// All outlive the scope. `choice` wants no memory: there is none.
  FlowScope(const ChainChoice& choice, FlowMemory& memory, RowSink& sink)
      : choice_(choice), memory_(memory), sink_(sink) {}

  /// What comes next is of that flow, at the time of that packet.
  void enter(Flow& flow, std::uint64_t time_ns) noexcept {
    flow_ = &flow;
    time_ns_ = time_ns;
  }
  /// The flow is new: it holds nothing yet.
  void begin() noexcept {
    if (choice_.wants_memory())
      first_block() = 0;
  }
  /// The flow goes: what it holds is free.
  void release() noexcept {
    if (choice_.wants_memory())
      memory_.release_all(first_block());
  }
  /// Gives the flow out as a row.
  void give_out(const FlowRecord& record) noexcept;

  bool store(TailRef& ref, std::span<const std::byte> octets) noexcept override {
    return memory_.store(first_block(), ref, octets);
  }
  bool append(TailRef& ref, std::span<const std::byte> octets) noexcept override {
    return memory_.append(first_block(), ref, octets);
  }
  void release(TailRef& ref) noexcept override { memory_.release(first_block(), ref); }
  [[nodiscard]] std::span<const std::byte> octets(const TailRef& ref) const noexcept override {
    return memory_.octets(ref);
  }
  void emit(std::uint16_t table, const std::byte* event) noexcept override;

  /// Events given out so far.
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

private:
  /// Behind the states, which are a multiple of 8 octets.
  [[nodiscard]] FlowMemory::Place& first_block() const noexcept {
    return *reinterpret_cast<FlowMemory::Place*>(flow_->states() + choice_.record_bytes());
  }

  const ChainChoice& choice_;
  FlowMemory& memory_;
  RowSink& sink_;
  Flow* flow_ = nullptr;
  std::uint64_t time_ns_ = 0;
  std::uint64_t events_ = 0;
  std::vector<Row::Tail> tails_; ///< of the row at hand
  std::vector<std::byte> views_; ///< what an event's views hold, one after another
  std::vector<std::byte> body_;  ///< the event, padded to 8 octets
};

/// The ends of a flow, forward and reverse, as records have them.
struct FlowEnds {
  Address source{}, destination{};
  std::int32_t source_port = -1, destination_port = -1;
};
[[nodiscard]] inline FlowEnds ends_of(const Flow& flow) noexcept {
  FlowEnds ends;
  ends.source.version = ends.destination.version = flow.key.version;
  const std::size_t from = flow.bits & FlowBits::forward_from_high ? 1 : 0;
  const std::size_t size = flow.key.version == 4 ? 4 : 16;
  std::memcpy(ends.source.octets, flow.addresses + from * size, size);
  std::memcpy(ends.destination.octets, flow.addresses + (1 - from) * size, size);
  if (flow.key.has_ports) {
    ends.source_port = flow.key.ports[from];
    ends.destination_port = flow.key.ports[1 - from];
  }
  return ends;
}

} // namespace orbweaver
