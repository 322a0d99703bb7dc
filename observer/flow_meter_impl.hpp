// SPDX-License-Identifier: GPL-3.0-or-later
// The members of BasicFlowMeter, for who instantiates it: flow_meter.cpp for the library's chains, tests for their own.
#pragma once

#include "observer/chain_calls.hpp"
#include "observer/flow_meter.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <utility>

namespace orbweaver {

namespace metering {

inline constexpr std::uint64_t ns_per_s = 1'000'000'000;
/// Beyond this a second is no time of day but damage: the clock does not follow it.
inline constexpr std::uint64_t last_second = std::uint64_t{1} << 35;

inline std::uint64_t ceil_seconds(std::uint64_t ns) noexcept {
  return ns / ns_per_s + (ns % ns_per_s != 0);
}

inline std::uint32_t table_hash(const PacketRecord& record) noexcept {
  return static_cast<std::uint32_t>(record.flow_hash);
}

inline EndReason reason_of(const Flow& flow) noexcept {
  return static_cast<EndReason>(flow.bits >> FlowBits::reason_shift);
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

/// Entries that the wheels hold at most: one for a flow that waits to be idle or to leave, one for its active timeout.
inline std::uint64_t timers_a_flow(const FlowMeterOptions& options) noexcept {
  return options.active_timeout_s != 0 ? 2 : 1;
}

inline std::uint64_t most_flows(const FlowMeterOptions& options) noexcept {
  return std::min(options.max_flows, TimerPool::most_entries / timers_a_flow(options));
}

/// A wheel for a timeout reaches a second further: a time within a second counts from the second's end.
inline std::uint64_t horizon_of(std::uint64_t timeout_s) noexcept {
  return timeout_s + 1;
}

inline std::uint64_t buckets_of(const FlowMeterOptions& options) noexcept {
  std::uint64_t buckets = 0;
  for (const std::uint64_t timeout_s : {options.idle_timeout_s, options.active_timeout_s, options.complete_timeout_s})
    buckets += TimerWheel::buckets(horizon_of(timeout_s));
  return buckets;
}

} // namespace metering

template <typename List>
BasicFlowMeter<List>::BasicFlowMeter(const ChainSet& chains, const FlowMeterOptions& options, RowSink& sink)
    : chains_(chains), memory_(chains.wants_memory() ? options.flow_memory_octets : 0),
      scope_(chains.choice(), memory_, sink), table_(chains.state_bytes(), metering::most_flows(options)),
      timers_(table_.max_flows() * metering::timers_a_flow(options), metering::buckets_of(options)),
      idle_(timers_, metering::horizon_of(options.idle_timeout_s)),
      active_(timers_, metering::horizon_of(options.active_timeout_s)),
      leaving_(timers_, metering::horizon_of(options.complete_timeout_s)),
      idle_timeout_ns_(options.idle_timeout_s * metering::ns_per_s), complete_timeout_s_(options.complete_timeout_s),
      active_timeout_s_(options.active_timeout_s), complete_(options.complete), scoped_(chains.wants_memory()) {
  if (active_timeout_s_ != 0)
    active_timers_ = MemoryArea(table_.max_flows() * sizeof(TimerWheel::Position));
}

template <typename List>
std::uint64_t BasicFlowMeter<List>::memory_bytes() const noexcept {
  const std::uint64_t active_timers = active_timeout_s_ != 0 ? table_.slots_used() * sizeof(TimerWheel::Position) : 0;
  return table_.memory_bytes() + memory_.touched_octets() + timers_.memory_bytes() + idle_.memory_bytes() +
         active_.memory_bytes() + leaving_.memory_bytes() + active_timers + victims_.capacity() * sizeof(Victim);
}

template <typename List>
void BasicFlowMeter<List>::packets(std::span<const PacketRecord* const> batch) noexcept {
  // In groups, each step a group ahead of the next: memory works for later packets while these are counted. With
  // 200,000 flows open a packet takes 32 ns, and 55 where all of a batch goes through one step before the next; a
  // packet at a time is slower again with 10 million flows, whose addresses are then not looked up side by side.
  constexpr std::size_t group = 8;
  std::array<std::uint32_t, 2 * group> likely_slots;
  const std::size_t count = batch.size();
  for (std::size_t at = 0; at < count + 2 * group; at += group) {
    for (std::size_t i = at; i < std::min(at + group, count); ++i)
      table_.prefetch_index(metering::table_hash(*batch[i]));
    if (at >= group)
      for (std::size_t i = at - group; i < std::min(at, count); ++i)
        likely_slots[i % (2 * group)] = table_.prefetch_flow(metering::table_hash(*batch[i]));
    if (at >= 2 * group)
      for (std::size_t i = at - 2 * group; i < std::min(at - group, count); ++i)
        packet(PacketView(batch[i]), likely_slots[i % (2 * group)]);
  }
}

template <typename List>
void BasicFlowMeter<List>::packet(PacketView packet, std::uint32_t likely_slot) noexcept {
  if (packet->time_ns > clock_ns_) [[unlikely]]
    tick(metering::ceil_seconds(packet->time_ns)); // a stream without the tick that belongs before this packet
  const std::uint32_t slot = table_.holds(likely_slot, packet) ? likely_slot : find_or_open(packet);
  Flow& flow = table_.flow(slot);
  if (packet->bits & PacketBits::fragment) [[unlikely]] {
    // A fragment that waited for its first one comes late, with its own time.
    flow.first_ns = std::min(flow.first_ns, packet->time_ns);
    flow.last_ns = std::max(flow.last_ns, packet->time_ns);
  } else {
    flow.last_ns = packet->time_ns;
  }
  flow.latest_ns = std::max(flow.latest_ns, packet->time_ns);
  if (flow.timer == TimerWheel::none) [[unlikely]] // an expiring flow always has one
    schedule(flow, slot);
  if (flow.state == FlowState::vetoed) [[unlikely]] {
    ++counters_.packets_ignored;
    return;
  }
  ++counters_.packets_counted;
  counters_.icmp_errors += packet.is_icmp_error();
  const bool rev = packet.from_high() != static_cast<bool>(flow.bits & FlowBits::forward_from_high);
  if (scoped_) [[unlikely]]
    scope_.enter(flow, packet->time_ns);
  const std::uint64_t done = ChainCalls<List>::packet(chains_, flow.states(), packet, rev, scope_);
  if (done != 0 && flow.state == FlowState::active && is_complete(flow, done))
    expire(flow, slot, EndReason::end_of_flow, clock_);
}

/// Whether a flow is complete when these chains say so.
template <typename List>
bool BasicFlowMeter<List>::is_complete(Flow& flow, std::uint64_t done) const noexcept {
  if (complete_ == CompleteRule::any)
    return true;
  if (complete_ == CompleteRule::never)
    return false;
  // A bit a chain that can complete, in their order: as many as a flow has place for.
  std::uint64_t rest = chains_.completing();
  std::uint16_t all = 0;
  for (std::uint16_t bit = 1; rest != 0 && bit != 0; bit = static_cast<std::uint16_t>(bit << 1), rest &= rest - 1) {
    all |= bit;
    if (done & rest & (0 - rest))
      flow.completed |= bit;
  }
  return all != 0 && flow.completed == all;
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
  flow.first_ns = flow.last_ns = packet->time_ns;
  flow.latest_ns = packet->time_ns;
  flow.timer = TimerWheel::none;
  flow.losses_before =
      static_cast<std::uint32_t>(packet->time_ns > lost_to_ns_ ? counters_.packets_lost : lost_before_);
  // An ICMP error comes in the reverse direction of what it quotes.
  flow.bits = packet.from_high() != packet.is_icmp_error() ? FlowBits::forward_from_high : 0;
  flow.completed = 0;
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
  return slot;
}

template <typename List>
std::uint64_t BasicFlowMeter<List>::idle_second(const Flow& flow) const noexcept {
  return metering::ceil_seconds(flow.latest_ns + idle_timeout_ns_);
}

template <typename List>
void BasicFlowMeter<List>::schedule(Flow& flow, std::uint32_t slot) noexcept {
  if (const std::uint64_t second = idle_second(flow); second > clock_)
    flow.timer = idle_.add(second, slot);
}

template <typename List>
void BasicFlowMeter<List>::schedule_active(const Flow& flow, std::uint32_t slot) noexcept {
  const std::uint64_t second = metering::ceil_seconds(flow.first_ns) + active_timeout_s_;
  active_timer(slot) = second > clock_ ? active_.add(second, slot) : TimerWheel::none;
}

template <typename List>
void BasicFlowMeter<List>::cancel(std::uint32_t slot) noexcept {
  Flow& flow = table_.flow(slot);
  const TimerWheel::Position position = std::exchange(flow.timer, TimerWheel::none);
  if (position == TimerWheel::none)
    return;
  TimerWheel& wheel = flow.state == FlowState::expiring ? leaving_ : idle_;
  if (const std::uint32_t moved = wheel.remove(position); moved != slot)
    table_.flow(moved).timer = position;
}

template <typename List>
void BasicFlowMeter<List>::cancel_active(std::uint32_t slot) noexcept {
  const TimerWheel::Position position = std::exchange(active_timer(slot), TimerWheel::none);
  if (position == TimerWheel::none)
    return;
  if (const std::uint32_t moved = active_.remove(position); moved != slot)
    active_timer(moved) = position;
}

template <typename List>
void BasicFlowMeter<List>::expire(Flow& flow, std::uint32_t slot, EndReason reason, std::uint64_t second) noexcept {
  cancel(slot);
  flow.state = FlowState::expiring;
  flow.bits = static_cast<std::uint8_t>((flow.bits & FlowBits::forward_from_high) | static_cast<unsigned>(reason)
                                                                                        << FlowBits::reason_shift);
  if (complete_timeout_s_ == 0)
    leave(slot, reason);
  else
    flow.timer = leaving_.add(second + complete_timeout_s_, slot);
}

template <typename List>
void BasicFlowMeter<List>::leave(std::uint32_t slot, EndReason reason) noexcept {
  cancel(slot);
  if (active_timeout_s_ != 0 && table_.flow(slot).state != FlowState::vetoed)
    cancel_active(slot);
  emit(table_.flow(slot), reason);
  table_.erase(slot);
}

template <typename List>
void BasicFlowMeter<List>::emit(Flow& flow, EndReason reason) noexcept {
  if (flow.state == FlowState::vetoed) {
    --vetoed_;
    return;
  }
  ++counters_.ended[static_cast<std::size_t>(reason)];
  scope_.enter(flow, flow.last_ns);
  if (chains_.has_ends())
    ChainCalls<List>::end(chains_, flow.states(), {flow.first_ns, flow.last_ns, reason}, scope_);
  scope_.give_out(metering::record_of(flow, reason, counters_.packets_lost));
  scope_.release();
}

template <typename List>
void BasicFlowMeter<List>::tick(std::uint64_t second) noexcept {
  if (second <= clock_ || second > metering::last_second)
    return;
  victims_.clear();
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
}

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
      Flow& flow = table_.flow(slots[i]);
      (&wheel == &active_ ? active_timer(slots[i]) : flow.timer) = TimerWheel::none;
      visit(flow, slots[i]);
    }
  });
}

