// SPDX-License-Identifier: GPL-3.0-or-later
// The ring alone between two processes: records of 64 octets, published in batches; and one record there and back.
// Prints a line of JSON for each.
#include "common/stream/record_reader.hpp"
#include "common/stream/record_writer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace orbweaver;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t record_bytes = 64;
const std::atomic<bool> never{false};

EndpointOptions options() {
  EndpointOptions options;
  options.ring_bytes = std::uint64_t{8} << 20;
  return options;
}

Endpoint endpoint(const char* name) {
  return {Endpoint::Kind::ring, "bench-" + std::to_string(getpid()) + name};
}

void write_one(RecordWriter& writer, std::uint64_t value) {
  std::byte* place = writer.claim(record_bytes);
  while (!place) {
    writer.wait_for_room(record_bytes, never);
    place = writer.claim(record_bytes);
  }
  std::memcpy(place + sizeof(RecordHeader), &value, sizeof value);
  writer.commit(place, record_bytes, RecordKind::packet);
}

std::uint64_t value_of(const RecordHeader* record) {
  std::uint64_t value;
  std::memcpy(&value, record + 1, sizeof value);
  return value;
}

/// Reads until the end record; returns the sum of the records' values, so that nothing is optimised away.
std::uint64_t read_all(RecordReader& reader) {
  std::array<const RecordHeader*, 64> batch{};
  std::uint64_t sum = 0;
  for (;;) {
    const std::size_t count = reader.peek(batch);
    if (count == 0) {
      if (const Wait wait = reader.wait(never); wait != Wait::readable && wait != Wait::quiet)
        return sum;
      continue;
    }
    for (std::size_t i = 0; i < count; ++i)
      sum += batch[i]->kind == RecordKind::packet ? value_of(batch[i]) : 0;
    reader.release();
  }
}

void throughput(std::uint64_t records) {
  const Endpoint there = endpoint("-throughput");
  auto writer = RecordWriter::open(there, stream_of(StreamKind::packets), options());
  const pid_t child = fork();
  if (child == 0) {
    auto reader = RecordReader::open(there, StreamKind::packets, options());
    const std::uint64_t sum = read_all(reader);
    reader.close();
    _exit(sum == records * (records - 1) / 2 ? 0 : 1);
  }
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < records; ++i)
    write_one(writer, i);
  writer.finish(EndCause::complete, never); // until the reader has drained the ring
  const std::chrono::duration<double> seconds = Clock::now() - start;
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) {
    std::fputs("ring_bench: the reader did not get what was written\n", stderr);
    std::exit(1);
  }
  std::printf("{\"what\": \"ring, records of 64 octets\", \"records\": %llu, \"seconds\": %.6f}\n",
              static_cast<unsigned long long>(records), seconds.count());
}

/// Waits busily for one record and returns its value.
std::uint64_t read_one(RecordReader& reader) {
  std::array<const RecordHeader*, 1> one{};
  while (reader.peek(one) == 0)
    spin_pause();
  reader.release();
  return one[0]->kind == RecordKind::packet ? value_of(one[0]) : ~std::uint64_t{0};
}

void latency(std::uint64_t rounds) {
  const Endpoint there = endpoint("-there"), back = endpoint("-back");
  auto writer = RecordWriter::open(there, stream_of(StreamKind::packets), options());
  const pid_t child = fork();
  if (child == 0) {
    auto echo = RecordWriter::open(back, stream_of(StreamKind::packets), options());
    auto reader = RecordReader::open(there, StreamKind::packets, options());
    for (std::uint64_t i = 0; i < rounds; ++i) {
      write_one(echo, read_one(reader));
      echo.publish();
    }
    echo.finish(EndCause::complete, never);
    reader.close();
    _exit(0);
  }
  auto reader = RecordReader::open(back, StreamKind::packets, options());
  std::vector<double> times(rounds);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    write_one(writer, i);
    writer.publish();
    if (read_one(reader) != i)
      std::exit(1);
    times[i] = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }
  reader.close();
  writer.finish(EndCause::complete, never);
  waitpid(child, nullptr, 0);
  std::ranges::sort(times);
  std::printf(
      "{\"what\": \"ring, one record there and back\", \"records\": %llu, \"median_ns\": %.0f, \"p99_ns\": %.0f}\n",
      static_cast<unsigned long long>(rounds), times[rounds / 2], times[rounds * 99 / 100]);
}

} // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
  throughput(records);
  latency(std::min<std::uint64_t>(records, 200'000));
  return 0;
}
