// SPDX-License-Identifier: GPL-3.0-or-later
// Ends of a ring of a supervised session, whose processes die and are followed by others.
#include "common/error.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct SupervisedRing {
  explicit SupervisedRing(const std::string& name, bool supervised = true)
      : endpoint(ring_endpoint(name)), ring(Ring::create(endpoint.segment_name(), min_ring_bytes, false, supervised)) {}
  ~SupervisedRing() { Segment::remove(ring.name()); }

  RecordWriter writer(bool takes_over = false) const {
    return RecordWriter::open(endpoint, job_stream(), {.takes_over = takes_over, .make_ring = false});
  }
  [[nodiscard]] RecordReader reader() const { return RecordReader::open(endpoint, StreamKind::jobs); }

  Endpoint endpoint;
  Ring ring;
};

/// Kills a writer that has published one record, kept another, and committed a third.
void kill_a_writer(const SupervisedRing& ring) {
  const pid_t child = start_child([&] {
    static auto* const writer = new RecordWriter(ring.writer());
    write_numbered(*writer, 1, 24);
    writer->publish();
    write_numbered(*writer, 2, 24);
    writer->keep();
    write_numbered(*writer, 3, 24);
  });
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

std::vector<std::uint64_t> numbers_in(RecordReader& reader) {
  const RecordHeader* batch[16];
  std::vector<std::uint64_t> numbers;
  const auto count = reader.peek(batch);
  for (std::size_t i = 0; i < count; ++i)
    if (batch[i]->kind == RecordKind::job)
      numbers.push_back(number_of(batch[i]));
  return numbers;
}

} // namespace

TEST_CASE("a reader waits for who follows a dead writer, which goes on behind what was kept") {
  const SupervisedRing ring("takeover-writer");
  kill_a_writer(ring);
  auto reader = ring.reader();
  CHECK(numbers_in(reader) == std::vector<std::uint64_t>{1});
  CHECK(reader.wait(go_on) == Wait::quiet);
  auto writer = ring.writer(true);
  CHECK(writer.taken_over_at() == 48);
  CHECK(writer.records() == 1); // published
  write_numbered(writer, 4, 24);
  writer.finish(EndCause::complete, go_on);
  CHECK(numbers_in(reader) == std::vector<std::uint64_t>{2, 4});
  CHECK(reader.wait(go_on) == Wait::ended);

  auto next = ring.writer(true); // it had nothing more to do
  CHECK(next.is_finished());
  CHECK(next.claim(24) == nullptr);
}

TEST_CASE("a dead writer that nobody will follow ends the stream") {
  for (const bool supervised : {false, true}) {
    const SupervisedRing ring("takeover-none", supervised);
    kill_a_writer(ring);
    auto reader = ring.reader();
    CHECK(numbers_in(reader) == std::vector<std::uint64_t>{1});
    if (supervised)
      ring.ring.header().producer.state = EndState::dead; // its session gave it up
    CHECK(reader.wait(go_on) == Wait::cut_off);
  }
}

TEST_CASE("who does not say that it follows does not, nor does who writes something else") {
  const SupervisedRing ring("takeover-refused");
  kill_a_writer(ring);
  CHECK_THROWS_AS(ring.writer(), Error);
  CHECK_THROWS_AS(
      RecordWriter::open(ring.endpoint, stream_of(StreamKind::packets), {.takes_over = true, .make_ring = false}),
      Error);
}

TEST_CASE("who follows a reader begins where that one was, and nowhere else") {
  const SupervisedRing ring("takeover-reader");
  auto writer = ring.writer();
  for (std::uint64_t number = 1; number <= 4; ++number)
    write_numbered(writer, number, 24);
  writer.publish();
  const pid_t child = start_child([&] {
    static auto* const reader = new RecordReader(ring.reader());
    const RecordHeader* batch[1];
    reader->peek(batch);
  });
  CHECK_FALSE(writer.reader_gone());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK_FALSE(writer.reader_gone()); // another one comes
  auto reader = ring.reader();
  CHECK_FALSE(reader.resume_at(25));
  CHECK_FALSE(reader.resume_at(24 * 5));
  CHECK(reader.resume_at(24 * 2));
  CHECK(numbers_in(reader) == std::vector<std::uint64_t>{3, 4});
  CHECK(reader.position() == 24 * 4);
  const std::atomic<bool> never{false};
  const auto& given_back = ring.ring.header().consumer.index;
  CHECK(reader.wait(never, std::chrono::milliseconds(1), false) == Wait::quiet); // it keeps what it has to write yet
  CHECK(given_back == 0);
  CHECK(reader.wait(never, std::chrono::milliseconds(1)) == Wait::quiet);
  CHECK(given_back == 24 * 4);
}

TEST_CASE("what a dead writer has left is not believed where it does not fit") {
  const SupervisedRing ring("takeover-damaged");
  kill_a_writer(ring);
  auto& end = ring.ring.header().producer;
  end.kept = 49;
  CHECK_THROWS_AS(ring.writer(true), Error);
  end.kept = 1 << 20;
  CHECK_THROWS_AS(ring.writer(true), Error);
  end.kept = 48;
  for (auto& count : end.counts)
    count.index = 17;
  CHECK_THROWS_AS(ring.writer(true), Error);
}
