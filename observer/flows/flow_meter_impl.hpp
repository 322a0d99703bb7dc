// SPDX-License-Identifier: GPL-3.0-or-later
// The members of BasicFlowMeter, for who instantiates it: flow_meter.cpp for the library's chains, tests for their own.
#pragma once

#include "observer/chain/chain_calls.hpp"
#include "observer/flows/flow_meter.hpp"
#include "observer/marks.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <limits>
#include <utility>

namespace orbweaver {

namespace metering {

inline constexpr std::uint64_t ns_per_s = 1'000'000'000;
/// A wheel for a timeout reaches a second further: a time within a second counts from the second's end.
constexpr std::uint64_t horizon_of(std::uint64_t timeout_s) noexcept {
  return timeout_s + 1;
}

/// Beyond this a second is no time of day but damage (in 2554): the clock does not follow it, so that a timeout later
/// still fits into nanoseconds.
inline constexpr std::uint64_t last_second =
    std::numeric_limits<std::uint64_t>::max() / ns_per_s - horizon_of(max_timeout_s);

inline std::uint64_t ceil_seconds(std::uint64_t ns) noexcept {
  return ns / ns_per_s + (ns % ns_per_s != 0);
}

inline std::uint32_t table_hash(const PacketRecord& record) noexcept {
  return static_cast<std::uint32_t>(record.flow_hash);
}

/// Why a flow leaves that leaves for this reason if it is still active.
inline EndReason reason_of(const Flow& flow, EndReason if_active) noexcept {
  return flow.state == FlowState::completed ? EndReason::end_of_flow : if_active;
}

/// Whether it is a connection of one endpoint with itself, which has one direction.
inline bool is_with_itself(const Flow& flow) noexcept {
  const std::size_t octets = addresses_length(flow.key.version) / 2;
  return flow.key.ports[0] == flow.key.ports[1] && std::memcmp(flow.addresses, flow.addresses + octets, octets) == 0;
}

inline FlowRecord record_of(const Flow& flow, EndReason reason, std::uint64_t losses) noexcept {
  FlowRecord record{};
  record.first_ns = flow.first_ns;
  record.last_ns = flow.last_ns;
  record.ring_drops = static_cast<std::uint32_t>(losses) - flow.losses_before;
  record.protocol = flow.key.protocol;
  record.end_reason = reason;
  const FlowEnds ends = ends_of(flow);
  record.source = ends.source;
  record.destination = ends.destination;
  record.source_port = ends.source_port;
  record.destination_port = ends.destination_port;
  return record;
}

/// Entries that the wheels hold at most for each slot: one that it leaves by, and two before a sweep in each other one.
inline std::uint64_t timers_a_flow(const FlowMeterOptions& options) noexcept {
  return options.active_timeout_s != 0 ? 5 : 3;
}

inline std::uint64_t most_flows(const FlowMeterOptions& options) noexcept {
  return std::min(options.max_flows, TimerPool::most_entries / timers_a_flow(options));
}

inline std::uint64_t buckets_of(const FlowMeterOptions& options) noexcept {
  std::uint64_t buckets = 0;
  for (const std::uint64_t timeout_s : {options.idle_timeout_s, options.active_timeout_s, options.complete_timeout_s})
    buckets += TimerWheel::buckets(horizon_of(timeout_s));
  return buckets;
}

} // namespace metering

template <typename List>
BasicFlowMeter<List>::BasicFlowMeter(const ChainSet& chains, const FlowMeterOptions& options, RowSink& sink,
                                     const KeptTable* kept)
    : chains_(chains), kept_(kept ? &kept->flows() : nullptr), beside_area_(kept ? kept->beside() : MemoryArea()),
      beside_(reinterpret_cast<BesideFlow*>(beside_area_.data())),
      memory_(chains.wants_memory() ? options.flow_memory_octets : 0, kept ? kept->memory() : MemoryArea()),
      scope_(chains.choice(), memory_, sink),
      table_(chains.state_bytes(), metering::most_flows(options), kept ? kept->slab() : MemoryArea(),
             kept ? &kept_->slots_used : nullptr),
      timers_(table_.max_flows() * metering::timers_a_flow(options) + metering::buckets_of(options),
              metering::buckets_of(options)),
      idle_(timers_, metering::horizon_of(options.idle_timeout_s)),
      active_(timers_, metering::horizon_of(options.active_timeout_s)),
      leaving_(timers_, metering::horizon_of(options.complete_timeout_s)),
      idle_timeout_ns_(options.idle_timeout_s * metering::ns_per_s), complete_timeout_s_(options.complete_timeout_s),
      completed_at_most_s_(
          std::min(std::max(options.idle_timeout_s, options.complete_timeout_s), max_complete_timeout_s)),
      active_timeout_s_(options.active_timeout_s), complete_(options.complete), scoped_(chains.wants_memory()),
      counters_(kept ? kept_->counters : own_counters_) {
  if (active_timeout_s_ != 0)
    active_timers_ = MemoryArea(table_.max_flows() * sizeof(ActiveTimer));
  if (kept_)
    offset_ns_ = kept_->offset_ns;
  const TableDescription& flows = chains.describe().tables.front();
  for (const auto& field : flows.fields)
    if (const auto& mirror = flows.mirror_of(field); field.offset >= sizeof(FlowRecord) && field.offset < mirror.offset)
      mirrored_.push_back({field.offset - static_cast<std::uint32_t>(sizeof(FlowRecord)),
                           mirror.offset - static_cast<std::uint32_t>(sizeof(FlowRecord)), field_size(field.type)});
}

template <typename List>
std::uint64_t BasicFlowMeter<List>::memory_bytes() const noexcept {
  const std::uint64_t active_timers = active_timeout_s_ != 0 ? table_.slots_used() * sizeof(ActiveTimer) : 0;
  return table_.memory_bytes() + active_timers + memory_.touched_octets() + timers_.memory_bytes() +
         idle_.memory_bytes() + active_.memory_bytes() + leaving_.memory_bytes() + victims_.capacity() * sizeof(Victim);
}

template <typename List>
void BasicFlowMeter<List>::packets(std::span<const PacketRecord* const> batch) noexcept {
  kept_ ? all_packets<true>(batch) : all_packets<false>(batch);
}

template <typename List>
template <bool is_kept>
void BasicFlowMeter<List>::all_packets(std::span<const PacketRecord* const> batch) noexcept {
  // In groups, looked up a group before they are counted: memory works for later packets while these are. With
  // 200,000 flows open a packet takes 32 ns, and 55 where all of a batch goes through one step before the next; a
  // packet at a time is slower again with 10 million flows, whose addresses are then not looked up side by side.
  constexpr std::size_t group = 8;
  std::array<std::uint32_t, 2 * group> likely_slots;
  const std::size_t count = batch.size();
  const std::uint64_t ignored_before = counters_.packets_ignored;
  for (std::size_t at = 0; at < count + group; at += group) {
    for (std::size_t i = at; i < std::min(at + group, count); ++i)
      likely_slots[i % (2 * group)] = table_.prefetch_flow(metering::table_hash(*batch[i]));
    if (at >= group)
      for (std::size_t i = at - group; i < std::min(at, count); ++i)
        packet<is_kept>(PacketView(batch[i]), likely_slots[i % (2 * group)]);
  }
  counters_.packets_counted += count - (counters_.packets_ignored - ignored_before);
}

template <typename List>
template <bool is_kept>
void BasicFlowMeter<List>::packet(PacketView packet, std::uint32_t likely_slot) noexcept {
  const std::uint64_t now_ns = packet->time_ns + offset_ns_;
  if (now_ns > clock_ns_) [[unlikely]]
    tick(metering::ceil_seconds(now_ns)); // a stream without the tick that belongs before this packet
  const std::uint32_t slot = table_.holds(likely_slot, packet) ? likely_slot : find_or_open(packet);
  Flow& flow = table_.flow(slot);
  if (flow.state != FlowState::active || !(flow.bits & FlowBits::opener_known)) [[unlikely]]
    if (!look_at(flow, slot, packet))
      return;
  flow.latest_ns = std::max(flow.latest_ns, now_ns);
  if (packet->time_ns >= flow.last_ns) [[likely]]
    flow.last_ns = packet->time_ns;
  else
    flow.first_ns = std::min(flow.first_ns, packet->time_ns);
  if (packet.is_icmp_error()) [[unlikely]]
    ++counters_.icmp_errors;
  static_assert(PacketBits::from_high == FlowBits::forward_from_high);
  const bool rev = (packet->bits ^ flow.bits) & PacketBits::from_high;
  if (scoped_) [[unlikely]]
    scope_.enter(flow, packet->time_ns);
  const std::uint64_t done = ChainCalls<List>::packet(chains_, flow.states(), packet, rev, scope_);
  if constexpr (is_kept)
    count(flow, slot);
  if (done != 0 && flow.state == FlowState::active && is_complete(flow, slot, done))
    complete(flow, slot);
}

/// Of a packet whose flow is not active, or may yet turn round. Returns whether the chains get it.
template <typename List>
[[gnu::noinline]] bool BasicFlowMeter<List>::look_at(Flow& flow, std::uint32_t slot, PacketView packet) noexcept {
  if (flow.state == FlowState::completed && opener_by(packet) == Opener::sender)
    give_out(flow, slot, EndReason::end_of_flow); // and the next connection begins
  if (flow.state == FlowState::dormant) {
    --dormant_;
    if (opener_by(packet) == Opener::sender)
      flow.bits &= static_cast<std::uint8_t>(~FlowBits::opener_known);
    learn_opener(flow, packet);
    begin_record(flow, slot, packet);
  }
  learn_opener(flow, packet);
  if (flow.state != FlowState::vetoed)
    return true;
  flow.latest_ns = std::max(flow.latest_ns, packet->time_ns + offset_ns_);
  ++counters_.packets_ignored;
  if (kept_)
    count(flow, slot);
  return false;
}

/// The first packet of a flow, or the first since its record has left.
template <typename List>
void BasicFlowMeter<List>::begin_record(Flow& flow, std::uint32_t slot, PacketView packet) noexcept {
  const bool is_after_loss = packet->time_ns + offset_ns_ > lost_to_ns_;
  flow.first_ns = flow.last_ns = packet->time_ns;
  flow.losses_before = static_cast<std::uint32_t>(is_after_loss ? counters_.packets_lost : lost_before_);
  flow.completed = 0;
  if (kept_) {
    beside_area_.will_touch((std::size_t{slot} + 1) * sizeof(BesideFlow));
    beside_[slot] = {};
    in_order(); // only then it is a flow
  }
  scope_.enter(flow, packet->time_ns);
  scope_.begin();
  if (ChainCalls<List>::new_flow(chains_, flow.states(), packet, scope_)) {
    flow.state = FlowState::active;
    ++counters_.flows_opened;
    if (active_timeout_s_ != 0)
      schedule_active(flow, slot);
  } else {
    flow.state = FlowState::vetoed;
    scope_.release();
    ++counters_.flows_vetoed;
    ++vetoed_;
  }
}

/// Who opened it, where this packet says so; what has been seen until then changes its direction where it has to.
template <typename List>
void BasicFlowMeter<List>::learn_opener(Flow& flow, PacketView packet) noexcept {
  const Opener opener = opener_by(packet);
  if (flow.bits & FlowBits::opener_known || opener == Opener::unknown)
    return;
  flow.bits |= FlowBits::opener_known;
  const bool from_high = packet.from_high() == (opener == Opener::sender);
  if (from_high != ((flow.bits & FlowBits::forward_from_high) != 0) && !metering::is_with_itself(flow))
    turn(flow);
}

template <typename List>
void BasicFlowMeter<List>::turn(Flow& flow) noexcept {
  flow.bits ^= FlowBits::forward_from_high;
  std::byte* const states = flow.states();
  for (const auto& [forward, reverse, octets] : mirrored_)
    std::swap_ranges(states + forward, states + forward + octets, states + reverse);
}

/// Whether a flow is complete when these chains say so.
template <typename List>
bool BasicFlowMeter<List>::is_complete(Flow& flow, std::uint32_t slot, std::uint64_t done) const noexcept {
  if (complete_ == CompleteRule::any)
    return true;
  if (complete_ == CompleteRule::never)
    return false;
  // A bit a chain that can complete, in their order: as many as a flow has place for.
  std::uint16_t& completed = completion(flow, slot);
  std::uint64_t rest = chains_.completing();
  std::uint16_t all = 0;
  for (std::uint16_t bit = 1; rest != 0 && bit != 0; bit = static_cast<std::uint16_t>(bit << 1), rest &= rest - 1) {
    all |= bit;
    if (done & rest & (0 - rest))
      completed |= bit;
  }
  return all != 0 && completed == all;
}

template <typename List>
[[gnu::noinline]] std::uint32_t BasicFlowMeter<List>::find_or_open(PacketView packet) noexcept {
  const std::uint32_t hash = metering::table_hash(packet.record());
  if (const std::uint32_t slot = table_.find(hash, packet); slot != FlowTable::none)
    return slot;
  if (table_.full()) [[unlikely]]
    make_room();
  const std::uint32_t slot = table_.insert(hash, packet);
  Flow& flow = table_.flow(slot);
  // An ICMP error comes in the reverse direction of what it quotes.
  const bool forward_from_high = packet.from_high() != packet.is_icmp_error();
  flow.bits = static_cast<std::uint8_t>((flow.bits & FlowBits::in_wheels) |
                                        (forward_from_high ? FlowBits::forward_from_high : 0) |
                                        (packet->key.protocol == 6 ? 0 : FlowBits::opener_known));
  flow.latest_ns = packet->time_ns + offset_ns_;
  learn_opener(flow, packet);
  begin_record(flow, slot, packet);
  schedule_idle(flow, slot);
  return slot;
}

template <typename List>
std::uint64_t BasicFlowMeter<List>::idle_second(const Flow& flow) const noexcept {
  return metering::ceil_seconds(flow.latest_ns + idle_timeout_ns_);
}

/// Of a completed flow.
template <typename List>
std::uint64_t BasicFlowMeter<List>::leaving_second(const Flow& flow, std::uint32_t slot) const noexcept {
  const auto since_s = static_cast<std::uint16_t>(clock_ - completion(const_cast<Flow&>(flow), slot));
  const std::uint64_t completed_s = clock_ - since_s;
  const std::uint64_t by_packets = metering::ceil_seconds(flow.latest_ns) + complete_timeout_s_;
  return std::clamp(by_packets, completed_s + complete_timeout_s_, completed_s + completed_at_most_s_);
}

// Timers. An entry stays in its wheel until its second comes, whatever becomes of its flow: to take it out at once, one
// would have to know where it stands, and to tell the flow whose entry comes to stand there, a wait for memory for each
// flow that ends. A slot knows the second of its entry; one of another second that names the slot is dead.

/// The second to come that these 32 bits are of.
template <typename List>
std::uint64_t BasicFlowMeter<List>::second_of(std::uint32_t entry_s) const noexcept {
  return clock_ + static_cast<std::uint32_t>(entry_s - static_cast<std::uint32_t>(clock_));
}

/// Each flow has an entry at its idle second or before it. A new one is served by that of the flow that had its slot,
/// where that comes early enough: as a rule, since timeouts are the same for all. For one whose packets are older than
/// the clock it may be too late; then it is dead.
template <typename List>
void BasicFlowMeter<List>::schedule_idle(Flow& flow, std::uint32_t slot) noexcept {
  const std::uint64_t second = std::max(idle_second(flow), clock_ + 1);
  if (flow.bits & FlowBits::in_idle && second_of(flow.idle_entry_s) <= second)
    return;
  flow.bits |= FlowBits::in_idle;
  flow.idle_entry_s = static_cast<std::uint32_t>(second);
  idle_.add(second, slot);
  sweep(idle_);
}

/// For a flow that opens.
template <typename List>
void BasicFlowMeter<List>::schedule_active(Flow& flow, std::uint32_t slot) noexcept {
  const std::uint64_t due = clock_ + active_timeout_s_;
  auto& timer = active_timer(slot);
  timer.due_s = static_cast<std::uint32_t>(due);
  if (!(flow.bits & FlowBits::in_active) || second_of(timer.entry_s) > due)
    add_active(due, flow, slot);
}

template <typename List>
void BasicFlowMeter<List>::add_active(std::uint64_t second, Flow& flow, std::uint32_t slot) noexcept {
  flow.bits |= FlowBits::in_active;
  active_timer(slot).entry_s = static_cast<std::uint32_t>(second);
  active_.add(second, slot);
  sweep(active_);
}

/// For a completed flow. One that had the slot before may have left an entry; it comes earlier.
template <typename List>
void BasicFlowMeter<List>::schedule_leaving(Flow& flow, std::uint32_t slot) noexcept {
  if (flow.bits & FlowBits::in_leaving)
    return;
  flow.bits |= FlowBits::in_leaving;
  leaving_.add(leaving_second(flow, slot), slot);
}

/// Takes the dead entries out of a wheel where they are the most: there is an entry a slot that is not.
template <typename List>
void BasicFlowMeter<List>::sweep(TimerWheel& wheel) noexcept {
  if (wheel.size() <= 2 * std::uint64_t{table_.slots_used()} + wheel.horizon()) [[likely]]
    return;
  for (std::uint64_t second = clock_ + 1; second <= clock_ + wheel.horizon(); ++second)
    take(wheel, second, [&](Flow& flow, std::uint32_t slot) {
      flow.bits |= &wheel == &idle_ ? FlowBits::in_idle : FlowBits::in_active;
      wheel.add(second, slot);
    });
}

template <typename List>
[[gnu::noinline]] void BasicFlowMeter<List>::complete(Flow& flow, std::uint32_t slot) noexcept {
  completion(flow, slot) = static_cast<std::uint16_t>(clock_);
  flow.state = FlowState::completed;
  if (complete_timeout_s_ == 0)
    give_out(flow, slot, EndReason::end_of_flow);
  else
    schedule_leaving(flow, slot);
}

/// The record leaves, and the flow goes on if packets come before it is idle.
template <typename List>
void BasicFlowMeter<List>::give_out(Flow& flow, std::uint32_t slot, EndReason reason) noexcept {
  begin_leaving(flow, slot);
  emit(flow, reason);
  flow.state = FlowState::dormant;
  flow.completed = 0;
  if (kept_)
    beside_[slot] = {};
  ++dormant_;
  end_leaving();
}

/// It is idle, or has to make room.
template <typename List>
void BasicFlowMeter<List>::leave(std::uint32_t slot, EndReason reason) noexcept {
  Flow& flow = table_.flow(slot);
  begin_leaving(flow, slot);
  emit(flow, metering::reason_of(flow, reason));
  table_.erase(slot);
  end_leaving();
}

// A flow that leaves a kept table: what will have changed is written down first, then its row is committed, and then it
// is done. Who finds it half done looks whether the row was, and does the rest or all of it.

template <typename List>
void BasicFlowMeter<List>::begin_leaving(Flow& flow, std::uint32_t slot) noexcept {
  if (!kept_)
    return;
  const bool vetoed = flow.state == FlowState::vetoed;
  auto& leaving = kept_->leaving;
  kept_->pending.position = KeptFlows::nowhere;
  leaving.after = kept_->left;
  leaving.after.packets += packets_of(flow, slot);
  leaving.after.ignored += vetoed ? packets_of(flow, slot) : 0;
  leaving.after.vetoed_flows += vetoed;
  leaving.has_ended = false;
  leaving.is_gone = vetoed || flow.state == FlowState::dormant;
  in_order();
  leaving.slot = slot;
  in_order();
}

template <typename List>
void BasicFlowMeter<List>::end_leaving() noexcept {
  if (!kept_)
    return;
  in_order();
  kept_->left = kept_->leaving.after;
  in_order();
  kept_->leaving.slot = KeptFlows::no_slot;
  in_order();
}

/// A flow leaves without a row, and so do its packets.
template <typename List>
void BasicFlowMeter<List>::lose(Flow& flow, std::uint32_t slot) noexcept {
  begin_leaving(flow, slot);
  auto& leaving = kept_->leaving;
  if (!leaving.is_gone) {
    leaving.after.broken += packets_of(flow, slot);
    ++leaving.after.broken_flows;
    in_order();
    leaving.is_gone = true;
    in_order();
  }
  flow.state = FlowState::free;
  end_leaving();
}

template <typename List>
std::uint16_t BasicFlowMeter<List>::settle(std::uint64_t committed) noexcept {
  auto& pending = kept_->pending;
  auto& leaving = kept_->leaving;
  memory_.freeze(true);
  const bool has_row = pending.position != KeptFlows::nowhere && pending.position <= committed;
  if (has_row)
    kept_->rows[pending.place % 2] = pending.count;
  if (const std::uint32_t slot = leaving.slot; slot < kept_->slots_used) {
    Flow& flow = table_.flow(slot);
    if (leaving.is_gone || (has_row && pending.place == 0)) {
      flow.state = FlowState::free;
      end_leaving();
    } else if (chains_.has_ends() && !leaving.has_ended) {
      lose(flow, slot); // its chains may have been at it
    } else if (chains_.has_ends()) {
      ended_slot_ = slot;
    }
  }
  std::uint64_t packets = kept_->left.packets;
  for (std::uint32_t slot = 0; slot < kept_->slots_used; ++slot)
    if (const Flow& flow = table_.flow(slot); flow.state != FlowState::free)
      packets += flow.packets_low;
  return static_cast<std::uint16_t>(packets);
}

template <typename List>
void BasicFlowMeter<List>::break_off(PacketView packet) noexcept {
  for (std::uint32_t slot = 0; slot < kept_->slots_used; ++slot)
    if (Flow& flow = table_.flow(slot); flow.state != FlowState::free && flow.has_key_of(packet)) {
      if (flow.state == FlowState::dormant)
        flow.state = FlowState::free; // all that it had has left
      else
        lose(flow, slot);
    }
}

template <typename List>
void BasicFlowMeter<List>::give_out_left(bool discard) noexcept {
  const std::uint32_t slots = kept_->slots_used;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    Flow& flow = table_.flow(slot);
    if (flow.state == FlowState::dormant)
      flow.state = FlowState::free;
    if (flow.state == FlowState::free)
      continue;
    if (discard) {
      lose(flow, slot);
      continue;
    }
    begin_leaving(flow, slot);
    auto& leaving = kept_->leaving;
    leaving.has_ended = slot == ended_slot_;
    if (flow.state == FlowState::vetoed) {
      flow.state = FlowState::free;
    } else {
      ++leaving.after.interrupted_flows;
      emit(flow, metering::reason_of(flow, EndReason::forced_end));
      flow.state = FlowState::free;
    }
    end_leaving();
  }
  ended_slot_ = KeptFlows::no_slot;
  // All have left: what was counted of them is what has left.
  const auto& left = kept_->left;
  counters_.packets_ignored = left.ignored;
  counters_.packets_counted = left.packets - left.ignored - left.broken;
  counters_.flows_vetoed = left.vetoed_flows;
  counters_.flows_opened = kept_->rows[0] + left.dropped_flows + left.broken_flows;
  table_.renew(slots);
  in_order();
  kept_->slots_used = 0;
  memory_.freeze(false);
}

