// SPDX-License-Identifier: GPL-3.0-or-later
// The members of BasicFlowMeter, for who instantiates it: flow_meter.cpp for the library's chains, tests for their own.
#pragma once

#include "observer/flow_meter.hpp"

#include <algorithm>
#include <array>
#include <functional>

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

} // namespace metering

template <typename Chains>
BasicFlowMeter<Chains>::BasicFlowMeter(const Chains& chains, const FlowMeterOptions& options, RowSink& sink)
    : chains_(chains), memory_(chains.wants_memory() ? options.flow_memory_octets : 0),
      scope_(chains.choice(), memory_, sink), table_(chains.state_bytes(), options.max_flows),
      idle_(options.idle_timeout_s + 1), active_(options.active_timeout_s + 1),
      leaving_(options.complete_timeout_s + 1), idle_timeout_ns_(options.idle_timeout_s * metering::ns_per_s),
      complete_timeout_s_(options.complete_timeout_s), active_timeout_s_(options.active_timeout_s),
      complete_(options.complete) {}

template <typename Chains>
std::uint64_t BasicFlowMeter<Chains>::memory_bytes() const noexcept {
  return table_.memory_bytes() + memory_.touched_octets() +
         (idle_.size() + active_.size() + leaving_.size()) * sizeof(Entry);
}

template <typename Chains>
void BasicFlowMeter<Chains>::packets(std::span<const PacketRecord* const> batch) noexcept {
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

template <typename Chains>
void BasicFlowMeter<Chains>::packet(PacketView packet, std::uint32_t likely_slot) noexcept {
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
  if (!(flow.bits & FlowBits::scheduled) && flow.state != FlowState::expiring) [[unlikely]]
    schedule(flow, slot);
  if (flow.state == FlowState::vetoed) [[unlikely]] {
    ++counters_.packets_ignored;
    return;
  }
  ++counters_.packets_counted;
  counters_.icmp_errors += packet.is_icmp_error();
  const bool rev = packet.from_high() != static_cast<bool>(flow.bits & FlowBits::forward_from_high);
  scope_.enter(flow, packet->time_ns);
  const std::uint64_t done = chains_.packet(flow.states(), packet, rev, scope_);
  if (done != 0 && flow.state == FlowState::active && is_complete(flow, done))
    expire(flow, slot, EndReason::end_of_flow, clock_);
}

/// Whether a flow is complete when these chains say so.
template <typename Chains>
bool BasicFlowMeter<Chains>::is_complete(Flow& flow, std::uint64_t done) const noexcept {
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

template <typename Chains>
[[gnu::noinline]] std::uint32_t BasicFlowMeter<Chains>::find_or_open(PacketView packet) noexcept {
  const std::uint32_t hash = metering::table_hash(packet.record());
  if (const std::uint32_t slot = table_.find(hash, packet); slot != FlowTable::none)
    return slot;
  if (table_.full()) [[unlikely]]
    make_room();
  const std::uint32_t slot = table_.insert(hash, packet);
  Flow& flow = table_.flow(slot);
  flow.first_ns = flow.last_ns = packet->time_ns;
  flow.latest_ns = packet->time_ns;
  flow.losses_before =
      static_cast<std::uint32_t>(packet->time_ns > lost_to_ns_ ? counters_.packets_lost : lost_before_);
  // An ICMP error comes in the reverse direction of what it quotes.
  flow.bits = packet.from_high() != packet.is_icmp_error() ? FlowBits::forward_from_high : 0;
  flow.completed = 0;
  scope_.enter(flow, packet->time_ns);
  scope_.begin();
  if (chains_.new_flow(flow.states(), packet, scope_)) {
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

template <typename Chains>
std::uint64_t BasicFlowMeter<Chains>::idle_second(const Flow& flow) const noexcept {
  return metering::ceil_seconds(flow.latest_ns + idle_timeout_ns_);
}

template <typename Chains>
void BasicFlowMeter<Chains>::schedule(Flow& flow, std::uint32_t slot) noexcept {
  const std::uint64_t second = idle_second(flow);
  if (second <= clock_) {
    flow.bits &= static_cast<std::uint8_t>(~FlowBits::scheduled);
    return;
  }
  flow.bits |= FlowBits::scheduled;
  idle_.add(second, {slot, flow.generation});
}

template <typename Chains>
void BasicFlowMeter<Chains>::schedule_active(const Flow& flow, std::uint32_t slot) noexcept {
  if (const std::uint64_t second = metering::ceil_seconds(flow.first_ns) + active_timeout_s_; second > clock_)
    active_.add(second, {slot, flow.generation});
}

template <typename Chains>
void BasicFlowMeter<Chains>::expire(Flow& flow, std::uint32_t slot, EndReason reason, std::uint64_t second) noexcept {
  flow.state = FlowState::expiring;
  flow.bits = static_cast<std::uint8_t>((flow.bits & FlowBits::forward_from_high) | static_cast<unsigned>(reason)
                                                                                        << FlowBits::reason_shift);
  if (complete_timeout_s_ == 0)
    leave(slot, reason);
  else
    leaving_.add(second + complete_timeout_s_, {slot, flow.generation});
}

template <typename Chains>
void BasicFlowMeter<Chains>::leave(std::uint32_t slot, EndReason reason) noexcept {
  emit(table_.flow(slot), reason);
  table_.erase(slot);
}

template <typename Chains>
void BasicFlowMeter<Chains>::emit(Flow& flow, EndReason reason) noexcept {
  if (flow.state == FlowState::vetoed) {
    --vetoed_;
    return;
  }
  ++counters_.ended[static_cast<std::size_t>(reason)];
  scope_.enter(flow, flow.last_ns);
  if (chains_.has_ends())
    chains_.end(flow.states(), {flow.first_ns, flow.last_ns, reason}, scope_);
  scope_.give_out(metering::record_of(flow, reason, counters_.packets_lost));
  scope_.release();
}

template <typename Chains>
void BasicFlowMeter<Chains>::tick(std::uint64_t second) noexcept {
  if (second <= clock_ || second > metering::last_second)
    return;
  return_victims();
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

template <typename Chains>
Flow* BasicFlowMeter<Chains>::current(Entry entry) noexcept {
  Flow& flow = table_.flow(entry.slot);
  return flow.generation == entry.generation && flow.state != FlowState::free ? &flow : nullptr;
}

template <typename Chains>
template <typename Visit>
void BasicFlowMeter<Chains>::prefetched(std::span<const Entry> entries, Visit&& visit) noexcept {
  constexpr std::size_t flows_ahead = 16, index_ahead = 6;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + flows_ahead < entries.size())
      table_.prefetch_slot(entries[i + flows_ahead].slot);
    if (i + index_ahead < entries.size())
      table_.prefetch_index(table_.flow(entries[i + index_ahead].slot).hash);
    if (Flow* const flow = current(entries[i]))
      visit(*flow, entries[i].slot);
  }
}

template <typename Chains>
void BasicFlowMeter<Chains>::active_entries(std::uint64_t second) noexcept {
  active_.take(second, due_);
  prefetched(due_, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state == FlowState::active)
      leave(slot, EndReason::active_timeout);
  });
}

template <typename Chains>
void BasicFlowMeter<Chains>::idle_entries(std::uint64_t second) noexcept {
  idle_.take(second, due_);
  prefetched(due_, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state == FlowState::expiring)
      return;
    if (idle_second(flow) > second)
      schedule(flow, slot);
    else if (flow.state == FlowState::vetoed)
      leave(slot, EndReason::idle_timeout);
    else
      expire(flow, slot, EndReason::idle_timeout, second);
  });
}

