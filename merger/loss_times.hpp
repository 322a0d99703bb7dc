// SPDX-License-Identifier: GPL-3.0-or-later
// When an observer was blind: its ring lost packets between two ticks of the packet clock. Exact to these ticks, and
// bounded: of very many losses the oldest ones melt into one long one. Owned by the join; one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>

namespace orbweaver {

class LossTimes {
public:
  /// The clock came to that second: what is lost from now on is later than the second before it began.
  void tick(std::uint64_t second) noexcept {
    if (second <= clock_s_)
      return;
    clock_s_ = second;
    if (open_)
      spans_.back().to_s = second;
    open_ = false;
  }

  /// Packets were lost just now: after the last tick and before the next one, which bounds it; or in the second
  /// before, where the kernel lost them and capture noticed later.
  void lost() {
    if (open_)
      return;
    open_ = true;
    const auto from_s = clock_s_ > 1 ? clock_s_ - 2 : 0;
    if (!spans_.empty() && spans_.back().to_s >= from_s)
      spans_.back().to_s = unbounded;
    else
      spans_.push_back({from_s, unbounded});
    if (spans_.size() > max_spans) {
      spans_[1].from_s = spans_[0].from_s;
      spans_.pop_front();
    }
  }

  /// Whether packets may have been lost in that time.
  [[nodiscard]] bool any_between(std::uint64_t from_ns, std::uint64_t to_ns) const noexcept {
    const auto from_s = from_ns / second_ns, to_s = to_ns / second_ns;
    return std::any_of(spans_.rbegin(), spans_.rend(),
                       [&](const Span& span) { return span.from_s <= to_s && span.to_s >= from_s; });
  }

  static constexpr std::size_t max_spans = 1024;

private:
  static constexpr std::uint64_t second_ns = 1'000'000'000;
  static constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
  struct Span {
    std::uint64_t from_s, to_s;
  };

  std::deque<Span> spans_;
  std::uint64_t clock_s_ = 0;
  bool open_ = false; ///< the last span has no end yet
};

} // namespace orbweaver
