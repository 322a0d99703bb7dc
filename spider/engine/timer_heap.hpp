// SPDX-License-Identifier: GPL-3.0-or-later
// The timers of the event loop: a binary heap by time, each timer knowing its place in it, so that one is cancelled
// without a search and leaves nothing behind. Most timers of a spider are time limits that never come. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace orbweaver {

class TimerHeap {
public:
  using Call = std::function<void()>;

  /// Adds a timer; its number is never 0, and is not used again for 2^32 timers of its slot.
  std::uint64_t add(std::uint64_t time_ns, Call call) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    heap_.push_back({time_ns, ++added_, slot});
    slots_[slot].call = std::move(call);
    rise(heap_.size() - 1);
    return std::uint64_t{slots_[slot].generation} << 32 | slot;
  }

  /// Does nothing for a timer that is gone, or for 0.
  void cancel(std::uint64_t timer) noexcept {
    const auto slot = static_cast<std::uint32_t>(timer);
    if (slot < slots_.size() && slots_[slot].generation == timer >> 32 && slots_[slot].call)
      take(slots_[slot].place);
  }

  [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
  /// When the earliest is due; there must be one.
  [[nodiscard]] std::uint64_t earliest_ns() const noexcept { return heap_.front().time_ns; }
  /// Takes the earliest out; of two of one time the one that was added first.
  Call pop() noexcept { return take(0); }

private:
  struct Entry {
    std::uint64_t time_ns;
    std::uint64_t order;
    std::uint32_t slot;
    [[nodiscard]] bool before(const Entry& other) const noexcept {
      return time_ns != other.time_ns ? time_ns < other.time_ns : order < other.order;
    }
  };
  struct Slot {
    Call call;
    std::uint32_t generation = 1;
    std::size_t place = 0;
  };

  void put(std::size_t place, const Entry& entry) noexcept {
    heap_[place] = entry;
    slots_[entry.slot].place = place;
  }

  void rise(std::size_t place) noexcept {
    const Entry entry = heap_[place];
    for (; place > 0 && entry.before(heap_[(place - 1) / 2]); place = (place - 1) / 2)
      put(place, heap_[(place - 1) / 2]);
    put(place, entry);
  }

  void sink(std::size_t place) noexcept {
    const Entry entry = heap_[place];
    for (std::size_t child; (child = 2 * place + 1) < heap_.size(); place = child) {
      if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child]))
        ++child;
      if (!heap_[child].before(entry))
        break;
      put(place, heap_[child]);
    }
    put(place, entry);
  }

  Call take(std::size_t place) noexcept {
    const std::uint32_t taken = heap_[place].slot;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place < heap_.size()) {
      put(place, last);
      rise(place);
      sink(slots_[last.slot].place);
    }
    if (++slots_[taken].generation == 0)
      slots_[taken].generation = 1;
    free_.push_back(taken); // there is room: every slot was in it or came from it
    return std::exchange(slots_[taken].call, nullptr);
  }

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t added_ = 0;
};

} // namespace orbweaver
