// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flows/flow_memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

namespace orbweaver {

namespace {

/// The order of the smallest block with room for so many octets.
unsigned order_for(std::uint64_t octets) noexcept {
  const std::uint64_t units = (octets + 8 + FlowMemory::unit_octets - 1) / FlowMemory::unit_octets;
  return static_cast<unsigned>(std::countr_zero(std::bit_ceil(units)));
}

} // namespace

FlowMemory::FlowMemory(std::uint64_t octets, MemoryArea area)
    : units_(static_cast<Place>(
          std::min<std::uint64_t>((octets + largest_block - 1) / largest_block * largest_units,
                                  std::numeric_limits<Place>::max() / largest_units * largest_units))) {
  if (units_ > 0)
    area_ = area.data() ? std::move(area) : MemoryArea(units_ * unit_octets);
}

/// A block of that order, out of a larger one where need be; 0: there is none. The very first unit is never given out,
/// since its place means none.
FlowMemory::Place FlowMemory::take(unsigned order) noexcept {
  unsigned from = order;
  while (from < orders && free_[from] == 0)
    ++from;
  if (from == orders) {
    if (fresh_ == units_)
      return 0;
    const Place begin = fresh_;
    fresh_ += largest_units;
    if (begin > 0) {
      link_free(begin, orders - 1);
    } else {
      block(0) = {.next = 0, .order = 0, .is_free = 0, .reserved = {}, .previous = 0};
      for (unsigned part = 0; part + 1 < orders;
           ++part) // the rest of the first one: a block of each order but the last
        link_free(Place{1} << part, part);
    }
    return take(order);
  }
  const Place place = free_[from];
  unlink_free(place);
  while (from > order) { // its upper half stays free
    --from;
    link_free(place + (Place{1} << from), from);
  }
  auto& taken = block(place);
  taken.order = static_cast<std::uint8_t>(order);
  taken.is_free = 0;
  return place;
}

void FlowMemory::give_back(Place place) noexcept {
  unsigned order = block(place).order;
  for (; order + 1 < orders; ++order) {
    const Place buddy = place ^ (Place{1} << order);
    const auto& other = block(buddy);
    if (!other.is_free || other.order != order)
      break;
    unlink_free(buddy);
    place = std::min(place, buddy);
  }
  link_free(place, order);
}

void FlowMemory::link_free(Place place, unsigned order) noexcept {
  auto& freed = block(place);
  freed = {
      .next = free_[order], .order = static_cast<std::uint8_t>(order), .is_free = 1, .reserved = {}, .previous = 0};
  if (freed.next != 0)
    block(freed.next).previous = place;
  free_[order] = place;
}

void FlowMemory::unlink_free(Place place) noexcept {
  auto& taken = block(place);
  (taken.previous == 0 ? free_[taken.order] : block(taken.previous).next) = taken.next;
  if (taken.next != 0)
    block(taken.next).previous = taken.previous;
  taken.is_free = 0;
}

void FlowMemory::unchain(Place& first, Place place) noexcept {
  Place* at = &first;
  while (*at != place)
    at = &block(*at).next;
  *at = block(place).next;
}

FlowMemory::Place FlowMemory::chained(Place& first, std::uint64_t octets) noexcept {
  if (octets > max_value_octets) {
    ++counters_.too_long;
    return 0;
  }
  const Place place = take(order_for(octets));
  if (place == 0) {
    ++counters_.full;
    return 0;
  }
  auto& made = block(place);
  made.next = first;
  first = place;
  counters_.octets += unit_octets << made.order;
  return place;
}

bool FlowMemory::store(Place& first, TailRef& ref, std::span<const std::byte> octets) noexcept {
  if (frozen_) {
    ref = {};
    ++counters_.full;
    return false;
  }
  if (ref.is_null() || capacity(block(ref.at)) < octets.size()) {
    const Place place = chained(first, octets.size());
    release(first, ref);
    if (place == 0)
      return false;
    ref.at = place;
  }
  if (!octets.empty())
    std::memmove(data(ref.at), octets.data(), octets.size());
  ref.octets = static_cast<std::uint32_t>(octets.size());
  return true;
}

bool FlowMemory::append(Place& first, TailRef& ref, std::span<const std::byte> octets) noexcept {
  if (ref.is_null())
    return store(first, ref, octets);
  if (frozen_) {
    ++counters_.full;
    return false;
  }
  const std::uint64_t size = ref.octets + octets.size();
  if (capacity(block(ref.at)) < size) {
    const Place place = chained(first, size);
    if (place == 0)
      return false;
    std::memcpy(data(place), data(ref.at), ref.octets);
    if (!octets.empty()) // which may lie in the block that goes
      std::memcpy(data(place) + ref.octets, octets.data(), octets.size());
    release(first, ref);
    ref.at = place;
    ref.octets = static_cast<std::uint32_t>(size);
    return true;
  }
  if (!octets.empty())
    std::memmove(data(ref.at) + ref.octets, octets.data(), octets.size());
  ref.octets = static_cast<std::uint32_t>(size);
  return true;
}

void FlowMemory::release(Place& first, TailRef& ref) noexcept {
  if (ref.is_null())
    return;
  if (!frozen_) {
    counters_.octets -= unit_octets << block(ref.at).order;
    unchain(first, ref.at);
    give_back(ref.at);
  }
  ref.at = 0;
  ref.octets = 0;
}

void FlowMemory::release_all(Place& first) noexcept {
  while (first != 0 && !frozen_) {
    const Place place = first;
    first = block(place).next;
    counters_.octets -= unit_octets << block(place).order;
    give_back(place);
  }
}

} // namespace orbweaver
