// SPDX-License-Identifier: GPL-3.0-or-later
// The flows of one observer, found by their canonical key. An open-addressing index of buckets, each a cache line of
// eight places (32 bits of hash, 32 bits of slot), points into a slab of flows, each on cache lines of its own; both
// can be prefetched from a packet's hash, so that a batch of packets waits for memory once and not once a packet.
//
// A bucket's flows are at its front. A flow that finds its home bucket full goes to the next that has room; all buckets
// from its home to there are full as long as it stands there.
#pragma once

#include "common/memory_area.hpp"
#include "common/stream/records/packet_record.hpp"
#include "observer/flows/flow.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace orbweaver {

class FlowTable {
public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  /// A table of at most `max_flows` flows with `state_bytes` octets of chain state each. Memory is taken as it fills.
  /// Throws Error where even the addresses for it are not to be had.
  FlowTable(std::uint32_t state_bytes, std::uint64_t max_flows) : FlowTable(state_bytes, max_flows, {}, nullptr) {}

  /// The same on that slab, of max_flows * flow_bytes(state_bytes) octets, which may outlive the table; then
  /// slots_used() is always stored there too, before a slot is used.
  /// `key_octets`: room for a key extension, of the state's octets the last ones.
  FlowTable(std::uint32_t state_bytes, std::uint64_t max_flows, MemoryArea slab, std::uint32_t* slots_used,
            std::uint32_t key_octets = 0);

  /// What a flow takes of the slab.
  [[nodiscard]] static constexpr std::uint32_t flow_bytes(std::uint32_t state_bytes) noexcept {
    return (Flow::states_offset + state_bytes + 63) / 64 * 64;
  }

  /// Makes the slab of an empty table as new, of which so many slots may have been in use.
  void renew(std::uint32_t slots) noexcept { slab_.clear(std::size_t{slots} * stride_); }

  [[nodiscard]] Flow& flow(std::uint32_t slot) const noexcept {
    return *reinterpret_cast<Flow*>(slab_.data() + std::size_t{slot} * stride_);
  }
  [[nodiscard]] KeyRoom key_room() const noexcept { return key_room_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t max_flows() const noexcept { return max_flows_; }
  [[nodiscard]] bool full() const noexcept { return size_ == max_flows_; }
  /// Slots that were ever in use: those below it may be looked through.
  [[nodiscard]] std::uint32_t slots_used() const noexcept { return next_slot_; }
  /// Octets of memory that index and flows take.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept {
    return (index_mask_ + 1) * sizeof(Bucket) + std::uint64_t{next_slot_} * stride_;
  }

  // The prefetches are inlined by force: GCC takes a function that only prefetches for one without effects, and drops
  // calls of it. Without them a packet waits 480 ns in a table of 10 million flows, with them 100 ns.

  /// Brings the home bucket of a hash into the cache.
  [[gnu::always_inline]] void prefetch_index(std::uint32_t hash) const noexcept {
    __builtin_prefetch(&index()[home(hash)]);
  }

  /// Brings the flow that a hash most likely belongs to into the cache, and returns its slot, or none.
  [[gnu::always_inline]] std::uint32_t prefetch_flow(std::uint32_t hash) const noexcept {
    const Bucket& bucket = index()[home(hash)];
    const unsigned found = bucket.matches(hash);
    if (found == 0)
      return none;
    const std::uint32_t slot = bucket.slots[std::countr_zero(found)];
    prefetch_slot(slot);
    return slot;
  }

  [[gnu::always_inline]] void prefetch_slot(std::uint32_t slot) const noexcept {
    const std::byte* const lines = slab_.data() + std::size_t{slot} * stride_;
    __builtin_prefetch(lines, 1);
    __builtin_prefetch(lines + 64, 1);
    for (std::uint32_t line = 128; line < stride_; line += 64)
      [[unlikely]] __builtin_prefetch(lines + line, 1);
  }

  /// Whether a slot holds the flow with the key of this packet.
  [[nodiscard]] bool holds(std::uint32_t slot, PacketView packet) const noexcept {
    return slot != none && flow(slot).state != FlowState::free && flow(slot).has_key_of(packet, key_room_);
  }

  /// The slot of the flow with the key of this packet, or none.
  [[nodiscard]] std::uint32_t find(std::uint32_t hash, PacketView packet) const noexcept {
    for (std::uint64_t at = home(hash);; at = (at + 1) & index_mask_) {
      const Bucket& bucket = index()[at];
      for (unsigned found = bucket.matches(hash); found != 0; found &= found - 1) {
        const std::uint32_t slot = bucket.slots[std::countr_zero(found)];
        if (flow(slot).has_key_of(packet, key_room_))
          return slot;
      }
      if (!bucket.full())
        return none;
    }
  }

