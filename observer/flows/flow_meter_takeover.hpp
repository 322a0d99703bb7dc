// SPDX-License-Identifier: GPL-3.0-or-later
// The members of BasicFlowMeter for a table that outlives its process: what is written down while a flow leaves, and
// what a follower does with what it finds.
#pragma once

#include "observer/flows/metering.hpp"

namespace orbweaver {

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
    if (Flow& flow = table_.flow(slot); flow.state != FlowState::free && flow.has_key_of(packet, table_.key_room())) {
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

} // namespace orbweaver
