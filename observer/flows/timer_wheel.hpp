// SPDX-License-Identifier: GPL-3.0-or-later
// Seconds to come, each with the slots whose flows are to be looked at then. An entry stays until its second is taken:
// who adds knows which of them are still good.
//
// The slots of a second lie side by side in chunks of a cache line, so that the flows they name can be prefetched;
// all wheels have their chunks from one pool, and a second that holds nothing has none.
#pragma once

#include "common/memory_area.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace orbweaver {

/// The chunks of several wheels. Memory is taken as they fill, and serves all of them from then on.
class TimerPool {
public:
  /// Entries whose chunks 32 bits can tell apart, with any number of seconds.
  static constexpr std::uint64_t most_entries = 3'000'000'000;

  /// For wheels with so many buckets together, which never hold more than `entries`, at most most_entries. Throws Error
  /// where even the addresses for it are not to be had.
  TimerPool(std::uint64_t entries, std::uint64_t buckets)
      : area_((entries / Chunk::entries + std::min(entries, buckets) + 2) * sizeof(Chunk), Pages::normal) {}

  /// Octets of memory that the chunks take.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return std::uint64_t{next_} * sizeof(Chunk); }

private:
  friend class TimerWheel;

  struct Chunk {
    static constexpr std::uint32_t words = 16, entries = 15;

    std::uint32_t next; ///< number of the second's next chunk, where there is one; of a free chunk: of the next one
    std::uint32_t slots[entries];
  };
  static_assert(sizeof(Chunk) == Chunk::words * sizeof(std::uint32_t));

  [[nodiscard]] Chunk& chunk(std::uint32_t number) const noexcept {
    return reinterpret_cast<Chunk*>(area_.data())[number];
  }
  [[nodiscard]] std::uint32_t get() noexcept {
    const std::uint32_t number = free_ != 0 ? std::exchange(free_, chunk(free_).next) : next_++;
    __builtin_prefetch(&chunk(free_ != 0 ? free_ : next_), 1); // the one after it
    return number;
  }
  void put(std::uint32_t number) noexcept { chunk(number).next = std::exchange(free_, number); }

  MemoryArea area_;
  std::uint32_t next_ = 1; ///< the first chunk that was never used; chunk 0 stays unused: none has that number
  std::uint32_t free_ = 0; ///< of the freed chunks, chained through Chunk::next
};

class TimerWheel {
public:
  /// A wheel for seconds at most `horizon` ahead of the clock. `pool` outlives it.
  TimerWheel(TimerPool& pool, std::uint64_t horizon)
      : pool_(pool), seconds_(buckets(horizon)), mask_(seconds_.size() - 1) {}

  [[nodiscard]] static constexpr std::uint64_t buckets(std::uint64_t horizon) noexcept {
    return std::bit_ceil(horizon + 2);
  }

  /// `second` is later than the clock, at most by the horizon.
  void add(std::uint64_t second, std::uint32_t slot) noexcept {
    auto& [first, last] = seconds_[second & mask_];
    if (first == 0 || place(last) == Chunk::entries - 1) {
      const std::uint32_t added = pool_.get();
      (first == 0 ? first : pool_.chunk(number(last)).next) = added;
      last = first_of(added);
    } else {
      ++last;
    }
    pool_.chunk(number(last)).slots[place(last)] = slot;
    ++size_;
  }

  /// Takes all entries of a second, in the order in which they came, and calls visit(std::span<const std::uint32_t>)
  /// with many of their slots at a time. It may add, to that second too.
  template <typename Visit>
  void take(std::uint64_t second, Visit&& visit) noexcept {
    const auto [first, last] = std::exchange(seconds_[second & mask_], {});
    std::array<std::uint32_t, 128 * Chunk::entries> slots;
    std::size_t count = 0;
    for (std::uint32_t at = first; at != 0;) {
      const Chunk& chunk = pool_.chunk(at);
      const bool is_last = at == number(last);
      const std::size_t filled = is_last ? place(last) + 1 : Chunk::entries;
      std::copy_n(chunk.slots, filled, slots.begin() + static_cast<std::ptrdiff_t>(count));
      count += filled;
      const std::uint32_t next = is_last ? 0 : chunk.next;
      pool_.put(std::exchange(at, next));
      if (next != 0 && count + Chunk::entries <= slots.size())
        continue;
      size_ -= count;
      visit(std::span<const std::uint32_t>(slots.data(), count));
      count = 0;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t horizon() const noexcept { return mask_ - 1; }
  /// Octets of memory beside the pool's.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return seconds_.size() * sizeof(Second); }

private:
  using Chunk = TimerPool::Chunk;

  // A position is that of the slot's word in the pool, whose chunks are sixteen words each, one of them before the
  // slots.
  using Position = std::uint32_t;

  struct Second {
    std::uint32_t first = 0; ///< number of its first chunk; 0: it has none
    Position last = 0;       ///< its last entry
  };

  static constexpr std::uint32_t first_word = offsetof(TimerPool::Chunk, slots) / sizeof(std::uint32_t);
  static_assert(TimerPool::most_entries / Chunk::entries * Chunk::words <= std::numeric_limits<Position>::max());

  [[nodiscard]] static constexpr std::uint32_t number(Position position) noexcept { return position / Chunk::words; }
  [[nodiscard]] static constexpr std::uint32_t place(Position position) noexcept {
    return position % Chunk::words - first_word;
  }
  [[nodiscard]] static constexpr Position first_of(std::uint32_t number) noexcept {
    return number * Chunk::words + first_word;
  }

  TimerPool& pool_;
  std::vector<Second> seconds_;
  std::size_t mask_;
  std::size_t size_ = 0;
};

} // namespace orbweaver
