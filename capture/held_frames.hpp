// SPDX-License-Identifier: GPL-3.0-or-later
// Frames whose time the packet clock doubts, until the frames behind them tell: copies, since a source's octets do not
// wait. A few at the most; owned by a Capture and used on its thread, for such frames only.
#pragma once

#include "capture/sources/source.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace orbweaver {

class HeldFrames {
public:
  struct Held {
    std::vector<std::uint8_t> octets;
    Frame frame;          ///< its octets are those
    std::uint64_t number; ///< in the input, from 1
  };

  /// More times that all contradict one another tell nothing any more.
  static constexpr std::size_t most = 16;

  [[nodiscard]] bool empty() const noexcept { return held_.empty(); }
  [[nodiscard]] bool full() const noexcept { return held_.size() >= most; }
  /// The one that came last; not where it is empty().
  [[nodiscard]] const Frame& last() const noexcept { return held_.back().frame; }

  void add(const Frame& frame, std::uint64_t number) {
    auto& held = held_.emplace_back();
    held.octets.assign(frame.data, frame.data + frame.captured_length);
    held.frame = frame;
    held.frame.data = held.octets.data();
    held.number = number;
  }
  void drop_last() noexcept { held_.pop_back(); }

  /// Takes all, in the order in which they came.
  [[nodiscard]] std::vector<Held> take() noexcept { return std::exchange(held_, {}); }

private:
  std::vector<Held> held_;
};

} // namespace orbweaver