template <typename List>
void BasicFlowMeter<List>::emit(Flow& flow, EndReason reason) noexcept {
  if (flow.state == FlowState::vetoed || flow.state == FlowState::dormant) {
    --(flow.state == FlowState::vetoed ? vetoed_ : dormant_);
    return;
  }
  ++counters_.ended[static_cast<std::size_t>(reason)];
  scope_.enter(flow, flow.last_ns);
  if (chains_.has_ends() && !(kept_ && kept_->leaving.has_ended)) {
    ChainCalls<List>::end(chains_, flow.states(), {flow.first_ns, flow.last_ns, reason}, scope_);
    if (kept_) {
      in_order();
      kept_->leaving.has_ended = true;
      kept_->pending.position = KeptFlows::nowhere; // an event of the end is not the flow's row
      in_order();
    }
  }
  scope_.give_out(metering::record_of(flow, reason, counters_.packets_lost));
  scope_.release();
}

template <typename List>
void BasicFlowMeter<List>::tick(std::uint64_t second) noexcept {
  if (second <= clock_ || second > metering::last_second)
    return;
  victims_.clear();
  if (kept_) {
    kept_->is_ticking = true;
    in_order();
  }
  while (clock_ < second) {
    if (idle_.size() == 0 && active_.size() == 0 && leaving_.size() == 0) {
      clock_ = second; // nothing can happen in between, be it a year
      break;
    }
    ++clock_;
    active_entries(clock_);
    idle_entries(clock_);
    leaving_entries(clock_);
  }
  clock_ns_ = clock_ * metering::ns_per_s;
  if (kept_) {
    in_order();
    kept_->is_ticking = false;
  }
}

