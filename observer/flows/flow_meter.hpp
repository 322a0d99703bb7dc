// SPDX-License-Identifier: GPL-3.0-or-later
// The heart of an observer: packets in, flows out. Finds or opens the flow of each packet, runs the chains, and lets
// flows expire by the packet clock. One thread; knows nothing of rings.
//
// The clock, exactly: ticks give seconds in order. A flow is idle, and leaves, at second ceil(latest packet + idle
// timeout). A flow that a chain completes leaves at second ceil(latest packet + complete timeout), but not before the
// complete timeout has passed since the clock's second at which it was completed, and when the idle timeout has (or the
// complete timeout, where that is longer); at once where a SYN without ACK comes. A second that has passed when it
// comes to be set, since packets are older than the clock, is the next one.
//
// A flow whose record has left, completed or cut by the active timeout, is not gone before it is idle: it stays in its
// place, dormant, and its next packet begins another record in the same direction.
//
// Packets say times; the clock is theirs, but for an offset where their clock was set back (moved()).
#pragma once

#include "common/memory_area.hpp"
#include "common/process/options/defaults.hpp"
#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/packet_record.hpp"
#include "observer/chain/chain_set.hpp"
#include "observer/flows/flow_memory.hpp"
#include "observer/flows/flow_meter_counters.hpp"
#include "observer/flows/flow_scope.hpp"
#include "observer/flows/flow_table.hpp"
#include "observer/flows/kept_flows.hpp"
#include "observer/flows/row.hpp"
#include "observer/flows/timer_wheel.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace orbweaver {

struct FlowMeterOptions {
  std::uint64_t idle_timeout_s = default_idle_timeout_s;
  std::uint64_t complete_timeout_s = default_complete_timeout_s;
  std::uint64_t active_timeout_s = 0; ///< 0: none
  std::uint64_t max_flows = 1 << 20;
  std::uint64_t flow_memory_octets = std::uint64_t{64} << 20; ///< for what flows hold of variable length
  CompleteRule complete = CompleteRule::any;
  std::uint32_t key_octets = 0; ///< room for key extensions: key_octets_of(needs of the packets)
};

/// What a flow takes for a key extension where packets have those (Need), its length included.
[[nodiscard]] constexpr std::uint32_t key_octets_of(std::uint32_t needs) noexcept {
  const std::uint32_t octets =
      (needs & Need::key_vlan ? max_vlan_key : 0) + (needs & Need::key_tunnel ? max_tunnel_key : 0);
  return octets == 0 ? 0 : (2 + octets + 7) / 8 * 8;
}

/// The longest timeout that can be asked for: a day.
inline constexpr std::uint64_t max_timeout_s = 86'400;
/// The longest for completed flows, whose second is known modulo 2^16.
inline constexpr std::uint64_t max_complete_timeout_s = 32'768;

/// `List` is a ChainList, which `chains` are chosen from. The members are in flow_meter_impl.hpp, instantiated for the
/// library's chains alone.
template <typename List>
class BasicFlowMeter {
public:
  /// `chains` and `sink` outlive the meter. Throws Error where there is not the memory for `max_flows`.
  BasicFlowMeter(const ChainSet& chains, const FlowMeterOptions& options, RowSink& sink)
      : BasicFlowMeter(chains, options, sink, nullptr) {}

  /// The same with flows that outlive the process, in a table for the same chains; `options` have its sizes.
  BasicFlowMeter(const ChainSet& chains, const FlowMeterOptions& options, RowSink& sink, const KeptTable* kept);

  /// Handles packets in order. The more at once, the better they wait together for memory: about max_batch.
  void packets(std::span<const PacketRecord* const> batch) noexcept;
  static constexpr std::size_t max_batch = 128;

  /// A packet that the next batch will have: memory begins to work for it. For who has it at hand anyway; a batch that
  /// was not announced waits longer.
  [[gnu::always_inline]] void announce(const PacketRecord& packet) const noexcept {
    table_.prefetch_index(packet.flow_hash);
  }

