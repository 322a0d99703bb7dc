// SPDX-License-Identifier: GPL-3.0-or-later
// Timer wheels against a plain map from seconds to slots, two of them in one pool.
#include "observer/timer_wheel.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>
#include <vector>

using namespace orbweaver;

namespace {

using Slots = std::vector<std::uint32_t>;

/// A wheel whose slots know their positions, as the flow meter's do.
class Known {
public:
  Known(TimerPool& pool, std::uint64_t horizon, std::uint32_t slots) : wheel_(pool, horizon), positions_(slots) {}

  void add(std::uint64_t second, std::uint32_t slot) { positions_[slot] = wheel_.add(second, slot); }
  void remove(std::uint32_t slot) {
    const TimerWheel::Position position = positions_[slot];
    positions_[wheel_.remove(position)] = position;
    positions_[slot] = TimerWheel::none;
  }
  Slots take(std::uint64_t second) {
    Slots taken;
    wheel_.take(second, [&](std::span<const std::uint32_t> slots) {
      taken.insert(taken.end(), slots.begin(), slots.end());
      for (const std::uint32_t slot : slots)
        positions_[slot] = TimerWheel::none;
    });
    return taken;
  }
  [[nodiscard]] bool waits(std::uint32_t slot) const { return positions_[slot] != TimerWheel::none; }
  TimerWheel& wheel() { return wheel_; }

private:
  TimerWheel wheel_;
  std::vector<TimerWheel::Position> positions_;
};

Slots numbers(std::uint32_t count) {
  Slots slots(count);
  for (std::uint32_t slot = 0; slot < count; ++slot)
    slots[slot] = slot;
  return slots;
}

} // namespace

TEST_CASE("a second gives its slots in the order in which they came, once") {
  for (const std::uint32_t count : {0U, 1U, 5U, 6U, 7U, 12U, 767U, 768U, 769U, 5000U}) {
    TimerPool pool(5000, TimerWheel::buckets(30));
    Known known(pool, 30, 5000);
    for (const std::uint32_t slot : numbers(count))
      known.add(7, slot);
    CHECK(known.wheel().size() == count);
    CHECK(known.take(8).empty());
    CHECK(known.take(7) == numbers(count));
    CHECK(known.take(7).empty());
    CHECK(known.wheel().size() == 0);
  }
}

TEST_CASE("slots may be added while their second is visited, to that second too") {
  TimerPool pool(2000, TimerWheel::buckets(30));
  TimerWheel wheel(pool, 30);
  for (const std::uint32_t slot : numbers(2000))
    CHECK(wheel.add(7, slot) != TimerWheel::none);
  const auto again = [&](std::uint64_t second) {
    Slots seen;
    wheel.take(7, [&](std::span<const std::uint32_t> slots) {
      for (const std::uint32_t slot : slots) {
        seen.push_back(slot);
        CHECK(wheel.add(second, slot) != TimerWheel::none);
      }
    });
    return seen;
  };
  CHECK(again(7) == numbers(2000));
  CHECK(again(8) == numbers(2000));
  CHECK(again(7).empty());
  CHECK(wheel.size() == 2000);
}

TEST_CASE("the last slot of a second takes the place of one that is taken out") {
  TimerPool pool(10, TimerWheel::buckets(30));
  Known known(pool, 30, 10);
  for (const std::uint32_t slot : numbers(8))
    known.add(3, slot);
  known.remove(2);
  known.remove(6); // the last by then
  CHECK(known.take(3) == Slots{0, 1, 7, 3, 4, 5});
  for (const std::uint32_t slot : numbers(8))
    known.add(3, slot);
  known.remove(2);
  known.remove(7); // stands where 2 did
  CHECK(known.take(3) == Slots{0, 1, 6, 3, 4, 5});
}

TEST_CASE("random additions, removals and seconds give what a map gives, in memory that only slots bound") {
  constexpr std::uint32_t slots = 3000;
  constexpr std::uint64_t horizon = 100;
  TimerPool pool(2 * slots, 2 * TimerWheel::buckets(horizon));
  Known wheels[] = {{pool, horizon, slots}, {pool, horizon, slots}};
  std::map<std::uint32_t, std::uint64_t> due[2];
  std::mt19937 random(7);
  bool right = true;
  for (std::uint64_t clock = 1000; clock < 3000; ++clock) {
    for (int step = 0; step < 1000; ++step) {
      const unsigned which = random() % 2;
      const std::uint32_t slot = random() % slots;
      if (due[which].erase(slot) != 0) {
        wheels[which].remove(slot);
        right = right && !wheels[which].waits(slot);
      } else {
        const std::uint64_t second = clock + 1 + random() % (random() % 4 == 0 ? horizon : 3);
        wheels[which].add(second, slot);
        due[which][slot] = second;
      }
    }
    for (unsigned which : {0U, 1U}) {
      const Slots taken = wheels[which].take(clock + 1);
      right = right && std::set(taken.begin(), taken.end()).size() == taken.size();
      for (const std::uint32_t slot : taken) {
        const auto known = due[which].find(slot);
        right = right && known != due[which].end() && known->second == clock + 1;
        due[which].erase(slot);
      }
      right = right && std::ranges::none_of(due[which], [&](const auto& left) { return left.second <= clock + 1; }) &&
              wheels[which].wheel().size() == due[which].size();
    }
  }
  CHECK(right);
  // All entries in full chunks, and for each second that can hold any one that is not full.
  CHECK(pool.memory_bytes() <= (2 * slots / 6 + 2 * horizon + 2) * 32);
  for (Known& known : wheels)
    known.wheel().clear();
  for (unsigned which : {0U, 1U}) {
    CHECK(wheels[which].wheel().size() == 0);
    for (std::uint64_t second = 3000; second <= 3000 + horizon; ++second)
      right = right && wheels[which].take(second).empty();
  }
  CHECK(right);
}

TEST_CASE("a wheel of a day costs four octets a second, and its pool nothing until it holds a slot") {
  TimerPool pool(1'000'000, TimerWheel::buckets(86'401));
  TimerWheel wheel(pool, 86'401);
  CHECK(wheel.memory_bytes() == 131'072 * 4);
  CHECK(pool.memory_bytes() == 32);
  CHECK(wheel.add(86'400, 1) != TimerWheel::none);
  CHECK(pool.memory_bytes() == 64);
}
