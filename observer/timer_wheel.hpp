// SPDX-License-Identifier: GPL-3.0-or-later
// Seconds to come, each with the flows that are to be looked at then. Entries are never removed: who looks finds out
// from the generation whether the slot still holds that flow. Entries of a second lie side by side, so that the flows
// they name can be prefetched.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbweaver {

class TimerWheel {
public:
  struct Entry {
    std::uint32_t slot;
    std::uint32_t generation; ///< a slot may have a million flows before its oldest entry is due
  };

  /// A wheel for seconds at most `horizon` ahead of the clock.
  explicit TimerWheel(std::uint64_t horizon) : buckets_(std::bit_ceil(horizon + 2)), mask_(buckets_.size() - 1) {}

  /// `second` is later than the clock, at most by the horizon.
  void add(std::uint64_t second, Entry entry) {
    buckets_[second & mask_].push_back(entry);
    ++size_;
  }

  /// Takes all entries of a second into `out`, which is replaced; its memory serves the wheel afterwards.
  void take(std::uint64_t second, std::vector<Entry>& out) {
    out.clear();
    out.swap(buckets_[second & mask_]);
    size_ -= out.size();
  }

  /// Entries there are, stale ones too.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t horizon() const noexcept { return mask_ - 1; }
  [[nodiscard]] const std::vector<Entry>& at(std::uint64_t second) const noexcept { return buckets_[second & mask_]; }

private:
  std::vector<std::vector<Entry>> buckets_;
  std::size_t mask_;
  std::size_t size_ = 0;
};

} // namespace orbweaver