  /// The clock comes to this second; nothing where it is there already.
  void tick(std::uint64_t second) noexcept;

  /// From here on the clock is what packets say and this, modulo 2^64: their clock was set.
  void moved(std::uint64_t offset_ns) noexcept {
    offset_ns_ = offset_ns;
    if (kept_)
      kept_->offset_ns = offset_ns;
  }

  /// Packets were lost on the way, the last one at that time. Flows that are open carry the loss, and those that open
  /// with a packet that is not later.
  void lost(std::uint64_t packets, std::uint64_t to_ns) noexcept {
    lost_before_ = counters_.packets_lost;
    constexpr auto for_good = std::numeric_limits<std::uint64_t>::max();
    lost_to_ns_ = std::max(lost_to_ns_, to_ns == for_good ? for_good : to_ns + offset_ns_);
    counters_.packets_lost += packets;
  }

  // What a predecessor left, in this order; it may be begun again any number of times.

  /// Ends what the predecessor was at when it died, whose flow stream is whole up to `committed`. Returns how many
  /// packets it has handled in its life, modulo 2^16.
  std::uint16_t settle(std::uint64_t committed) noexcept;
  /// A packet was at work: its flow may be half changed, and is not given out.
  void break_off(PacketView packet) noexcept;
  /// Gives out all flows that are left, and begins with an empty table. `discard`: gives out none of them.
  void give_out_left(bool discard) noexcept;

  /// The input has ended: all flows leave.
  void flush() noexcept;

  [[nodiscard]] const FlowMeterCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t open_flows() const noexcept { return table_.size() - vetoed_ - dormant_; }
  /// Octets of memory that the flows, their index and their timers take: bounded by the most flows open at once,
  /// whatever the timeouts and however many came and went.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;
  [[nodiscard]] std::uint64_t clock() const noexcept { return clock_; }
  [[nodiscard]] const FlowMemory& flow_memory() const noexcept { return memory_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return scope_.events(); }

private:
  template <bool is_kept>
  [[gnu::always_inline]] inline void packet(PacketView packet, std::uint32_t likely_slot) noexcept;
  template <bool is_kept>
  void all_packets(std::span<const PacketRecord* const> batch) noexcept;
  std::uint32_t find_or_open(PacketView packet) noexcept;
  bool look_at(Flow& flow, std::uint32_t slot, PacketView packet) noexcept;
  void begin_record(Flow& flow, std::uint32_t slot, PacketView packet) noexcept;
  void learn_opener(Flow& flow, PacketView packet) noexcept;
  void turn(Flow& flow) noexcept;
  [[nodiscard]] std::uint64_t idle_second(const Flow& flow) const noexcept;
  [[nodiscard]] std::uint64_t leaving_second(const Flow& flow, std::uint32_t slot) const noexcept;
  /// Which chains said complete; of a completed flow the clock's second when it was, modulo 2^16.
  [[nodiscard]] std::uint16_t& completion(Flow& flow, std::uint32_t slot) const noexcept {
    return kept_ ? beside_[slot].completed : flow.completed;
  }
  [[nodiscard]] bool is_complete(Flow& flow, std::uint32_t slot, std::uint64_t done) const noexcept;
  void complete(Flow& flow, std::uint32_t slot) noexcept;
  void give_out(Flow& flow, std::uint32_t slot, EndReason reason) noexcept;
  void leave(std::uint32_t slot, EndReason reason) noexcept;
  void emit(Flow& flow, EndReason reason) noexcept;
  void begin_leaving(Flow& flow, std::uint32_t slot) noexcept;
  void end_leaving() noexcept;
  void lose(Flow& flow, std::uint32_t slot) noexcept;
  /// Of a flow that is kept: its packets.
  [[nodiscard]] std::uint64_t packets_of(const Flow& flow, std::uint32_t slot) const noexcept {
    return std::uint64_t{beside_[slot].packets_high} << 16 | flow.packets_low;
  }
  void count(Flow& flow, std::uint32_t slot) noexcept {
    if (++flow.packets_low == 0) [[unlikely]]
      ++beside_[slot].packets_high;
  }
  void active_entries(std::uint64_t second) noexcept;
  void idle_entries(std::uint64_t second) noexcept;
  void leaving_entries(std::uint64_t second) noexcept;
  void schedule_idle(Flow& flow, std::uint32_t slot) noexcept;
  void schedule_active(Flow& flow, std::uint32_t slot) noexcept;
  [[nodiscard]] std::uint64_t second_of(std::uint32_t entry_s) const noexcept;
  void make_room() noexcept;
  void find_victims() noexcept;
  void find_dormant() noexcept;
  void schedule_leaving(Flow& flow, std::uint32_t slot) noexcept;
  void add_active(std::uint64_t second, Flow& flow, std::uint32_t slot) noexcept;
  void sweep(TimerWheel& wheel) noexcept;
  [[nodiscard]] bool take_out(const TimerWheel& wheel, std::uint64_t second, Flow& flow, std::uint32_t slot) noexcept;
  template <typename Visit>
  void take(TimerWheel& wheel, std::uint64_t second, Visit&& visit) noexcept;