/// The entry of a slot has come out of its wheel. False: it was dead.
template <typename List>
bool BasicFlowMeter<List>::take_out(const TimerWheel& wheel, std::uint64_t second, Flow& flow,
                                    std::uint32_t slot) noexcept {
  const auto entry_s = static_cast<std::uint32_t>(second);
  const auto is_of = [&](std::uint8_t bit, std::uint32_t known_s) {
    if (!(flow.bits & bit) || known_s != entry_s)
      return false;
    flow.bits &= static_cast<std::uint8_t>(~bit);
    return true;
  };
  if (&wheel == &idle_)
    return is_of(FlowBits::in_idle, flow.idle_entry_s);
  if (&wheel == &active_)
    return is_of(FlowBits::in_active, active_timer(slot).entry_s);
  return is_of(FlowBits::in_leaving, entry_s);
}

/// Takes the entries of a second; visits the flows of those that are not dead.
template <typename List>
template <typename Visit>
void BasicFlowMeter<List>::take(TimerWheel& wheel, std::uint64_t second, Visit&& visit) noexcept {
  constexpr std::size_t flows_ahead = 16, index_ahead = 6;
  wheel.take(second, [&](std::span<const std::uint32_t> slots) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (i + flows_ahead < slots.size())
        table_.prefetch_slot(slots[i + flows_ahead]);
      if (i + index_ahead < slots.size())
        table_.prefetch_index(table_.flow(slots[i + index_ahead]).hash);
      if (Flow& flow = table_.flow(slots[i]); take_out(wheel, second, flow, slots[i]))
        visit(flow, slots[i]);
    }
  });
}

