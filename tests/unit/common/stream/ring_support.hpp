// SPDX-License-Identifier: GPL-3.0-or-later
// Rings for tests: names that no other test has, records with content that tells where it was mixed up, and children
// that can be killed.
#pragma once

#include "common/stream/record_reader.hpp"
#include "common/stream/record_writer.hpp"
#include "common/stream/ring/ring.hpp"

#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace orbweaver::test {

inline const std::atomic<bool> go_on{false};
inline const std::atomic<bool> stop_now{true};

[[nodiscard]] inline Endpoint ring_endpoint(const std::string& name) {
  return {Endpoint::Kind::ring, "unit-" + std::to_string(getpid()) + "-" + name};
}

[[nodiscard]] inline StreamDescription job_stream() {
  return stream_of(StreamKind::jobs);
}

/// A record of `length` octets, at least 16, whose content follows from its number.
[[nodiscard]] inline std::vector<std::byte> numbered_record(std::uint64_t number, std::uint32_t length) {
  std::vector<std::byte> record(length);
  std::memcpy(record.data() + sizeof(RecordHeader), &number, sizeof number);
  for (std::size_t i = 16; i < length; ++i)
    record[i] = static_cast<std::byte>(number * 31 + i);
  return record;
}

[[nodiscard]] inline std::uint64_t number_of(const RecordHeader* record) {
  std::uint64_t number = 0;
  std::memcpy(&number, reinterpret_cast<const std::byte*>(record) + sizeof(RecordHeader), sizeof number);
  return number;
}

/// Whether a record is what numbered_record made.
[[nodiscard]] inline bool is_record(const RecordHeader* record, std::uint64_t number, std::uint32_t length) {
  const auto expected = numbered_record(number, length);
  return record->length == length && record->kind == RecordKind::job &&
         std::memcmp(reinterpret_cast<const std::byte*>(record) + sizeof(RecordHeader),
                     expected.data() + sizeof(RecordHeader), length - sizeof(RecordHeader)) == 0;
}

inline bool write_numbered(RecordWriter& writer, std::uint64_t number, std::uint32_t length) {
  return writer.write(numbered_record(number, length).data(), length, RecordKind::job);
}

/// One end each, in this process. The ring is removed with the writer.
struct RingPair {
  explicit RingPair(const std::string& name, std::uint64_t bytes = min_ring_bytes)
      : endpoint(ring_endpoint(name)), writer(RecordWriter::open(endpoint, job_stream(), {.ring_bytes = bytes})),
        reader(RecordReader::open(endpoint, StreamKind::jobs)) {}

  /// The next record, or nullptr.
  const RecordHeader* next() {
    const RecordHeader* record[1];
    return reader.peek(record) == 1 ? record[0] : nullptr;
  }
  [[nodiscard]] Ring look() const { return Ring::attach(endpoint.segment_name()); }

  Endpoint endpoint;
  RecordWriter writer;
  RecordReader reader;
};

/// Runs `work` in a child, which then sleeps until it is killed; returns its process id once `work` is done.
template <typename Work>
pid_t start_child(Work&& work) {
  int done[2];
  if (pipe(done) != 0)
    return -1;
  const pid_t child = fork();
  if (child == 0) {
    work();
    [[maybe_unused]] const auto told = ::write(done[1], "x", 1);
    for (;;)
      pause();
  }
  char told = 0;
  [[maybe_unused]] const auto got = ::read(done[0], &told, 1);
  ::close(done[0]);
  ::close(done[1]);
  return child;
}

inline void kill_child(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

} // namespace orbweaver::test