template <typename List>
void BasicFlowMeter<List>::active_entries(std::uint64_t second) noexcept {
  take(active_, second, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state == FlowState::active)
      leave(slot, EndReason::active_timeout);
  });
}

template <typename List>
void BasicFlowMeter<List>::idle_entries(std::uint64_t second) noexcept {
  take(idle_, second, [&](Flow& flow, std::uint32_t slot) {
    if (idle_second(flow) > second)
      schedule(flow, slot);
    else if (flow.state == FlowState::vetoed)
      leave(slot, EndReason::idle_timeout);
    else
      expire(flow, slot, EndReason::idle_timeout, second);
  });
}

template <typename List>
void BasicFlowMeter<List>::leaving_entries(std::uint64_t second) noexcept {
  take(leaving_, second, [&](Flow& flow, std::uint32_t slot) { leave(slot, metering::reason_of(flow)); });
}

template <typename List>
void BasicFlowMeter<List>::make_room() noexcept {
  while (table_.full()) {
    if (victims_.empty())
      find_victims();
    const Victim victim = victims_.back();
    victims_.pop_back();
    // A flow of the same last packet that has the slot since would have been as good.
    if (const Flow& flow = table_.flow(victim.slot); flow.state != FlowState::free && flow.last_ns == victim.last_ns)
      leave(victim.slot, flow.state == FlowState::expiring ? metering::reason_of(flow) : EndReason::lack_of_resources);
  }
}

