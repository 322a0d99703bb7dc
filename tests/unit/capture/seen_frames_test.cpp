// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/seen_frames.hpp"

#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr std::uint64_t ms = 1'000'000;

} // namespace

TEST_CASE("the same octets within the window are there twice, later they are not") {
  SeenFrames seen(5 * ms, 1);
  const craft::Bytes frame(60, 7);
  const auto at = [&](std::uint64_t time_ns) { return seen.has(frame_of(frame, {.time_ns = time_ns})); };
  CHECK(!at(100 * ms));
  CHECK(at(100 * ms));
  CHECK(at(105 * ms));
  CHECK(at(95 * ms)); // stamped before, by another clock
  CHECK(!at(105 * ms + 1));
  CHECK(at(110 * ms)); // within that of the one that was kept
}

TEST_CASE("an octet, a length or a link type more makes another frame") {
  SeenFrames seen(5 * ms, 1);
  craft::Bytes frame(60, 7);
  CHECK(!seen.has(frame_of(frame)));
  CHECK(!seen.has(frame_of(frame, {.snap_length = 59, .wire_length = 60})));
  CHECK(!seen.has(frame_of(frame, {.wire_length = 61})));
  CHECK(!seen.has(frame_of(frame, {.link = LinkType::raw_ip})));
  frame[59] = 8;
  CHECK(!seen.has(frame_of(frame)));
}

TEST_CASE("it remembers as many as it may, and forgets the oldest") {
  SeenFrames seen(1'000'000 * ms, 1, 64);
  const auto number = [&](std::uint32_t value) {
    craft::Bytes frame(60);
    craft::store_u32(frame, 0, value);
    return seen.has(frame_of(frame));
  };
  for (std::uint32_t i = 0; i < 1000; ++i)
    CHECK(!number(i));
  for (std::uint32_t i = 1000 - 64; i < 1000; ++i)
    CHECK(number(i));
  CHECK(!number(1000 - 65));
}
