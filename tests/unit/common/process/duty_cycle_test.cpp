// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/duty_cycle.hpp"

#include <ctime>
#include <doctest/doctest.h>

using namespace orbweaver;

TEST_CASE("a duty cycle keeps the longest time between two looks, and when it was over") {
  DutyCycle duty;
  duty.look(5'000'000'000); // what was before the first is no stall
  CHECK(duty.stall_max_ns() == 0);
  CHECK(duty.stall_max_second() == 0);
  duty.look(5'000'000'100);
  duty.look(7'000'000'100);
  duty.look(7'000'000'200);
  CHECK(duty.stall_max_ns() == 2'000'000'000);
  const auto now_s = static_cast<std::uint64_t>(std::time(nullptr));
  CHECK(duty.stall_max_second() <= now_s + 1);
  CHECK(duty.stall_max_second() + 60 > now_s);
}