  /// A slot for a new flow with the key of this packet; its other members and its states are not set. Not when full().
  std::uint32_t insert(std::uint32_t hash, PacketView packet) noexcept;

  /// Frees a slot, which no timer may name any more.
  void erase(std::uint32_t slot) noexcept;

  /// Empties the table; calls visit(Flow&, slot) for each flow first, in the order in which they lie in memory, and
  /// freed() when its slot is free.
  template <typename Visit, typename Freed>
  void drain(Visit&& visit, Freed&& freed) noexcept {
    for (std::uint32_t slot = 0; slot < next_slot_; ++slot) {
      Flow& gone = flow(slot);
      if (gone.state == FlowState::free)
        continue;
      visit(gone, slot);
      free_slot(slot);
      freed();
    }
    std::memset(index_area_.data(), 0, index_area_.size());
  }

private:
  struct alignas(64) Bucket {
    static constexpr unsigned places = 8;
    std::uint32_t tags[places]; ///< tag_of a flow's hash; 0: an empty place
    std::uint32_t slots[places];

    [[nodiscard]] static constexpr std::uint32_t tag_of(std::uint32_t hash) noexcept { return hash | 1; }
    [[nodiscard]] bool full() const noexcept { return tags[places - 1] != 0; }

    /// The places, as bits, whose flow may have this hash. All eight at once, without a branch: probing place by place
    /// took 14 ns a packet for branches that nobody can predict.
    [[nodiscard]] unsigned matches(std::uint32_t hash) const noexcept { return equal_to(tag_of(hash)); }
    /// Place after the last flow; not where it is full().
    [[nodiscard]] unsigned end() const noexcept { return static_cast<unsigned>(std::countr_zero(equal_to(0))); }
    /// Takes a flow out, and puts the last one in its place. Returns whether the bucket was full.
    bool take_out(unsigned place) noexcept {
      const bool was_full = full();
      const unsigned last = was_full ? places - 1 : end() - 1;
      tags[place] = tags[last];
      slots[place] = slots[last];
      tags[last] = 0;
      return was_full;
    }

  private:
    [[nodiscard]] unsigned equal_to(std::uint32_t tag) const noexcept {
#ifdef __SSE2__
      const __m128i wanted = _mm_set1_epi32(static_cast<int>(tag));
      const auto* four = reinterpret_cast<const __m128i*>(tags);
      const __m128i equal = _mm_packs_epi32(_mm_cmpeq_epi32(four[0], wanted), _mm_cmpeq_epi32(four[1], wanted));
      return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#else
      unsigned equal = 0;
      for (unsigned place = 0; place < places; ++place)
        equal |= static_cast<unsigned>(tags[place] == tag) << place;
      return equal;
#endif
    }
  };
  static_assert(sizeof(Bucket) == 64);

  [[nodiscard]] Bucket* index() const noexcept {
    return reinterpret_cast<Bucket*>(index_area_.data());
  }
  [[nodiscard]] std::uint64_t home(std::uint32_t hash) const noexcept {
    return hash >> index_shift_;
  }
  void free_slot(std::uint32_t slot) noexcept {
    Flow& gone = flow(slot);
    gone.state = FlowState::free;
    gone.next_free = first_free_;
    first_free_ = slot;
    --size_;
  }
  void add_to_index(std::uint32_t tag, std::uint32_t slot) noexcept;
  void remove_from_index(std::uint32_t hash, std::uint32_t slot) noexcept;
  /// The first place in a bucket whose flow is at least so many buckets from its home; Bucket::places: there is none.
  [[nodiscard]] unsigned place_at_home_before(std::uint64_t at, std::uint64_t buckets) const noexcept;
  void grow() noexcept;
  std::uint32_t take_fresh() noexcept;

  MemoryArea slab_;
  MemoryArea index_area_;
  std::uint64_t index_mask_;  ///< buckets less one
  std::uint32_t index_shift_; ///< a flow's home is the upper bits of its hash
  std::uint32_t stride_;
  KeyRoom key_room_;
  std::uint64_t max_flows_;
  std::uint64_t size_ = 0;
  std::uint64_t grow_at_;
  std::uint32_t next_slot_ = 0;
  std::uint32_t* kept_slots_;       ///< where else next_slot_ is told
  std::uint32_t first_free_ = none; ///< of the freed slots, chained through Flow::next_free
};

} // namespace orbweaver
