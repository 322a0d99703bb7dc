// SPDX-License-Identifier: GPL-3.0-or-later
// The flows of one observer, found by their canonical key. An open-addressing index of 8 octets a place (32 bits of
// hash, 32 bits of slot) points into a slab of flows, each on cache lines of its own; both can be prefetched from a
// packet's hash, so that a batch of packets waits for memory once and not once a packet.
#pragma once

#include "common/packet_record.hpp"
#include "observer/flow.hpp"
#include "observer/memory_area.hpp"

#include <cstddef>
#include <cstdint>

namespace orbweaver {

class FlowTable {
public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  /// A table of at most `max_flows` flows with `state_bytes` octets of chain state each. Memory is taken as it fills.
  /// Throws Error where even the addresses for it are not to be had.
  FlowTable(std::uint32_t state_bytes, std::uint64_t max_flows);

  [[nodiscard]] Flow& flow(std::uint32_t slot) const noexcept {
    return *reinterpret_cast<Flow*>(slab_.data() + std::size_t{slot} * stride_);
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t max_flows() const noexcept { return max_flows_; }
  [[nodiscard]] bool full() const noexcept { return size_ == max_flows_; }
  /// Slots that were ever in use: those below it may be looked through.
  [[nodiscard]] std::uint32_t slots_used() const noexcept { return next_slot_; }
  /// Octets of memory that index and flows take.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept {
    return (index_mask_ + 1) * sizeof(std::uint64_t) + std::uint64_t{next_slot_} * stride_;
  }

  // The prefetches are inlined by force: GCC takes a function that only prefetches for one without effects, and drops
  // calls of it. Without them a packet waits 480 ns in a table of 10 million flows, with them 100 ns.

  /// Brings the index line of a hash into the cache.
  [[gnu::always_inline]] void prefetch_index(std::uint32_t hash) const noexcept {
    __builtin_prefetch(&index()[home(hash)]);
  }

  /// Brings the flow that a hash most likely belongs to into the cache, and returns its slot, or none.
  [[gnu::always_inline]] std::uint32_t prefetch_flow(std::uint32_t hash) const noexcept {
    const std::uint64_t* const index_begin = index();
    for (std::uint64_t place = home(hash);; place = (place + 1) & index_mask_) {
      const std::uint64_t entry = index_begin[place];
      if (entry == 0)
        return none;
      if (entry >> 32 == hash) {
        const auto slot = static_cast<std::uint32_t>(entry) - 1;
        prefetch_slot(slot);
        return slot;
      }
    }
  }

  [[gnu::always_inline]] void prefetch_slot(std::uint32_t slot) const noexcept {
    const std::byte* const lines = slab_.data() + std::size_t{slot} * stride_;
    for (std::uint32_t line = 0; line < stride_; line += 64)
      __builtin_prefetch(lines + line, 1);
  }

  /// Whether a slot holds the flow with the key of this packet.
  [[nodiscard]] bool holds(std::uint32_t slot, PacketView packet) const noexcept {
    return slot != none && flow(slot).state != FlowState::free && flow(slot).has_key_of(packet);
  }

  /// The slot of the flow with the key of this packet, or none.
  [[nodiscard]] std::uint32_t find(std::uint32_t hash, PacketView packet) const noexcept {
    const std::uint64_t* const index_begin = index();
    for (std::uint64_t place = home(hash);; place = (place + 1) & index_mask_) {
      const std::uint64_t entry = index_begin[place];
      if (entry == 0)
        return none;
      if (entry >> 32 == hash) {
        const auto slot = static_cast<std::uint32_t>(entry) - 1;
        if (flow(slot).has_key_of(packet))
          return slot;
      }
    }
  }

  /// A slot for a new flow with the key of this packet; its other members and its states are not set. Not when full().
  std::uint32_t insert(std::uint32_t hash, PacketView packet) noexcept;

  /// Frees a slot; its generation goes up, so that timers that still name it are known to be stale.
  void erase(std::uint32_t slot) noexcept;

private:
  [[nodiscard]] std::uint64_t* index() const noexcept { return reinterpret_cast<std::uint64_t*>(index_area_.data()); }
  [[nodiscard]] std::uint64_t home(std::uint32_t hash) const noexcept { return hash >> index_shift_; }
  void grow() noexcept;

  MemoryArea slab_;
  MemoryArea index_area_;
  std::uint64_t index_mask_;
  std::uint32_t index_shift_; ///< a flow's home is the upper bits of its hash
  std::uint32_t stride_;
  std::uint64_t max_flows_;
  std::uint64_t size_ = 0;
  std::uint64_t grow_at_;
  std::uint32_t next_slot_ = 0;
  std::uint32_t free_slot_ = none; ///< first of the freed slots, chained through Flow::next_free
};

} // namespace orbweaver
