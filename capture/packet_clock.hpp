// SPDX-License-Identifier: GPL-3.0-or-later
// The packet clock: the time that packets say, in whole seconds rounded up, never backwards. It doubts: a packet whose
// time is far from the clock's is no ordinary one, and does not move it before other packets agree (held_frames.hpp).
//
// Where the packets' own clock was set, its origin moves: the clock is then what packets say and an offset, so that it
// goes on as it was. Origins that it has had are remembered, since a clock that was set wrong is set right again.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace orbweaver {

inline constexpr std::uint64_t default_clock_tolerance_s = 60;
inline constexpr std::uint64_t max_clock_tolerance_s = 31'536'000; ///< a year

class PacketClock {
public:
  /// Packets up to that far from the clock do not make it doubt; 0: none does.
  explicit PacketClock(std::uint64_t tolerance_s) noexcept : tolerance_ns_(tolerance_s * ns_per_second) {}

  /// Whether a packet of that time is one for which nothing has to be done: it is within the clock's second, or before
  /// it by no more than the tolerance.
  [[nodiscard]] bool is_ordinary(std::uint64_t time_ns) const noexcept {
    return time_ns - window_from_ns_ <= window_length_ns_;
  }

  enum class Verdict : std::uint8_t {
    fits,      ///< the clock may step to it
    behind,    ///< it is older than the tolerance
    ahead,     ///< it is later than the tolerance
    elsewhere, ///< it fits with an origin that the clock has had: return_to() goes there
  };
  [[nodiscard]] Verdict judge(std::uint64_t time_ns) const noexcept {
    if (tolerance_ns_ == 0 || !begun_ || fits(time_ns, offset_ns_))
      return Verdict::fits;
    for (const std::uint64_t offset : origins())
      if (fits(time_ns, offset))
        return Verdict::elsewhere;
    return is_behind(time_ns) ? Verdict::behind : Verdict::ahead;
  }

  /// Moves the clock to ceil(seconds) of a packet's time. Returns whether it stepped; the first call always steps.
  [[nodiscard]] bool advance(std::uint64_t time_ns) noexcept {
    const std::uint64_t on_clock_ns = time_ns + offset_ns_;
    const std::uint64_t second =
        std::min(on_clock_ns / ns_per_second + (on_clock_ns % ns_per_second != 0), last_second);
    const bool stepped = !begun_ || second > second_;
    begun_ = true;
    second_ = std::max(second_, second);
    set_window();
    return stepped;
  }

  /// Nothing is ordinary from now on, until resume(): packets wait to be judged.
  void suspend() noexcept { window_length_ns_ = 0, window_from_ns_ = std::numeric_limits<std::uint64_t>::max(); }
  void resume() noexcept { set_window(); }

  /// The clock reads its second where packets say that time: its origin moves.
  void move_origin(std::uint64_t time_ns, std::uint64_t clock_ns) noexcept {
    std::rotate(known_.begin(), known_.end() - 1, known_.end());
    known_.front() = offset_ns_;
    known_count_ = std::min(known_count_ + 1, known_.size());
    offset_ns_ = clock_ns - time_ns;
    set_window();
  }
  /// To the one that the time fits with, of those that it has had.
  void return_to(std::uint64_t time_ns) noexcept {
    const auto end = known_.begin() + static_cast<std::ptrdiff_t>(known_count_);
    const auto found = std::find_if(known_.begin(), end, [&](std::uint64_t offset) { return fits(time_ns, offset); });
    if (found != end)
      std::swap(*found, offset_ns_);
    set_window();
  }

  /// Where a predecessor's was.
  void begin_at(std::uint64_t second, std::uint64_t offset_ns) noexcept {
    begun_ = second != 0;
    second_ = second;
    offset_ns_ = offset_ns;
    set_window();
  }

  /// Seconds since the epoch; 0 before the first step.
  [[nodiscard]] std::uint64_t second() const noexcept { return second_; }
  /// The end of that second, as packets would say it.
  [[nodiscard]] std::uint64_t now_ns() const noexcept { return second_ * ns_per_second - offset_ns_; }
  /// From what packets say to the clock, modulo 2^64.
  [[nodiscard]] std::uint64_t offset_ns() const noexcept { return offset_ns_; }
  [[nodiscard]] std::uint64_t tolerance_ns() const noexcept { return tolerance_ns_; }
  /// Whether it lies before the clock, as its origin is.
  [[nodiscard]] bool is_behind(std::uint64_t time_ns) const noexcept {
    return static_cast<std::int64_t>(time_ns - now_ns()) < 0;
  }

private:
  static constexpr std::uint64_t ns_per_second = 1'000'000'000;
  /// The last second whose end can be told in 64 bits of nanoseconds: the clock stands still there (the year 2554).
  static constexpr std::uint64_t last_second = std::numeric_limits<std::uint64_t>::max() / ns_per_second;

  [[nodiscard]] std::uint64_t reach_ns() const noexcept { return std::min(tolerance_ns_, second_ * ns_per_second); }
  /// Whether it is as near to the clock as the tolerance, before or behind it.
  [[nodiscard]] bool fits(std::uint64_t time_ns, std::uint64_t offset_ns) const noexcept {
    const std::uint64_t from_ns = second_ * ns_per_second - reach_ns();
    return time_ns + offset_ns - from_ns <= reach_ns() + tolerance_ns_;
  }
  [[nodiscard]] std::span<const std::uint64_t> origins() const noexcept {
    return std::span(known_).first(known_count_);
  }
  void set_window() noexcept {
    const std::uint64_t reach_ns = tolerance_ns_ == 0 ? second_ * ns_per_second : this->reach_ns();
    window_from_ns_ = now_ns() - reach_ns;
    window_length_ns_ = reach_ns;
    if (!begun_)
      suspend();
  }

  std::uint64_t tolerance_ns_;
  std::uint64_t second_ = 0;
  bool begun_ = false;
  std::uint64_t offset_ns_ = 0;
  std::uint64_t window_from_ns_ = std::numeric_limits<std::uint64_t>::max(); ///< of ordinary times
  std::uint64_t window_length_ns_ = 0;
  std::array<std::uint64_t, 4> known_{}; ///< origins that it has had, the latest first
  std::size_t known_count_ = 0;
};

} // namespace orbweaver