// An entry may be of the flow that had the slot before: what the flow of today says decides.

template <typename List>
void BasicFlowMeter<List>::active_entries(std::uint64_t second) noexcept {
  take(active_, second, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state != FlowState::active)
      return;
    if (const std::uint64_t due = second_of(active_timer(slot).due_s); due > second)
      add_active(due, flow, slot);
    else
      give_out(flow, slot, EndReason::active_timeout);
  });
}

template <typename List>
void BasicFlowMeter<List>::idle_entries(std::uint64_t second) noexcept {
  take(idle_, second, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state == FlowState::free)
      return;
    if (idle_second(flow) > second)
      schedule_idle(flow, slot);
    else
      leave(slot, EndReason::idle_timeout);
  });
}

template <typename List>
void BasicFlowMeter<List>::leaving_entries(std::uint64_t second) noexcept {
  take(leaving_, second, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state != FlowState::completed)
      return;
    if (leaving_second(flow, slot) > second)
      schedule_leaving(flow, slot);
    else
      give_out(flow, slot, EndReason::end_of_flow);
  });
}

template <typename List>
void BasicFlowMeter<List>::make_room() noexcept {
  while (table_.full()) {
    if (victims_.empty())
      find_victims();
    const Victim victim = victims_.back();
    victims_.pop_back();
    // A flow of the same last packet that has the slot since would have been as good.
    if (const Flow& flow = table_.flow(victim.slot);
        flow.state != FlowState::free && flow.latest_ns == victim.latest_ns)
      leave(victim.slot, EndReason::lack_of_resources);
  }
}

