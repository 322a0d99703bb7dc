// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/synth_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace orbweaver::synth {
namespace {

struct Candidate {
  float log_rank; // -ln of a uniform number: a Pareto size is e to the power of this over the exponent
  SizeRange natural;
};

std::uint32_t size_of(const Candidate& candidate, double exponent) {
  const double size = std::exp(std::min(double{candidate.log_rank} / exponent, 20.0));
  return std::clamp(static_cast<std::uint32_t>(size), candidate.natural.shortest, candidate.natural.longest);
}

std::uint64_t total(const std::vector<Candidate>& candidates, double exponent) {
  std::uint64_t sum = 0;
  for (const Candidate& candidate : candidates)
    sum += size_of(candidate, exponent);
  return sum;
}

/// Adds packets to, or takes them from, flows that can bear it, evenly, until `wanted` packets are there.
void settle(std::vector<std::uint32_t>& sizes, const std::vector<Candidate>& candidates, std::uint64_t wanted) {
  std::uint64_t sum = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  constexpr std::uint32_t not_small = 10; // at first, small flows stay small and short kinds stay short
  for (std::uint32_t least = not_small; sum != wanted; least = 1) {
    for (std::size_t i = 0; i < sizes.size() && sum != wanted; ++i) {
      if (sum > wanted && sizes[i] > least) {
        --sizes[i];
        --sum;
      } else if (sum < wanted && sizes[i] >= least && (least == 1 || sizes[i] < candidates[i].natural.longest)) {
        const auto missing = static_cast<std::uint32_t>((wanted - sum) / sizes.size());
        const std::uint32_t more = std::max(missing, 1U);
        sizes[i] += more;
        sum += more;
      }
    }
  }
}

} // namespace

std::vector<std::uint32_t> heavy_tailed_sizes(const Plan& plan) {
  constexpr int bisections = 24;
  std::vector<Candidate> candidates(plan.flows);
  for (std::uint32_t number = 0; number < plan.flows; ++number) {
    const Identity flow = identify(plan.seed, number);
    const double uniform = (static_cast<double>(mix(flow.key, 200) >> 12) + 1) * 0x1p-52;
    candidates[number] = {static_cast<float>(-std::log(uniform)), natural_size(flow)};
  }
  double low = 0.2;
  double high = 20;
  for (int i = 0; i < bisections; ++i) {
    const double middle = (low + high) / 2;
    (total(candidates, middle) > plan.packets ? low : high) = middle;
  }
  std::vector<std::uint32_t> sizes(plan.flows);
  std::transform(candidates.begin(), candidates.end(), sizes.begin(),
                 [high](const Candidate& candidate) { return size_of(candidate, high); });
  settle(sizes, candidates, plan.packets);
  return sizes;
}

HeavyTailed::HeavyTailed(const Plan& plan) : plan_(plan), sizes_(heavy_tailed_sizes(plan)) {}

void HeavyTailed::start_flow() {
  constexpr std::uint32_t longest_gap_octaves = 11;
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const std::uint64_t random = mix(mix(plan_.seed, started_), 201);
  // Mean gaps from 128 us to 262 ms, each octave as likely; a large flow is dense enough to end within the capture.
  const std::uint64_t gap_us = std::uint64_t{128} << scale(random, longest_gap_octaves + 1);
  const std::uint64_t left_us = plan_.duration_us - std::min(plan_.duration_us, next_start_us_);
  const std::uint32_t size = sizes_[started_];
  slots_[slot] = {.number = started_,
                  .size = size,
                  .gap_us = static_cast<std::uint32_t>(std::min(gap_us, left_us / (size + size / 2 + 40)))};
  events_.push({next_start_us_, slot});
  ++started_;
  // Flow n starts within the n-th part of the capture, so that starts come in order without sorting.
  const std::uint64_t part_ns = plan_.duration_us * 1000 / plan_.flows;
  next_start_us_ = (started_ * part_ns + scale(random << 32, 1U << 16) * part_ns / (1U << 16)) / 1000;
}

/// Puts the flow that sent last back in the queue, or ends it.
void HeavyTailed::reschedule_last() {
  const Progress& flow = slots_[last_.slot];
  if (flow.sent == flow.size) {
    free_slots_.push_back(last_.slot);
    return;
  }
  // Three of four gaps are short: a burst; the mean is the flow's.
  const std::uint64_t random = mix(flow.number * 0x2545f491ULL + plan_.seed, flow.sent);
  const std::uint64_t twice_mean =
      (random & 3) != 0 ? std::uint64_t{flow.gap_us} / 4 : std::uint64_t{flow.gap_us} * 29 / 4;
  const std::uint64_t gap = 1 + twice_mean * (random >> 44) / (1U << 20);
  events_.push({last_.time_us + gap, last_.slot});
}

Turn HeavyTailed::next() {
  if (has_last_)
    reschedule_last();
  while (started_ < plan_.flows && (events_.empty() || next_start_us_ <= events_.top().time_us))
    start_flow();
  last_ = events_.top();
  has_last_ = true;
  events_.pop();
  return {last_.time_us, &slots_[last_.slot]};
}

RoundRobin::RoundRobin(const Plan& plan) : plan_(plan), flows_(plan.flows) {
  const std::uint64_t rounds = plan.packets / plan.flows;
  const std::uint64_t longer = plan.packets % plan.flows; // these send in the last, partial round too
  for (std::uint32_t number = 0; number < plan.flows; ++number)
    flows_[number] = {.number = number, .size = static_cast<std::uint32_t>(rounds + (number < longer ? 1 : 0))};
}

Turn RoundRobin::next() {
  const std::uint64_t count = flows_.size();
  const std::uint64_t in_round = turn_ % count;
  const bool partial_round = turn_ / count == plan_.packets / count;
  if (in_round == 0) {
    stride_ = partial_round ? 1 : mix(plan_.seed, turn_) % count | 1;
    while (std::gcd(stride_, count) != 1)
      stride_ += 2;
    position_ = 0;
  }
  const std::uint64_t time_us = turn_ * plan_.duration_us / plan_.packets;
  Progress* const flow = &flows_[position_];
  position_ = (position_ + stride_) % count;
  ++turn_;
  return {time_us, flow};
}

} // namespace orbweaver::synth
