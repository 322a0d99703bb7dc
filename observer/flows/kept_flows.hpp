// SPDX-License-Identifier: GPL-3.0-or-later
// What an observer of a supervised session leaves, should it die: its flows, and where it was. In memory that outlives
// it (common/process/files/kept_memory.hpp): this, flow memory, what lies beside flows, the slab of the flow table. The
// index and the timers are not there: whoever follows gives out the flows and begins with an empty table.
//
// Nothing is copied for it. A packet costs one store, the count of its flow's packets; a batch the place where the next
// one begins; a flow that leaves a note of what will be when it has left, which is then done in one step, or done again
// by the follower.
#pragma once

#include "common/memory_area.hpp"
#include "common/process/files/kept_memory.hpp"
#include "observer/flows/flow_meter_counters.hpp"

#include <array>
#include <cstdint>

namespace orbweaver {

/// What there is no room for in a kept flow's first cache line, in a list by slot.
struct BesideFlow {
  std::uint32_t packets_high; ///< its packets by 2^16; once in so many a packet comes here
  std::uint16_t completed;    ///< Flow::completed
  std::uint16_t reserved;
};

/// At the start of the memory. Written by the observer at work, read by the next one.
struct KeptFlows {
  static constexpr std::uint64_t whole = 0x31574f4c46425745; // "EWBFLOW1"
  static constexpr std::uint64_t nowhere = ~std::uint64_t{0};
  static constexpr std::uint32_t no_slot = ~std::uint32_t{0};

  std::uint64_t magic; ///< `whole` once the sizes are there
  std::uint64_t max_flows;
  std::uint64_t flow_memory_octets;
  std::uint64_t state_bytes; ///< of a flow

  /// Where in the packet ring the batch at work begins, and what had been counted up to there.
  struct Batch {
    std::uint64_t position;
    std::uint64_t received; ///< packets
    std::uint64_t lost;     ///< of them those that were stepped over
    std::uint64_t packets;  ///< that are at work; 0: none
    std::uint64_t last_ns;  ///< time of the latest packet before it
  };
  std::array<Batch, 2> batches;
  std::uint64_t current; ///< which of them is valid

  /// A row that is about to be committed.
  struct Pending {
    std::uint64_t position; ///< in the flow ring once it is; `nowhere`: there is none
    std::uint64_t place;    ///< 0: a flow, 1: an event
    std::uint64_t count;    ///< how many of them there are then
  } pending;
  std::array<std::uint64_t, 2> rows; ///< committed: flows, events

  /// Of the flows that have left the table.
  struct Left {
    std::uint64_t packets; ///< of all of them
    std::uint64_t ignored; ///< of those that a chain vetoed
    std::uint64_t broken;  ///< of those that were broken off, as a packet of theirs was at work when the observer died
    std::uint64_t vetoed_flows;
    std::uint64_t broken_flows;
    std::uint64_t dropped_flows;     ///< nobody was there to take them
    std::uint64_t interrupted_flows; ///< given out by a follower
  } left;
  /// A flow that is leaving, and what `left` will be.
  struct Leaving {
    std::uint32_t slot;
    bool has_ended; ///< the chains were told
    bool is_gone;   ///< without a row
    Left after;
  } leaving;

  std::uint64_t offset_ns; ///< from what packets say to the clock
  std::uint32_t slots_used;
  bool is_ticking;            ///< the clock steps: flows leave, and none has a packet at work
  std::uint32_t recoveries;   ///< begun since the last completed one, after deaths by a fault of its own
  std::uint64_t died_at;      ///< position of the packet that was at work at the last death by a fault of its own
  std::uint64_t poison;       ///< packets stepped over
  FlowMeterCounters counters; ///< the meter's
};

/// The memory with its sizes.
class KeptTable {
public:
  /// Where it is empty it gets these sizes, else it has those that it got then. Throws Error where it is of another
  /// choice of chains.
  KeptTable(int fd, std::uint32_t state_bytes, std::uint64_t max_flows, std::uint64_t flow_memory_octets);

  [[nodiscard]] KeptFlows& flows() const noexcept { return *flows_; }
  /// Whether somebody was at work on it before.
  [[nodiscard]] bool is_left() const noexcept { return is_left_; }
  [[nodiscard]] MemoryArea memory() const;
  [[nodiscard]] MemoryArea slab() const;
  /// For a BesideFlow of each slot.
  [[nodiscard]] MemoryArea beside() const;

private:
  [[nodiscard]] std::uint64_t beside_offset() const noexcept;
  [[nodiscard]] std::uint64_t slab_offset() const noexcept;
  [[nodiscard]] MemoryArea area(std::uint64_t offset, std::uint64_t octets) const;

  static constexpr std::uint64_t header_octets = 4096;
  static_assert(sizeof(KeptFlows) <= header_octets);

  int fd_;
  std::uint64_t flow_bytes_;
  KeptFlows* flows_;
  bool is_left_;
};

} // namespace orbweaver
