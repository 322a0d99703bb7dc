// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flow_table.hpp"

#include <algorithm>
#include <bit>

namespace orbweaver {

namespace {

constexpr std::uint32_t first_index_bits = 12;
constexpr std::uint64_t most_flows = 0xFFFFFFF0; // a slot is 32 bits, and stands in the index as slot + 1
constexpr std::uint32_t line_bytes = 64;

constexpr std::uint64_t grow_limit(std::uint64_t places) {
  return places / 4 * 3;
}

} // namespace

FlowTable::FlowTable(std::uint32_t state_bytes, std::uint64_t max_flows)
    : index_area_((std::size_t{1} << first_index_bits) * sizeof(std::uint64_t)),
      index_mask_((std::uint64_t{1} << first_index_bits) - 1), index_shift_(32 - first_index_bits),
      stride_((Flow::states_offset + state_bytes + line_bytes - 1) / line_bytes * line_bytes),
      max_flows_(std::clamp(max_flows, std::uint64_t{1}, most_flows)), grow_at_(grow_limit(index_mask_ + 1)) {
  slab_ = MemoryArea(max_flows_ * stride_);
}

std::uint32_t FlowTable::insert(std::uint32_t hash, PacketView packet) noexcept {
  if (size_ >= grow_at_)
    grow();
  std::uint32_t slot = free_slot_;
  if (slot != none)
    free_slot_ = flow(slot).next_free;
  else
    slot = next_slot_++;
  Flow& made = flow(slot);
  made.key = packet->key;
  std::memset(made.addresses, 0, sizeof made.addresses);
  std::memcpy(made.addresses, packet.addresses(), addresses_length(packet->key.version));
  made.hash = hash;
  std::uint64_t* const index_begin = index();
  std::uint64_t place = home(hash);
  while (index_begin[place] != 0)
    place = (place + 1) & index_mask_;
  index_begin[place] = std::uint64_t{hash} << 32 | (slot + 1);
  ++size_;
  return slot;
}

void FlowTable::erase(std::uint32_t slot) noexcept {
  Flow& gone = flow(slot);
  std::uint64_t* const index_begin = index();
  std::uint64_t hole = home(gone.hash);
  while (static_cast<std::uint32_t>(index_begin[hole]) != slot + 1)
    hole = (hole + 1) & index_mask_;
  // Entries after the hole move back into it where that brings them no further than their home.
  for (std::uint64_t place = (hole + 1) & index_mask_; index_begin[place] != 0; place = (place + 1) & index_mask_) {
    const std::uint64_t from_home = (place - home(static_cast<std::uint32_t>(index_begin[place] >> 32))) & index_mask_;
    if (from_home >= ((place - hole) & index_mask_)) {
      index_begin[hole] = index_begin[place];
      hole = place;
    }
  }
  index_begin[hole] = 0;
  gone.state = FlowState::free;
  ++gone.generation;
  gone.next_free = free_slot_;
  free_slot_ = slot;
  --size_;
}

void FlowTable::grow() noexcept {
  if (index_shift_ == 0) {
    grow_at_ = max_flows_ + 1; // 2^32 places: no more hash bits, and room for every slot
    return;
  }
  const std::uint64_t places = 2 * (index_mask_ + 1);
  MemoryArea old;
  try {
    old = MemoryArea(places * sizeof(std::uint64_t));
  } catch (const Error&) {
    max_flows_ = size_ + 1; // no memory for a larger index: after this flow, flows make room for others
    grow_at_ = max_flows_;
    return;
  }
  std::swap(old, index_area_);
  const auto* const old_begin = reinterpret_cast<const std::uint64_t*>(old.data());
  const std::uint64_t old_places = index_mask_ + 1;
  index_mask_ = places - 1;
  --index_shift_;
  grow_at_ = grow_limit(places);
  std::uint64_t* const index_begin = index();
  for (std::uint64_t i = 0; i < old_places; ++i) {
    if (old_begin[i] == 0)
      continue;
    std::uint64_t place = home(static_cast<std::uint32_t>(old_begin[i] >> 32));
    while (index_begin[place] != 0)
      place = (place + 1) & index_mask_;
    index_begin[place] = old_begin[i];
  }
}

} // namespace orbweaver
