// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flows/flow_table.hpp"

#include "common/process/files/kept_memory.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint32_t first_index_bits = 9;
constexpr std::uint64_t most_flows = 0xFFFFFFF0; // a slot is 32 bits; at that many flows 2 bits of hash pick no bucket

/// Flows at which the index doubles: with five to a bucket, one bucket in eight is full.
constexpr std::uint64_t grow_limit(std::uint64_t buckets) {
  return buckets * 5;
}

} // namespace

FlowTable::FlowTable(std::uint32_t state_bytes, std::uint64_t max_flows, MemoryArea slab, std::uint32_t* slots_used,
                     std::uint32_t key_octets)
    : index_area_((std::size_t{1} << first_index_bits) * sizeof(Bucket)),
      index_mask_((std::uint64_t{1} << first_index_bits) - 1), index_shift_(32 - first_index_bits),
      stride_(flow_bytes(state_bytes)), key_room_{Flow::states_offset + state_bytes - key_octets, key_octets},
      max_flows_(std::clamp(max_flows, std::uint64_t{1}, most_flows)), grow_at_(grow_limit(index_mask_ + 1)),
      kept_slots_(slots_used) {
  slab_ = slab.data() ? std::move(slab) : MemoryArea(max_flows_ * stride_);
}

std::uint32_t FlowTable::insert(std::uint32_t hash, PacketView packet) noexcept {
  if (size_ >= grow_at_)
    grow();
  std::uint32_t slot = first_free_;
  if (slot != none)
    first_free_ = flow(slot).next_free;
  else
    slot = take_fresh();
  Flow& made = flow(slot);
  made.key = packet->key;
  std::memset(made.addresses, 0, sizeof made.addresses);
  std::memcpy(made.addresses, packet.addresses(), addresses_length(packet->key.version));
  if (made.key.extended) [[unlikely]]
    made.set_extension_of(packet, key_room_);
  made.hash = hash;
  add_to_index(Bucket::tag_of(hash), slot);
  ++size_;
  prefetch_slot(first_free_ != none ? first_free_ : next_slot_); // of the next new flow
  return slot;
}

std::uint32_t FlowTable::take_fresh() noexcept {
  const std::uint32_t slot = next_slot_++;
  if (kept_slots_) {
    slab_.will_touch(std::size_t{next_slot_} * stride_);
    *kept_slots_ = next_slot_;
    in_order();
  }
  return slot;
}

void FlowTable::erase(std::uint32_t slot) noexcept {
  remove_from_index(flow(slot).hash, slot);
  free_slot(slot);
}

void FlowTable::add_to_index(std::uint32_t tag, std::uint32_t slot) noexcept {
  std::uint64_t at = home(tag);
  while (index()[at].full())
    at = (at + 1) & index_mask_;
  Bucket& bucket = index()[at];
  const unsigned place = bucket.end();
  bucket.tags[place] = tag;
  bucket.slots[place] = slot;
}

void FlowTable::remove_from_index(std::uint32_t hash, std::uint32_t slot) noexcept {
  std::uint64_t at = home(hash);
  unsigned found = index()[at].matches(hash);
  while (found == 0 || index()[at].slots[std::countr_zero(found)] != slot) {
    found &= found - 1;
    for (; found == 0; found = index()[at].matches(hash))
      at = (at + 1) & index_mask_;
  }
  auto place = static_cast<unsigned>(std::countr_zero(found));
  while (index()[at].take_out(place)) {
    // A full bucket has room now: the first flow after it that may stand there moves into it, and leaves room itself.
    std::uint64_t from = at;
    do {
      from = (from + 1) & index_mask_;
      place = place_at_home_before(from, (from - at) & index_mask_);
      if (place == Bucket::places && !index()[from].full())
        return;
    } while (place == Bucket::places);
    index()[at].tags[Bucket::places - 1] = index()[from].tags[place];
    index()[at].slots[Bucket::places - 1] = index()[from].slots[place];
    at = from;
  }
}

unsigned FlowTable::place_at_home_before(std::uint64_t at, std::uint64_t buckets) const noexcept {
  unsigned place = 0;
  while (place < Bucket::places && index()[at].tags[place] != 0 &&
         ((at - home(index()[at].tags[place])) & index_mask_) < buckets)
    ++place;
  return place < Bucket::places && index()[at].tags[place] != 0 ? place : Bucket::places;
}

void FlowTable::grow() noexcept {
  const std::uint64_t buckets = 2 * (index_mask_ + 1);
  MemoryArea old;
  try {
    old = MemoryArea(buckets * sizeof(Bucket));
  } catch (const Error&) {
    max_flows_ = size_ + 1; // no memory for a larger index: after this flow, flows make room for others
    grow_at_ = max_flows_;
    return;
  }
  std::swap(old, index_area_);
  const auto* const old_index = reinterpret_cast<const Bucket*>(old.data());
  const std::uint64_t old_buckets = index_mask_ + 1;
  index_mask_ = buckets - 1;
  --index_shift_;
  grow_at_ = grow_limit(buckets);
  for (std::uint64_t at = 0; at < old_buckets; ++at)
    for (unsigned place = 0; place < Bucket::places && old_index[at].tags[place] != 0; ++place)
      add_to_index(old_index[at].tags[place], old_index[at].slots[place]);
}

} // namespace orbweaver
