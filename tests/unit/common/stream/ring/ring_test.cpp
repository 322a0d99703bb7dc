// SPDX-License-Identifier: GPL-3.0-or-later
// How records lie in a ring and go through it; ring_peers_test.cpp has what happens between two processes.
#include "common/stream/ring/ring.hpp"

#include "common/error.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <thread>

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("a ring's capacity is rounded up to a power of two, and is 4 KiB at the least") {
  const std::array<std::array<std::uint64_t, 2>, 4> cases{{{0, 4096}, {4096, 4096}, {4097, 8192}, {100'000, 131'072}}};
  for (const auto& [asked, given] : cases) {
    const auto segment = ring_endpoint("capacity").segment_name();
    const auto ring = Ring::create(segment, asked);
    CHECK(ring.capacity_bytes() == given);
    CHECK(ring.max_record_bytes() == given / 4);
    CHECK(Ring::attach(segment).capacity_bytes() == given);
    CHECK(ring.fill_bytes() == 0);
    CHECK(Segment::remove(segment));
  }
}

TEST_CASE("records of every length come out as they went in") {
  RingPair ring("lengths");
  for (std::uint32_t length = 16; length <= ring.writer.max_record_bytes(); ++length) {
    REQUIRE(write_numbered(ring.writer, length, length));
    ring.writer.publish();
    const auto* record = ring.next();
    REQUIRE(record);
    REQUIRE(reinterpret_cast<std::uintptr_t>(record) % record_alignment == 0);
    REQUIRE(is_record(record, length, length));
    REQUIRE(ring.reader.wait(stop_now, std::chrono::microseconds(1)) == Wait::stopped); // gives everything back
  }
}

TEST_CASE("an empty ring gives nothing, and a full one takes nothing until something is given back") {
  RingPair ring("full");
  CHECK(ring.next() == nullptr);
  for (std::uint64_t number = 0; number < 4; ++number)
    CHECK(write_numbered(ring.writer, number, 1024));
  CHECK_FALSE(write_numbered(ring.writer, 4, 16));
  CHECK(ring.writer.claim(8) == nullptr);
  ring.writer.publish();
  CHECK(ring.look().fill_bytes() == 4096);
  CHECK(is_record(ring.next(), 0, 1024));
  CHECK_FALSE(write_numbered(ring.writer, 4, 16)); // seen is not given back
  ring.reader.release();
  CHECK(write_numbered(ring.writer, 4, 1024));
  CHECK_FALSE(write_numbered(ring.writer, 5, 16));
  ring.writer.publish();
  for (std::uint64_t number = 1; number <= 4; ++number)
    CHECK(is_record(ring.next(), number, 1024));
  CHECK(ring.next() == nullptr);
}

TEST_CASE("a record that ends with the area needs no padding") {
  RingPair ring("exact");
  for (std::uint64_t number = 0; number < 12; ++number) {
    REQUIRE(write_numbered(ring.writer, number, 1024));
    ring.writer.publish();
    CHECK(is_record(ring.next(), number, 1024));
    ring.reader.release();
  }
  CHECK(ring.look().header().producer.index == 12 * 1024);
}

TEST_CASE("a record that would wrap goes to the start, behind padding, also where only 8 octets are left") {
  for (const std::uint32_t left : {8U, 16U, 96U, 512U, 1008U}) {
    RingPair ring("wrap");
    for (std::uint64_t number = 0; number < 3; ++number)
      REQUIRE(write_numbered(ring.writer, number, 1024));
    REQUIRE(write_numbered(ring.writer, 3, 1024 - left));
    ring.writer.publish();
    for (std::uint64_t number = 0; number < 3; ++number)
      REQUIRE(is_record(ring.next(), number, 1024));
    REQUIRE(is_record(ring.next(), 3, 1024 - left));
    ring.reader.release();
    REQUIRE(write_numbered(ring.writer, 4, left + 8));
    ring.writer.publish();
    CHECK(ring.look().header().producer.index == 4096 + left + 8);
    CHECK(is_record(ring.next(), 4, left + 8));
    CHECK(ring.next() == nullptr);
  }
}

TEST_CASE("a nearly full ring takes a record that wraps exactly when padding and record fit") {
  RingPair ring("nearly-full");
  for (std::uint64_t number = 0; number < 4; ++number)
    REQUIRE(write_numbered(ring.writer, number, 1000));
  ring.writer.publish();
  REQUIRE(is_record(ring.next(), 0, 1000));
  ring.reader.release(); // now 96 octets are free at the end, and 1000 at the start
  CHECK_FALSE(write_numbered(ring.writer, 4, 1008));
  CHECK(write_numbered(ring.writer, 4, 1000));
  CHECK_FALSE(write_numbered(ring.writer, 5, 16));
  ring.writer.publish();
  CHECK(ring.look().fill_bytes() == 4096);
  for (std::uint64_t number = 1; number <= 4; ++number)
    CHECK(is_record(ring.next(), number, 1000));
}

TEST_CASE("a claim that is not committed is undone by the next one, also when it wrapped") {
  RingPair ring("undone");
  for (std::uint64_t number = 0; number < 3; ++number)
    REQUIRE(write_numbered(ring.writer, number, 1024));
  REQUIRE(write_numbered(ring.writer, 3, 1000));
  ring.writer.publish();
  std::array<const RecordHeader*, 8> batch;
  REQUIRE(ring.reader.peek(batch) == 4);
  ring.reader.release();
  auto* first = ring.writer.claim(1000); // behind 24 octets of padding
  REQUIRE(first);
  std::memset(first, 0xFF, 1000);
  CHECK(ring.writer.claim(16) == first);
  REQUIRE(write_numbered(ring.writer, 4, 40));
  ring.writer.publish();
  CHECK(is_record(ring.next(), 4, 40));
  CHECK(ring.next() == nullptr);
}

