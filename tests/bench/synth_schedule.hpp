// SPDX-License-Identifier: GPL-3.0-or-later
// Which flow of the synthetic capture sends when. Two schedules: flows of heavy-tailed sizes that come and go, and a
// given number of flows that are all open from the first round to the last.
#pragma once

#include "tests/bench/synth_flow.hpp"

#include <cstddef>
#include <queue>
#include <vector>

namespace orbweaver::synth {

struct Plan {
  std::uint64_t packets;
  std::uint32_t flows; // at most `packets`
  std::uint64_t duration_us;
  std::uint64_t seed;
};

/// How many packets each flow has: Pareto-like, of the exponent that makes them `plan.packets` in all. About half of
/// the flows have one packet to three, a few have tens of thousands.
std::vector<std::uint32_t> heavy_tailed_sizes(const Plan& plan);

struct Turn {
  std::uint64_t time_us; // since the start of the capture; never less than before
  Progress* flow;
};

/// Flows start evenly over the capture, and each is active for a while from its start on, in bursts.
class HeavyTailed {
public:
  explicit HeavyTailed(const Plan& plan);

  /// The next flow to send. Its progress must be moved on before the next call. Ends after `plan.packets` turns.
  Turn next();

private:
  struct Event {
    std::uint64_t time_us;
    std::uint32_t slot;
    bool operator>(const Event& other) const {
      return time_us != other.time_us ? time_us > other.time_us : slot > other.slot;
    }
  };

  void start_flow();
  void reschedule_last();

  Plan plan_;
  std::vector<std::uint32_t> sizes_;
  std::uint32_t started_ = 0;
  std::uint64_t next_start_us_ = 0;
  std::vector<Progress> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  Event last_{};
  bool has_last_ = false;
};

/// Every flow sends one packet a round, each round in another order, so that all stay open.
class RoundRobin {
public:
  explicit RoundRobin(const Plan& plan);
  Turn next();

private:
  Plan plan_;
  std::vector<Progress> flows_;
  std::uint64_t turn_ = 0;
  std::uint64_t stride_ = 1; // has no divisor in common with the number of flows
  std::uint64_t position_ = 0;
};

} // namespace orbweaver::synth
