// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/packet_clock.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using Verdict = PacketClock::Verdict;

namespace {

constexpr std::uint64_t s = 1'000'000'000;

} // namespace

TEST_CASE("the packet clock rounds up, steps at the first packet, and never goes back") {
  PacketClock clock(60);
  CHECK(clock.advance(5'000'000'001));
  CHECK(clock.second() == 6);
  CHECK_FALSE(clock.advance(6'000'000'000));
  CHECK(clock.advance(6'000'000'001));
  CHECK(clock.second() == 7);
  CHECK_FALSE(clock.advance(0));
  CHECK(clock.second() == 7);
  CHECK(clock.advance(40'000'000'000'000'000));
  CHECK(clock.second() == 40'000'000);
}

TEST_CASE("the packet clock stands 0 and the end of time") {
  PacketClock clock(60);
  CHECK(clock.advance(0));
  CHECK(clock.second() == 0);
  CHECK_FALSE(clock.advance(0));
  CHECK(clock.is_ordinary(0));
  CHECK(clock.advance(1));
  CHECK(clock.advance(std::numeric_limits<std::uint64_t>::max()));
  CHECK(clock.second() == 18'446'744'073);
  CHECK_FALSE(clock.advance(std::numeric_limits<std::uint64_t>::max()));
}

TEST_CASE("ordinary is what is within the clock's second, or before it by no more than the tolerance") {
  PacketClock clock(60);
  CHECK_FALSE(clock.is_ordinary(100 * s)); // the first
  static_cast<void>(clock.advance(100 * s));
  CHECK(clock.is_ordinary(100 * s));
  CHECK(clock.is_ordinary(40 * s));
  CHECK_FALSE(clock.is_ordinary(40 * s - 1));
  CHECK_FALSE(clock.is_ordinary(100 * s + 1));
  CHECK(clock.judge(160 * s) == Verdict::fits);
  CHECK(clock.judge(160 * s + 1) == Verdict::ahead);
  CHECK(clock.judge(40 * s) == Verdict::fits);
  CHECK(clock.judge(40 * s - 1) == Verdict::behind);
  CHECK(clock.judge(0) == Verdict::behind);
  CHECK(clock.judge(4'102'444'800 * s) == Verdict::ahead);
  PacketClock early(60);
  static_cast<void>(early.advance(3 * s));
  CHECK(early.is_ordinary(0));
  CHECK(early.judge(63 * s) == Verdict::fits);
}

TEST_CASE("without a tolerance the clock doubts nothing") {
  PacketClock clock(0);
  static_cast<void>(clock.advance(100 * s));
  CHECK(clock.is_ordinary(0));
  CHECK(clock.judge(1'000'000 * s) == Verdict::fits);
}

TEST_CASE("a suspended clock lets nothing pass") {
  PacketClock clock(60);
  static_cast<void>(clock.advance(100 * s));
  clock.suspend();
  CHECK_FALSE(clock.is_ordinary(100 * s));
  CHECK_FALSE(clock.is_ordinary(0));
  clock.resume();
  CHECK(clock.is_ordinary(100 * s));
}

TEST_CASE("where its origin moves the clock goes on, and knows the origins that it has had") {
  PacketClock clock(60);
  static_cast<void>(clock.advance(10'000 * s));
  clock.move_origin(100 * s, 10'000 * s);
  CHECK(clock.offset_ns() == 9900 * s);
  CHECK(clock.now_ns() == 100 * s);
  CHECK(clock.is_ordinary(100 * s));
  CHECK(clock.judge(10'000 * s) == Verdict::elsewhere);
  CHECK(clock.judge(5000 * s) == Verdict::ahead);
  CHECK(clock.advance(101 * s));
  CHECK(clock.second() == 10'001);
  clock.return_to(10'001 * s);
  CHECK(clock.offset_ns() == 0);
  CHECK(clock.is_ordinary(10'001 * s));
  CHECK(clock.judge(102 * s) == Verdict::elsewhere);
  for (std::uint64_t i = 1; i < 6; ++i)
    clock.move_origin(i * 1'000'000 * s, 10'001 * s);
  CHECK(clock.judge(102 * s) == Verdict::behind); // too long ago
  clock.move_origin(50'000 * s, 10'001 * s);      // ahead: the offset is below 0
  CHECK(clock.is_ordinary(50'000 * s));
  CHECK(clock.second() == 10'001);
}