TEST_CASE("a record may be committed shorter than it was claimed") {
  RingPair ring("shorter");
  auto* place = ring.writer.claim(1000);
  REQUIRE(place);
  const auto record = numbered_record(1, 24);
  std::memcpy(place, record.data(), record.size());
  ring.writer.commit(place, 24, RecordKind::job);
  REQUIRE(write_numbered(ring.writer, 2, 16));
  ring.writer.publish();
  CHECK(is_record(ring.next(), 1, 24));
  CHECK(is_record(ring.next(), 2, 16));
  CHECK(ring.look().header().producer.index == 40);
}

TEST_CASE("records reach the reader with publish, or when a batch of octets is there") {
  RingPair ring("publish", 1 << 20);
  std::uint64_t octets = 0;
  while (octets + 512 < RecordWriter::publish_batch_bytes) {
    REQUIRE(write_numbered(ring.writer, octets, 512));
    octets += 512;
  }
  CHECK(ring.next() == nullptr);
  REQUIRE(write_numbered(ring.writer, octets, 512));
  CHECK(is_record(ring.next(), 0, 512));
  CHECK(ring.look().header().producer.index == RecordWriter::publish_batch_bytes);
  REQUIRE(write_numbered(ring.writer, 1, 512));
  CHECK(ring.look().header().producer.index == RecordWriter::publish_batch_bytes);
  ring.writer.publish();
  CHECK(ring.look().header().producer.index == RecordWriter::publish_batch_bytes + 512);
}

TEST_CASE("room is given back in batches of an eighth of the ring, and all of it by wait") {
  RingPair ring("release");
  for (std::uint64_t number = 0; number < 4; ++number)
    REQUIRE(write_numbered(ring.writer, number, 256));
  ring.writer.publish();
  const auto given_back = [&] { return ring.look().header().consumer.index.load(); };
  REQUIRE(ring.next());
  ring.reader.release();
  CHECK(given_back() == 0);
  REQUIRE(ring.next());
  ring.reader.release();
  CHECK(given_back() == 512);
  REQUIRE(ring.next());
  ring.reader.release();
  CHECK(given_back() == 512);
  REQUIRE(ring.next());
  CHECK(ring.reader.wait(stop_now) == Wait::stopped);
  CHECK(given_back() == 1024);
}

TEST_CASE("peek gives at most what was asked for, and nothing behind the end record") {
  RingPair ring("peek");
  for (std::uint64_t number = 0; number < 5; ++number)
    REQUIRE(write_numbered(ring.writer, number, 16));
  CHECK(ring.writer.finish(EndCause::complete, stop_now));
  std::array<const RecordHeader*, 3> batch;
  CHECK(ring.reader.peek(batch) == 3);
  CHECK(ring.reader.peek(batch) == 3);
  CHECK(is_record(batch[1], 4, 16));
  CHECK(batch[2]->kind == RecordKind::end);
  CHECK(reinterpret_cast<const EndRecord*>(batch[2])->cause == EndCause::complete);
  CHECK(ring.reader.peek(batch) == 0);
  CHECK(ring.reader.wait(go_on) == Wait::ended);
}

TEST_CASE("counters and heartbeats of both ends can be read from outside") {
  RingPair ring("counters");
  REQUIRE(write_numbered(ring.writer, 0, 16));
  ring.writer.publish();
  ring.writer.count_dropped(3);
  ring.writer.count_dropped(4);
  ring.writer.housekeep(11);
  REQUIRE(ring.next());
  ring.reader.housekeep(12);
  const auto seen = Ring::attach(ring.endpoint.segment_name(), false);
  CHECK(seen.header().producer.records == 1);
  CHECK(seen.header().producer.dropped == 7);
  CHECK(seen.header().producer.heartbeat_ns == 11);
  CHECK(seen.header().producer.process.pid == getpid());
  CHECK(seen.header().consumer.records == 1);
  CHECK(seen.header().consumer.heartbeat_ns == 12);
  CHECK(seen.header().consumer.state == EndState::attached);
}

TEST_CASE("two threads pass a million records of random length, each one whole and in order") {
  constexpr std::uint64_t count = 1'000'000;
  RingPair ring("threads", 16384);
  const auto length_of = [](std::uint64_t number) {
    return static_cast<std::uint32_t>(16 + (number * 0x9E3779B97F4A7C15 >> 40) % 200);
  };
  std::thread producer([&] {
    for (std::uint64_t number = 0; number < count; ++number) {
      const auto length = length_of(number);
      std::byte* place = nullptr;
      while (!(place = ring.writer.claim(length)))
        ring.writer.wait_for_room(length, go_on);
      const auto record = numbered_record(number, length);
      std::memcpy(place, record.data(), length);
      ring.writer.commit(place, length, RecordKind::job);
    }
    ring.writer.finish(EndCause::complete, go_on);
  });
  std::array<const RecordHeader*, 32> batch;
  std::uint64_t number = 0, wrong = 0;
  for (auto how = Wait::readable; how == Wait::readable || how == Wait::quiet; how = ring.reader.wait(go_on)) {
    while (const auto records = ring.reader.peek(batch)) {
      for (std::size_t i = 0; i < records; ++i) {
        if (batch[i]->kind == RecordKind::end)
          continue;
        wrong += !is_record(batch[i], number, length_of(number));
        ++number;
      }
      ring.reader.release();
    }
  }
  ring.reader.close(); // the writer waits until it is drained
  producer.join();
  CHECK(number == count);
  CHECK(wrong == 0);
  CHECK(ring.reader.damage().empty());
}