  /// Of a slot, where there is an active timeout; seconds modulo 2^32.
  struct ActiveTimer {
    std::uint32_t due_s;   ///< when the flow that it has is cut
    std::uint32_t entry_s; ///< the slot's entry in the active wheel (FlowBits::in_active)
  };
  [[nodiscard]] ActiveTimer& active_timer(std::uint32_t slot) noexcept {
    return reinterpret_cast<ActiveTimer*>(active_timers_.data())[slot];
  }

  /// A flow that may have to make room, and when it was idle since.
  struct Victim {
    std::uint64_t latest_ns;
    std::uint32_t slot;
  };

  /// Two fields that say the same of one direction each; where they lie among the states.
  struct Mirrored {
    std::uint32_t forward, reverse, octets;
  };

  const ChainSet& chains_;
  KeptFlows* const kept_; ///< nullptr: the flows go with the process
  MemoryArea beside_area_;
  BesideFlow* const beside_; ///< of each slot that is kept
  FlowMemory memory_;
  FlowScope scope_;
  FlowTable table_;
  TimerPool timers_;
  TimerWheel idle_;
  TimerWheel active_; ///< of flows that have an active timeout
  TimerWheel leaving_;
  MemoryArea active_timers_;    ///< for each slot, if there is an active timeout
  std::vector<Victim> victims_; ///< the longest idle last
  std::vector<Mirrored> mirrored_;
  std::uint64_t idle_timeout_ns_;
  std::uint64_t complete_timeout_s_;
  std::uint64_t completed_at_most_s_; ///< that a completed flow stays
  std::uint64_t active_timeout_s_;
  CompleteRule complete_;
  bool scoped_; ///< hooks want to know which flow they are at work on
  std::uint64_t clock_ = 0;
  std::uint64_t clock_ns_ = 0;  ///< the same in nanoseconds
  std::uint64_t offset_ns_ = 0; ///< from what packets say to the clock
  std::uint64_t vetoed_ = 0;
  std::uint64_t dormant_ = 0;
  std::uint32_t ended_slot_ = KeptFlows::no_slot; ///< of a predecessor's flow whose chains were told that it ends
  std::uint64_t lost_before_ = 0;                 ///< packets that were lost before the last loss
  std::uint64_t lost_to_ns_ = 0;                  ///< when the latest of them were captured
  FlowMeterCounters own_counters_;
  FlowMeterCounters& counters_; ///< these, or those that are kept
};

using FlowMeter = BasicFlowMeter<LibraryChains>;
extern template class BasicFlowMeter<LibraryChains>;

} // namespace orbweaver
