// SPDX-License-Identifier: GPL-3.0-or-later
// Timer wheels against a plain map from seconds to slots, two of them in one pool.
#include "observer/flows/timer_wheel.hpp"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <vector>

using namespace orbweaver;

namespace {

using Slots = std::vector<std::uint32_t>;

Slots taken(TimerWheel& wheel, std::uint64_t second) {
  Slots taken;
  wheel.take(second,
             [&](std::span<const std::uint32_t> slots) { taken.insert(taken.end(), slots.begin(), slots.end()); });
  return taken;
}

Slots numbers(std::uint32_t count) {
  Slots slots(count);
  for (std::uint32_t slot = 0; slot < count; ++slot)
    slots[slot] = slot;
  return slots;
}

} // namespace

TEST_CASE("a second gives its slots in the order in which they came, once") {
  for (const std::uint32_t count : {0U, 1U, 14U, 15U, 16U, 30U, 1919U, 1920U, 1921U, 5000U}) {
    TimerPool pool(5000, TimerWheel::buckets(30));
    TimerWheel wheel(pool, 30);
    for (const std::uint32_t slot : numbers(count))
      wheel.add(7, slot);
    CHECK(wheel.size() == count);
    CHECK(taken(wheel, 8).empty());
    CHECK(taken(wheel, 7) == numbers(count));
    CHECK(taken(wheel, 7).empty());
    CHECK(wheel.size() == 0);
  }
}

TEST_CASE("slots may be added while their second is visited, to that second too") {
  TimerPool pool(2000, TimerWheel::buckets(30));
  TimerWheel wheel(pool, 30);
  for (const std::uint32_t slot : numbers(2000))
    wheel.add(7, slot);
  const auto again = [&](std::uint64_t second) {
    Slots seen;
    wheel.take(7, [&](std::span<const std::uint32_t> slots) {
      for (const std::uint32_t slot : slots) {
        seen.push_back(slot);
        wheel.add(second, slot);
      }
    });
    return seen;
  };
  CHECK(again(7) == numbers(2000));
  CHECK(again(8) == numbers(2000));
  CHECK(again(7).empty());
  CHECK(wheel.size() == 2000);
}

TEST_CASE("random additions and seconds give what a map gives, in memory that only slots bound") {
  constexpr std::uint32_t slots = 3000;
  constexpr std::uint64_t horizon = 100;
  TimerPool pool(2 * slots, 2 * TimerWheel::buckets(horizon));
  TimerWheel wheels[] = {{pool, horizon}, {pool, horizon}};
  std::map<std::uint64_t, Slots> due[2];
  std::vector<bool> waits[2] = {std::vector<bool>(slots), std::vector<bool>(slots)};
  std::size_t waiting[2] = {};
  std::mt19937 random(7);
  bool right = true;
  for (std::uint64_t clock = 1000; clock < 3000; ++clock) {
    for (int step = 0; step < 1000; ++step) {
      const unsigned which = random() % 2;
      const std::uint32_t slot = random() % slots;
      if (waits[which][slot])
        continue;
      const std::uint64_t second = clock + 1 + random() % (random() % 4 == 0 ? horizon : 3);
      wheels[which].add(second, slot);
      due[which][second].push_back(slot);
      waits[which][slot] = true;
      ++waiting[which];
    }
    for (unsigned which : {0U, 1U}) {
      const Slots got = taken(wheels[which], clock + 1);
      right = right && got == due[which][clock + 1];
      for (const std::uint32_t slot : got)
        waits[which][slot] = false;
      waiting[which] -= got.size();
      right = right && wheels[which].size() == waiting[which];
    }
  }
  CHECK(right);
  // All entries in full chunks, and for each second that can hold any one that is not full.
  CHECK(pool.memory_bytes() <= (2 * slots / 15 + 2 * horizon + 2) * 64);
}
