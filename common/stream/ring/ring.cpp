// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/ring/ring.hpp"

#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <new>

namespace orbweaver {

Ring Ring::create(const std::string& segment_name, std::uint64_t capacity_bytes, bool huge_pages, bool supervised) {
  const auto capacity = std::bit_ceil(std::clamp(capacity_bytes, min_ring_bytes, max_ring_bytes));
  Ring ring;
  ring.segment_ =
      Segment::create(segment_name, ring_area_offset + capacity, huge_pages, huge_pages ? 0 : ring_slack_bytes);
  ring.capacity_bytes_ = capacity;
  ring.supervised_ = supervised;
  ring.name_ = segment_name;
  auto* header = new (ring.segment_.data()) RingHeader{};
  header->version.store(ring_version, std::memory_order_relaxed);
  header->capacity_bytes.store(capacity, std::memory_order_relaxed);
  header->area_offset.store(ring_area_offset, std::memory_order_relaxed);
  header->supervised.store(supervised, std::memory_order_relaxed);
  header->creator.set_self();
  header->created_ns.store(monotonic_ns(), std::memory_order_relaxed);
  // Pairs with the acquire load in attach: who sees the magic sees all of the header.
  header->magic.store(ring_magic, std::memory_order_release);
  return ring;
}

Ring Ring::attach(const std::string& segment_name, bool writable) {
  Ring ring;
  ring.segment_ = Segment::attach(segment_name, writable);
  ring.name_ = segment_name;
  const auto refuse = [&](const std::string& why) { throw Error("ring " + segment_name + ": " + why); };
  if (ring.segment_.size() < ring_area_offset + min_ring_bytes)
    refuse("too small to be a ring");
  const auto& header = ring.header();
  // Pairs with the release store in create.
  if (header.magic.load(std::memory_order_acquire) != ring_magic)
    refuse("not a ring, or not yet complete");
  const auto version = header.version.load(std::memory_order_relaxed);
  const auto capacity = header.capacity_bytes.load(std::memory_order_relaxed);
  const auto area_offset = header.area_offset.load(std::memory_order_relaxed);
  if (version != ring_version)
    refuse("ring version " + std::to_string(version) + ", this program has version " + std::to_string(ring_version) +
           ": start all stages from one build");
  if (area_offset != ring_area_offset || !std::has_single_bit(capacity) || capacity < min_ring_bytes ||
      capacity > max_ring_bytes || capacity > ring.segment_.size() - ring_area_offset)
    refuse("damaged: its header does not fit its size");
  ring.capacity_bytes_ = capacity;
  ring.supervised_ = header.supervised.load(std::memory_order_relaxed) != 0;
  return ring;
}

std::uint64_t Ring::fill_bytes() const noexcept {
  const auto given_back = header().consumer.index.load(std::memory_order_relaxed);
  const auto published = header().producer.index.load(std::memory_order_relaxed);
  return published > given_back ? std::min(published - given_back, capacity_bytes_) : 0;
}

bool creator_lives(const RingHeader& header) noexcept {
  const auto sign = [](const std::atomic<std::uint64_t>& at_ns) { return at_ns.load(std::memory_order_relaxed); };
  return header.creator.lives(
      std::max({sign(header.created_ns), sign(header.producer.heartbeat_ns), sign(header.consumer.heartbeat_ns)}));
}

bool is_taken(const RingEnd& end) noexcept {
  return end.state.load(std::memory_order_acquire) == EndState::attached &&
         end.process.lives(end.heartbeat_ns.load(std::memory_order_relaxed));
}

bool Ring::is_lost(const RingEnd& end) const noexcept {
  switch (end.state.load(std::memory_order_acquire)) {
  case EndState::dead:
    return true;
  case EndState::attached:
    return !end.process.lives(end.heartbeat_ns.load(std::memory_order_relaxed)) &&
           !(supervised_ && creator_lives(header()));
  case EndState::absent:
  case EndState::finished:
    return false;
  }
  return true; // no end writes that: whoever was there is not to be waited for
}

} // namespace orbweaver
