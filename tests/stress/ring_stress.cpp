// SPDX-License-Identifier: GPL-3.0-or-later
// Passes records of random length through one ring, between two processes or (--threads, for ThreadSanitizer) two
// threads, and checks every octet: a record's number says its length and its content. Exit status 0 when all came
// whole, in order, and once.
#include "common/error.hpp"
#include "common/process/options/command_line.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/record_writer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace orbweaver;

namespace {

struct Options {
  std::uint64_t records = 34'000'000; ///< for each of the three ring sizes, 10^8 in all: about a minute on two cores
  std::vector<std::uint64_t> ring_bytes{4096, 64 << 10, 8 << 20};
  std::uint32_t max_record_bytes = 160;
  bool threads = false;
  bool busy_poll = false;
};

const std::atomic<bool> go_on{false};

/// SplitMix64: the next number of a sequence that both ends know.
constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value += 0x9E37'79B9'7F4A'7C15;
  value = (value ^ value >> 30) * 0xBF58'476D'1CE4'E5B9;
  value = (value ^ value >> 27) * 0x94D0'49BB'1331'11EB;
  return value ^ value >> 31;
}

std::uint32_t length_of(std::uint64_t number, std::uint32_t longest) noexcept {
  constexpr std::uint32_t shortest = sizeof(RecordHeader) + sizeof(std::uint64_t);
  return shortest + static_cast<std::uint32_t>(mix(number) % (longest - shortest + 1));
}

/// Calls `word(place, value, octets)` for every piece of the content of record `number`.
template <typename Word>
void for_each_word(std::uint64_t number, std::uint32_t length, Word&& word) noexcept {
  std::uint64_t value = mix(~number);
  std::uint32_t at = sizeof(RecordHeader);
  word(at, number, sizeof number);
  for (at += sizeof number; at < length; at += sizeof value) {
    value = value * 0x9E37'79B9'7F4A'7C15 + 1;
    word(at, value, std::min<std::size_t>(sizeof value, length - at));
  }
}

bool produce(RecordWriter writer, const Options& options) {
  for (std::uint64_t number = 0; number < options.records; ++number) {
    const auto length = length_of(number, options.max_record_bytes);
    std::byte* place = nullptr;
    while (!(place = writer.claim(length)))
      if (writer.wait_for_room(length, go_on) != Room::available)
        return false;
    for_each_word(number, length, [&](std::uint32_t at, std::uint64_t value, std::size_t octets) {
      std::memcpy(place + at, &value, octets);
    });
    writer.commit(place, length, RecordKind::job);
    if (mix(number ^ 0xABCD) % 4096 == 0)
      writer.publish(); // now and then a batch that is not full
  }
  return writer.finish(EndCause::complete, go_on);
}

bool is_whole(const RecordHeader* record, std::uint64_t number, std::uint32_t longest) noexcept {
  const auto length = length_of(number, longest);
  if (record->length != length || record->kind != RecordKind::job || record->table != 0)
    return false;
  bool whole = true;
  for_each_word(number, length, [&](std::uint32_t at, std::uint64_t value, std::size_t octets) {
    whole &= std::memcmp(reinterpret_cast<const std::byte*>(record) + at, &value, octets) == 0;
  });
  return whole;
}

/// Reads to the end; throws at the first record that is not what it should be.
void consume(RecordReader reader, const Options& options) {
  std::array<const RecordHeader*, 64> batch;
  std::uint64_t number = 0;
  for (;;) {
    const auto count = reader.peek(batch);
    for (std::size_t i = 0; i < count; ++i) {
      if (batch[i]->kind == RecordKind::end)
        break;
      if (!is_whole(batch[i], number, options.max_record_bytes))
        throw Error("record " + std::to_string(number) + " is not what was written");
      ++number;
    }
    reader.release();
    if (count > 0)
      continue;
    switch (reader.wait(go_on)) {
    case Wait::readable:
    case Wait::quiet:
      continue;
    case Wait::damaged:
      throw Error(reader.damage());
    case Wait::cut_off:
    case Wait::stopped:
      throw Error("the stream was cut off after record " + std::to_string(number));
    case Wait::ended:
      if (number != options.records)
        throw Error(std::to_string(number) + " records came of " + std::to_string(options.records));
      return;
    }
  }
}

void pass_between_threads(const Endpoint&, RecordWriter writer, const Options& options) {
  // One mapping for both ends: ThreadSanitizer knows memory by its address.
  auto reader = RecordReader::take(writer.ring(), StreamKind::jobs, {.busy_poll = options.busy_poll});
  bool produced = false;
  std::thread producer([&, mine = std::move(writer)]() mutable { produced = produce(std::move(mine), options); });
  std::string failure;
  try {
    consume(std::move(reader), options);
  } catch (const Error& error) {
    failure = error.what(); // the reader has left, so the producer ends
  }
  producer.join();
  if (!failure.empty() || !produced)
    throw Error(failure.empty() ? "the producer could not finish" : failure);
}

void pass_between_processes(const Endpoint& endpoint, RecordWriter writer, const Options& options) {
  std::fflush(nullptr);
  const pid_t consumer = fork();
  if (consumer < 0)
    throw Error("cannot fork: " + errno_text());
  if (consumer == 0) {
    try {
      consume(RecordReader::open(endpoint, StreamKind::jobs, {.busy_poll = options.busy_poll}), options);
      _exit(0);
    } catch (const Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      _exit(1);
    }
  }
  const bool produced = produce(std::move(writer), options);
  int status = 0;
  waitpid(consumer, &status, 0);
  if (!produced || status != 0)
    throw Error(produced ? "the consumer failed" : "the producer could not finish");
}

void run(const Options& options, std::uint64_t ring_bytes) {
  const Endpoint endpoint{Endpoint::Kind::ring,
                          "stress-" + std::to_string(getpid()) + "-" + std::to_string(ring_bytes)};
  auto writer = RecordWriter::open(endpoint, stream_of(StreamKind::jobs),
                                   {.ring_bytes = ring_bytes, .busy_poll = options.busy_poll});
  if (options.max_record_bytes > writer.max_record_bytes())
    throw Error("records of that length do not fit a ring of " + std::to_string(ring_bytes) + " octets");
  const auto start = std::chrono::steady_clock::now();
  (options.threads ? pass_between_threads : pass_between_processes)(endpoint, std::move(writer), options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("ring of %llu octets: %llu records in %.2f s\n", static_cast<unsigned long long>(ring_bytes),
              static_cast<unsigned long long>(options.records), took.count());
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine app("Passes records of random length through a ring and checks every octet.", "stress-ring");
  app.add_option("--records", options.records, "Records for each ring size")->capture_default_str();
  app.add_option("--ring-bytes", options.ring_bytes, "Sizes of the rings, one after the other")->capture_default_str();
  app.add_option("--max-record-bytes", options.max_record_bytes, "The longest record")
      ->transform(whole_number(16, 1 << 20))
      ->capture_default_str();
  app.add_flag("--threads", options.threads, "Two threads instead of two processes");
  app.add_flag("--busy-poll", options.busy_poll, "Never sleep");
  try {
    if (const auto status = app.parse(argc, argv))
      return *status;
    for (const auto bytes : options.ring_bytes)
      run(options, bytes);
  } catch (const Error& error) {
    std::fprintf(stderr, "stress-ring: %s\n", error.what());
    return 1;
  }
  return 0;
}
