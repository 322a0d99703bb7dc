// SPDX-License-Identifier: GPL-3.0-or-later
// The members of BasicFlowMeter, for who instantiates it: flow_meter.cpp for the library's chains, tests for their own.
#pragma once

#include "observer/chain/chain_calls.hpp"
#include "observer/flows/flow_meter_takeover.hpp"
#include "observer/flows/flow_meter_timers.hpp"
#include "observer/flows/metering.hpp"
#include "observer/marks.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace orbweaver {

template <typename List>
BasicFlowMeter<List>::BasicFlowMeter(const ChainSet& chains, const FlowMeterOptions& options, RowSink& sink,
                                     const KeptTable* kept)
    : chains_(chains), kept_(kept ? &kept->flows() : nullptr), beside_area_(kept ? kept->beside() : MemoryArea()),
      beside_(reinterpret_cast<BesideFlow*>(beside_area_.data())),
      memory_(chains.wants_memory() ? options.flow_memory_octets : 0, kept ? kept->memory() : MemoryArea()),
      scope_(chains.choice(), memory_, sink),
      table_(chains.state_bytes() + options.key_octets, metering::most_flows(options),
             kept ? kept->slab() : MemoryArea(), kept ? &kept_->slots_used : nullptr, options.key_octets),
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