template <typename Chains>
void BasicFlowMeter<Chains>::leaving_entries(std::uint64_t second) noexcept {
  leaving_.take(second, due_);
  prefetched(due_, [&](Flow& flow, std::uint32_t slot) {
    if (flow.state == FlowState::expiring)
      leave(slot, metering::reason_of(flow));
  });
}

template <typename Chains>
void BasicFlowMeter<Chains>::make_room() noexcept {
  while (table_.full()) {
    if (victims_.empty())
      find_victims();
    const Victim victim = victims_.back();
    victims_.pop_back();
    Flow* const flow = current(victim.entry);
    if (!flow)
      continue;
    if (flow->last_ns == victim.last_ns)
      leave(victim.entry.slot,
            flow->state == FlowState::expiring ? metering::reason_of(*flow) : EndReason::lack_of_resources);
    else if (victim.from_wheel && flow->state != FlowState::expiring)
      schedule(*flow, victim.entry.slot);
  }
}

/// Looks for the flows that were idle for the longest: all those whose idle second is the first there is. That of an
/// expiring flow is what its last packet makes it; of those in the past the order of last packets is enough.
template <typename Chains>
void BasicFlowMeter<Chains>::find_victims() noexcept {
  std::uint64_t first_second = clock_ + idle_.horizon();
  const auto offer = [&](const Victim& victim, std::uint64_t idle_from) {
    if (idle_from < first_second) {
      first_second = idle_from;
      victims_.clear();
    }
    if (idle_from == first_second)
      victims_.push_back(victim);
  };
  for (std::uint64_t second = clock_ + 1; leaving_.size() > 0 && second <= clock_ + leaving_.horizon(); ++second)
    for (const Entry entry : leaving_.at(second))
      if (const Flow* const flow = current(entry); flow && flow->state == FlowState::expiring)
        offer({flow->last_ns, entry, false},
              std::max(clock_, metering::ceil_seconds(flow->last_ns + idle_timeout_ns_)));
  for (std::uint64_t second = clock_ + 1; second <= first_second; ++second) {
    idle_.take(second, due_);
    prefetched(due_, [&](Flow& flow, std::uint32_t slot) {
      if (flow.state == FlowState::expiring)
        return;
      if (idle_second(flow) > second)
        schedule(flow, slot);
      else
        offer({flow.last_ns, {slot, flow.generation}, true}, second);
    });
  }
  // Flows that no timer waits for: their packets are older than the clock.
  if (victims_.empty())
    for (std::uint32_t slot = 0; slot < table_.slots_used(); ++slot)
      if (const Flow& flow = table_.flow(slot); flow.state != FlowState::free)
        victims_.push_back({flow.last_ns, {slot, flow.generation}, false});
  std::ranges::sort(victims_, std::greater{}, &Victim::last_ns);
}

template <typename Chains>
void BasicFlowMeter<Chains>::return_victims() noexcept {
  for (const Victim& victim : victims_)
    if (Flow* const flow = current(victim.entry); flow && victim.from_wheel && flow->state != FlowState::expiring)
      schedule(*flow, victim.entry.slot);
  victims_.clear();
}

template <typename Chains>
void BasicFlowMeter<Chains>::flush() noexcept {
  return_victims();
  table_.drain([&](Flow& flow) {
    emit(flow, flow.state == FlowState::expiring ? metering::reason_of(flow) : EndReason::forced_end);
  });
}

} // namespace orbweaver
