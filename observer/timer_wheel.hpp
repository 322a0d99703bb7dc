// SPDX-License-Identifier: GPL-3.0-or-later
// Seconds to come, each with the slots whose flows are to be looked at then. A slot that no longer waits is taken out
// at once, so that a wheel holds as many entries as slots wait, however many flows came and went.
//
// The slots of a second lie side by side in chunks of half a cache line, so that the flows they name can be prefetched;
// all wheels have their chunks from one pool, and a second that holds nothing has none. A slot is known to its wheel by
// its position, which whoever adds it keeps: a number, so that four octets are enough for it in a flow.
#pragma once

#include "observer/memory_area.hpp"

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
  /// Entries that positions can tell apart, with any number of seconds.
  static constexpr std::uint64_t most_entries = 3'000'000'000;

  /// For wheels with so many buckets together, which never hold more than `entries`, at most most_entries. Throws Error
  /// where even the addresses for it are not to be had.
  TimerPool(std::uint64_t entries, std::uint64_t buckets)
      : area_((entries / Chunk::entries + std::min(entries, buckets) + 2) * sizeof(Chunk)) {}

  /// Octets of memory that the chunks take.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return std::uint64_t{next_} * sizeof(Chunk); }

private:
  friend class TimerWheel;

  struct Chunk {
    static constexpr std::uint32_t words = 8, entries = 6;

    std::uint32_t
        link; ///< position of the last entry of the chunk before; of a free chunk: number of the next free one
    std::uint32_t bucket; ///< whose chunk it is
    std::uint32_t slots[entries];
  };
  static_assert(sizeof(Chunk) == Chunk::words * sizeof(std::uint32_t));

  [[nodiscard]] Chunk& chunk(std::uint32_t number) const noexcept {
    return reinterpret_cast<Chunk*>(area_.data())[number];
  }
  [[nodiscard]] std::uint32_t get() noexcept { return free_ != 0 ? std::exchange(free_, chunk(free_).link) : next_++; }
  void put(std::uint32_t number) noexcept { chunk(number).link = std::exchange(free_, number); }

  MemoryArea area_;
  std::uint32_t next_ = 1; ///< the first chunk that was never used; chunk 0 stays unused: none has that number
  std::uint32_t free_ = 0; ///< of the freed chunks, chained through Chunk::link
};

class TimerWheel {
public:
  /// Where an entry stands until it is taken, removed, or told another position.
  using Position = std::uint32_t;
  static constexpr Position none = 0;

  /// A wheel for seconds at most `horizon` ahead of the clock. `pool` outlives it.
  TimerWheel(TimerPool& pool, std::uint64_t horizon) : pool_(pool), last_(buckets(horizon)), mask_(last_.size() - 1) {}

  [[nodiscard]] static constexpr std::uint64_t buckets(std::uint64_t horizon) noexcept {
    return std::bit_ceil(horizon + 2);
  }

  /// `second` is later than the clock, at most by the horizon.
  [[nodiscard]] Position add(std::uint64_t second, std::uint32_t slot) noexcept {
    const auto bucket = static_cast<std::uint32_t>(second & mask_);
    Position& last = last_[bucket];
    if (last == none || place(last) == Chunk::entries - 1) {
      const std::uint32_t number = pool_.get();
      pool_.chunk(number).link = last;
      pool_.chunk(number).bucket = bucket;
      last = first_of(number);
    } else {
      ++last;
    }
    slot_at(last) = slot;
    ++size_;
    return last;
  }

  /// Takes an entry out. The last one of its second comes to stand there: returns its slot, to be told; it may be the
  /// one taken out.
  [[nodiscard]] std::uint32_t remove(Position position) noexcept {
    Position& last = last_[pool_.chunk(number(position)).bucket];
    const std::uint32_t moved = slot_at(position) = slot_at(last);
    if (place(last) == 0) {
      const std::uint32_t emptied = number(last);
      last = pool_.chunk(emptied).link;
      pool_.put(emptied);
    } else {
      --last;
    }
    --size_;
    return moved;
  }

  /// Takes all entries of a second, in the order of their positions, and calls visit(std::span<const std::uint32_t>)
  /// with many of their slots at a time. It may add, to that second too, and remove what it has not yet to visit.
  template <typename Visit>
  void take(std::uint64_t second, Visit&& visit) noexcept {
    const Position last = std::exchange(last_[second & mask_], none);
    if (last == none)
      return;
    std::array<std::uint32_t, 128 * Chunk::entries> slots;
    std::size_t count = 0;
    for (std::uint32_t at = first_chunk(last), next = at; next != 0; at = next) {
      const Chunk& chunk = pool_.chunk(at);
      const std::size_t filled = at == number(last) ? place(last) + 1 : Chunk::entries;
      std::copy_n(chunk.slots, filled, slots.begin() + static_cast<std::ptrdiff_t>(count));
      count += filled;
      next = chunk.link;
      pool_.put(at);
      if (next != 0 && count + Chunk::entries <= slots.size())
        continue;
      size_ -= count;
      visit(std::span<const std::uint32_t>(slots.data(), count));
      count = 0;
    }
  }

  /// Forgets all entries. Not cheaper than removing them where there are few, but nobody has to know their positions.
  void clear() noexcept {
    for (std::uint64_t second = 0; size_ != 0; ++second)
      take(second, [](std::span<const std::uint32_t>) {});
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t horizon() const noexcept { return mask_ - 1; }
  /// Octets of memory beside the pool's.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return last_.size() * sizeof(Position); }

private:
  using Chunk = TimerPool::Chunk;

  // A position is that of the slot's word in the pool, whose chunks are eight words each, two of them before the slots.
  static constexpr std::uint32_t first_word = offsetof(TimerPool::Chunk, slots) / sizeof(std::uint32_t);
  static_assert(TimerPool::most_entries / Chunk::entries * Chunk::words <= std::numeric_limits<Position>::max());

  [[nodiscard]] static constexpr std::uint32_t number(Position position) noexcept { return position / Chunk::words; }
  [[nodiscard]] static constexpr std::uint32_t place(Position position) noexcept {
    return position % Chunk::words - first_word;
  }
  [[nodiscard]] static constexpr Position first_of(std::uint32_t number) noexcept {
    return number * Chunk::words + first_word;
  }
  [[nodiscard]] std::uint32_t& slot_at(Position position) const noexcept {
    return pool_.chunk(number(position)).slots[place(position)];
  }

  /// The first chunk of a second that has been cut off. Its chunks lead from the first to the last from then on.
  [[nodiscard]] std::uint32_t first_chunk(Position last) noexcept {
    std::uint32_t at = number(last), next = 0;
    for (;;) {
      const Position before = std::exchange(pool_.chunk(at).link, next);
      if (before == none)
        return at;
      next = std::exchange(at, number(before));
    }
  }

  TimerPool& pool_;
  std::vector<Position> last_; ///< entry of each second
  std::size_t mask_;
  std::size_t size_ = 0;
};

} // namespace orbweaver
