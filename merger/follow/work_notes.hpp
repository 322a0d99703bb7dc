// SPDX-License-Identifier: GPL-3.0-or-later
// What a merger is at, noted in memory that outlives it: what mergers died of twice is poison, which the next one steps
// over. Lies in kept memory, all zero at first. Owned by the merger's thread.
#pragma once

#include "common/process/files/kept_memory.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace orbweaver {

class WorkNotes {
public:
  /// A record by its number in its stream, or what else has a number.
  struct Work {
    std::uint64_t place; ///< that of its stream, from 1; 0: none
    std::uint64_t number;

    friend bool operator==(const Work&, const Work&) = default;
  };
  /// A job's result, by the job's number, in place of a stream.
  static constexpr std::size_t results = 1 << 20;

  /// Who wrote the notes died by that signal (0: without a word; -1: nobody did).
  void predecessor_died(int by) noexcept {
    const bool by_itself = by >= 0 && by != SIGKILL && at_work_.place != 0;
    if (by_itself && at_work_ == died_at_) {
      list_[poison_count_++ % list_.size()] = at_work_;
      died_at_ = {};
    } else {
      died_at_ = by_itself ? at_work_ : Work{};
    }
    at_rest();
  }

  void at_work(std::size_t stream, std::uint64_t number) noexcept {
    at_work_.number = number;
    at_work_.place = stream + 1;
    in_order();
  }
  /// Nothing is at work.
  void at_rest() noexcept {
    in_order();
    at_work_.place = 0;
  }
  /// What is; and back to it.
  [[nodiscard]] Work now() const noexcept { return at_work_; }
  void back_to(const Work& work) noexcept {
    in_order();
    at_work_ = work;
    in_order();
  }

  /// Whether mergers died of that twice.
  [[nodiscard]] bool is_poison(std::size_t stream, std::uint64_t number) const noexcept {
    if (poison_count_ == 0) [[likely]]
      return false;
    const auto in_use = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(poison_count_, list_.size()));
    return std::find(list_.begin(), list_.begin() + in_use, Work{stream + 1, number}) != list_.begin() + in_use;
  }
  /// Whether it is the first time that one is stepped over: it may be read again by who follows.
  [[nodiscard]] bool is_new_poison() noexcept { return std::exchange(told_, poison_count_) < poison_count_; }

private:
  Work at_work_, died_at_;
  std::uint64_t poison_count_, told_;
  std::array<Work, 64> list_; ///< the latest
};

} // namespace orbweaver
