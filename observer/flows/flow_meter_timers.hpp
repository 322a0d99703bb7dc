// SPDX-License-Identifier: GPL-3.0-or-later
// The members of BasicFlowMeter that have to do with its clock: which flows leave when a second begins, and which ones
// make room.
#pragma once

#include "observer/flows/metering.hpp"

#include <algorithm>
#include <functional>

namespace orbweaver {

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

} // namespace orbweaver
