// SPDX-License-Identifier: GPL-3.0-or-later
// What flows hold of variable length: names, octets, lists. One bounded area for an observer; a flow pays for a text
// what the text takes, and nothing without one. A buddy allocator: blocks of 32 octets and their powers of two, each
// with a header of 8; a freed block joins its neighbour, so that no mix of sizes eats the area up for good. A flow's
// blocks are chained, and freed together when it leaves. Observer's thread.
#pragma once

#include "common/memory_area.hpp"
#include "common/stream/field_types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace orbweaver {

class FlowMemory {
public:
  /// A block by its place in units of 32 octets; 0: none.
  using Place = std::uint32_t;

  struct Counters {
    std::uint64_t octets = 0;   ///< of the blocks in use
    std::uint64_t full = 0;     ///< values that found no room
    std::uint64_t too_long = 0; ///< values longer than max_value_octets
  };

  static constexpr std::uint64_t unit_octets = 32;
  static constexpr std::uint64_t largest_block = std::uint64_t{1} << 20;
  static constexpr std::uint64_t max_value_octets = largest_block - 8;

  /// Of at most so many octets, rounded to the largest block; taken from the system as it fills. 0: none at all.
  explicit FlowMemory(std::uint64_t octets) : FlowMemory(octets, {}) {}
  /// The same on that area, of so many octets rounded up.
  FlowMemory(std::uint64_t octets, MemoryArea area);

  /// While the area is what a predecessor left, of which nobody knows what is free: values are only read; what is to be
  /// set becomes null.
  void freeze(bool frozen) noexcept { frozen_ = frozen; }

  /// Puts octets in place of what `ref` holds, in a block of the chain `first`. Where there is no room `ref` becomes
  /// null.
  bool store(Place& first, TailRef& ref, std::span<const std::byte> octets) noexcept;
  /// Adds octets behind what `ref` holds; where there is no room it stays as it is.
  bool append(Place& first, TailRef& ref, std::span<const std::byte> octets) noexcept;
  void release(Place& first, TailRef& ref) noexcept;
  /// Frees all blocks of a chain.
  void release_all(Place& first) noexcept;

  [[nodiscard]] std::span<const std::byte> octets(const TailRef& ref) const noexcept {
    return ref.is_null() || (frozen_ && !fits(ref)) ? std::span<const std::byte>()
                                                    : std::span(data(ref.at), ref.octets);
  }

  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  /// Octets that have ever been touched: what the system has given.
  [[nodiscard]] std::uint64_t touched_octets() const noexcept { return std::uint64_t{fresh_} * unit_octets; }

private:
  static constexpr unsigned orders = 16; ///< 32 octets to 1 MiB
  static constexpr Place largest_units = largest_block / unit_octets;

  struct Block {
    Place next;         ///< in its flow's chain, or in the list of free blocks of its order
    std::uint8_t order; ///< 32 << order octets
    std::uint8_t is_free;
    std::uint8_t reserved[2];
    Place previous; ///< in a free block only: a value begins here
  };

  [[nodiscard]] Block& block(Place place) const noexcept {
    return *reinterpret_cast<Block*>(area_.data() + place * unit_octets);
  }
  [[nodiscard]] std::byte* data(Place place) const noexcept { return area_.data() + place * unit_octets + 8; }
  [[nodiscard]] static std::uint64_t capacity(const Block& block) noexcept { return (unit_octets << block.order) - 8; }
  /// Whether what a predecessor left can be a value.
  [[nodiscard]] bool fits(const TailRef& ref) const noexcept {
    return ref.at < units_ && ref.octets + std::uint64_t{8} <= (std::uint64_t{units_} - ref.at) * unit_octets;
  }
  Place take(unsigned order) noexcept;
  void give_back(Place place) noexcept;
  void link_free(Place place, unsigned order) noexcept;
  void unlink_free(Place place) noexcept;
  void unchain(Place& first, Place place) noexcept;
  /// A block for so many octets, at the front of the chain; 0 where there is none, which is counted.
  Place chained(Place& first, std::uint64_t octets) noexcept;

  MemoryArea area_;
  Place units_;     ///< of the area
  Place fresh_ = 0; ///< from here on nothing was ever used; a multiple of the largest block's
  std::array<Place, orders> free_{};
  bool frozen_ = false;
  Counters counters_;
};

} // namespace orbweaver