/// Looks for the flows that were idle for the longest: all those whose idle second is the first there is. That of an
/// expiring flow is what its last packet makes it; of those in the past the order of last packets is enough.
template <typename List>
void BasicFlowMeter<List>::find_victims() noexcept {
  std::uint64_t first_second = clock_ + idle_.horizon();
  victims_.reserve(table_.size());
  const auto offer = [&](std::uint32_t slot, std::uint64_t idle_from) {
    if (idle_from < first_second) {
      first_second = idle_from;
      victims_.clear();
    }
    if (idle_from == first_second)
      victims_.push_back({table_.flow(slot).last_ns, slot});
  };
  for (std::uint64_t second = clock_ + 1; leaving_.size() > 0 && second <= clock_ + leaving_.horizon(); ++second)
    take(leaving_, second, [&](Flow& flow, std::uint32_t slot) {
      flow.timer = leaving_.add(second, slot);
      offer(slot, std::max(clock_, metering::ceil_seconds(flow.last_ns + idle_timeout_ns_)));
    });
  for (std::uint64_t second = clock_ + 1; second <= first_second; ++second)
    take(idle_, second, [&](Flow& flow, std::uint32_t slot) {
      schedule(flow, slot);
      if (idle_second(flow) <= second)
        offer(slot, second);
    });
  // Flows that no timer waits for: their packets are older than the clock.
  if (victims_.empty())
    for (std::uint32_t slot = 0; slot < table_.slots_used(); ++slot)
      if (const Flow& flow = table_.flow(slot); flow.state != FlowState::free)
        victims_.push_back({flow.last_ns, slot});
  std::ranges::sort(victims_, std::greater{}, &Victim::last_ns);
}

template <typename List>
void BasicFlowMeter<List>::flush() noexcept {
  victims_.clear();
  idle_.clear();
  active_.clear();
  leaving_.clear();
  table_.drain([&](Flow& flow) {
    emit(flow, flow.state == FlowState::expiring ? metering::reason_of(flow) : EndReason::forced_end);
  });
}

} // namespace orbweaver
