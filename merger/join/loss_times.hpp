// SPDX-License-Identifier: GPL-3.0-or-later
// When an observer was blind: the times between which its packets were lost. Exact and bounded: of very many losses the
// oldest ones melt into one long one. Owned by the join; one thread.
#pragma once

#include "merger/follow/state_octets.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace orbweaver {

class LossTimes {
public:
  /// Packets were lost between these times, both included.
  void add(std::uint64_t from_ns, std::uint64_t to_ns) {
    to_ns = std::max(from_ns, to_ns);
    for (; !spans_.empty() && spans_.back().to_ns >= from_ns; spans_.pop_back()) {
      from_ns = std::min(from_ns, spans_.back().from_ns);
      to_ns = std::max(to_ns, spans_.back().to_ns);
    }
    spans_.push_back({from_ns, to_ns});
    if (spans_.size() > max_spans) {
      spans_[1].from_ns = spans_[0].from_ns;
      spans_.pop_front();
    }
  }

  /// Whether packets may have been lost in that time.
  [[nodiscard]] bool any_between(std::uint64_t from_ns, std::uint64_t to_ns) const noexcept {
    const auto first = std::ranges::lower_bound(spans_, from_ns, {}, &Span::to_ns);
    return first != spans_.end() && first->from_ns <= to_ns;
  }

  static constexpr std::size_t max_spans = 1024;

  void save(StateWriter& state) const noexcept {
    state.put(std::uint64_t{spans_.size()});
    for (const auto& span : spans_)
      state.put(span);
  }
  void restore(StateReader& state) {
    for (auto count = state.get<std::uint64_t>(); count > 0; --count) {
      const auto span = state.get<Span>();
      StateReader::check(span.from_ns <= span.to_ns && (spans_.empty() || spans_.back().to_ns < span.from_ns) &&
                             spans_.size() < max_spans,
                         "its times of loss are not in order");
      spans_.push_back(span);
    }
  }

private:
  struct Span {
    std::uint64_t from_ns, to_ns;
  };

  std::deque<Span> spans_; ///< in order; none touches another
};

} // namespace orbweaver