/// Looks for the flows that were idle for the longest: all those whose idle second is the first there is. But those go
/// first whose record has left, where they are not too few to be looked for.
template <typename List>
void BasicFlowMeter<List>::find_victims() noexcept {
  constexpr std::uint64_t few = 16; // at most so many slots are looked at for one of them
  victims_.reserve(table_.size());
  if (dormant_ * few >= table_.size())
    find_dormant();
  for (std::uint64_t second = clock_ + 1; victims_.empty(); ++second)
    take(idle_, second, [&](Flow& flow, std::uint32_t slot) {
      if (flow.state == FlowState::free)
        return;
      schedule_idle(flow, slot);
      if (std::max(idle_second(flow), clock_ + 1) == second)
        victims_.push_back({flow.latest_ns, slot});
    });
  std::ranges::sort(victims_, std::greater{}, &Victim::latest_ns);
}

template <typename List>
void BasicFlowMeter<List>::find_dormant() noexcept {
  for (std::uint32_t slot = 0; slot < table_.slots_used(); ++slot)
    if (const Flow& flow = table_.flow(slot); flow.state == FlowState::dormant)
      victims_.push_back({flow.latest_ns, slot});
}

template <typename List>
void BasicFlowMeter<List>::flush() noexcept {
  victims_.clear();
  table_.drain(
      [&](Flow& flow, std::uint32_t slot) {
        begin_leaving(flow, slot);
        emit(flow, metering::reason_of(flow, EndReason::forced_end));
      },
      [&] { end_leaving(); });
}

} // namespace orbweaver
