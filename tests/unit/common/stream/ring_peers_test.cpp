// SPDX-License-Identifier: GPL-3.0-or-later
// What each end of a ring makes of the other: absent, hostile, gone, or not a ring at all.
#include "common/error.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <chrono>
#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// A ring whose producer is this test, which writes whatever it likes.
struct HostileRing {
  explicit HostileRing(const std::string& name)
      : endpoint(ring_endpoint(name)), ring(Ring::create(endpoint.segment_name(), min_ring_bytes)) {
    const auto [header, description] = encode_stream(job_stream());
    ring.header().stream = header;
    description.copy(ring.header().description.data(), description.size());
    ring.header().producer.process.set_self();
    ring.header().producer.state = EndState::attached;
  }
  ~HostileRing() { Segment::remove(ring.name()); }

  void put(std::uint64_t at, std::uint32_t length, RecordKind kind = RecordKind::job) const {
    const RecordHeader header{length, kind, 0};
    std::memcpy(ring.area() + at % ring.capacity_bytes(), &header, sizeof header);
  }
  void publish(std::uint64_t index) const { ring.header().producer.index = index; }
  [[nodiscard]] RecordReader reader() const { return RecordReader::open(endpoint, StreamKind::jobs); }

  Endpoint endpoint;
  Ring ring;
};

/// Reads all that there is; returns how many records came before the damage, which must be there.
std::size_t read_to_damage(RecordReader& reader) {
  const RecordHeader* batch[16];
  std::size_t records = 0;
  for (int rounds = 0; rounds < 10'000; ++rounds) {
    const auto count = reader.peek(batch);
    records += count;
    if (count == 0 && reader.wait(stop_now) != Wait::readable)
      break;
  }
  CHECK(reader.wait(go_on) == Wait::damaged);
  CHECK(reader.peek(batch) == 0);
  return records;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void check_refused(const std::string& why, const std::function<void(RingHeader&)>& spoil) {
  const auto segment = ring_endpoint("spoilt").segment_name();
  const auto ring = Ring::create(segment, min_ring_bytes);
  spoil(ring.header());
  try {
    static_cast<void>(Ring::attach(segment));
    FAIL_CHECK("attached a ring that should be refused: " << why);
  } catch (const Error& error) {
    CHECK(contains(error.what(), segment));
    CHECK(contains(error.what(), why));
  }
  Segment::remove(segment);
}

} // namespace

TEST_CASE("a length that does not fit ends the stream at its offset, whatever came before it is given out") {
  for (const std::uint32_t length : {0U, 1U, 7U, 65U, 4096U, 0x7FFFFFFFU, 0xFFFFFFF8U, 0xFFFFFFFFU}) {
    for (const auto kind : {RecordKind::job, RecordKind::padding}) {
      const HostileRing ring("length");
      ring.put(0, 64);
      ring.put(64, length, kind);
      ring.publish(128);
      auto reader = ring.reader();
      CHECK(read_to_damage(reader) == 1);
      CHECK(contains(reader.damage(), "damaged at offset 64"));
      CHECK(contains(reader.damage(), "a record of " + std::to_string(length) + " octets"));
    }
  }
}

TEST_CASE("a record that runs past the end of the area is damage, even where the index covers it") {
  const HostileRing ring("past-end");
  ring.put(0, 4000);
  ring.publish(4000);
  auto reader = ring.reader();
  const RecordHeader* batch[1];
  REQUIRE(reader.peek(batch) == 1);
  CHECK(reader.wait(stop_now) == Wait::stopped);
  ring.put(4000, 200);
  ring.publish(4200);
  CHECK(read_to_damage(reader) == 0);
  CHECK(contains(reader.damage(), "offset 4000"));
}

TEST_CASE("an index that is not aligned, too far ahead, or goes back is damage") {
  for (const std::uint64_t index : {std::uint64_t{4}, std::uint64_t{63}, std::uint64_t{4104}, ~std::uint64_t{7}}) {
    const HostileRing ring("index");
    ring.publish(index);
    auto reader = ring.reader();
    CHECK(read_to_damage(reader) == 0);
    CHECK(contains(reader.damage(), "index " + std::to_string(index) + " is out of range"));
  }
  const HostileRing ring("index-back");
  for (std::uint64_t at = 0; at < 512; at += 64)
    ring.put(at, 64);
  ring.publish(256);
  auto reader = ring.reader();
  const RecordHeader* batch[16];
  CHECK(reader.peek(batch) == 4);
  ring.publish(128); // between what was given back (0) and what was seen (256)
  CHECK(read_to_damage(reader) == 0);
}

TEST_CASE("a record that its reader finds bad is named with its own offset, also after the ring has wrapped") {
  RingPair ring("bad");
  for (std::uint64_t number = 0; number < 7; ++number) {
    REQUIRE(write_numbered(ring.writer, number, 1000));
    ring.writer.publish();
    REQUIRE(ring.next());
    ring.reader.release();
  }
  for (std::uint64_t number = 0; number < 3; ++number)
    REQUIRE(write_numbered(ring.writer, number, 64));
  ring.writer.publish();
  const RecordHeader* batch[3];
  REQUIRE(ring.reader.peek(batch) == 3);
  ring.reader.mark_damaged_at(batch[1], "its colour is wrong");
  CHECK(ring.reader.peek(batch) == 0);
  CHECK(ring.reader.wait(go_on) == Wait::damaged);
  CHECK(contains(ring.reader.damage(),
                 "damaged at offset " + std::to_string(4096 + 3000 + 64) + ": its colour is wrong"));
}

TEST_CASE("damage found behind an end record of the same batch still counts") {
  RingPair ring("bad-end");
  REQUIRE(write_numbered(ring.writer, 0, 16));
  CHECK(ring.writer.finish(EndCause::complete, stop_now));
  const RecordHeader* batch[3];
  REQUIRE(ring.reader.peek(batch) == 2);
  ring.reader.mark_damaged_at(batch[0], "bad");
  CHECK(ring.reader.wait(go_on) == Wait::damaged);
}

TEST_CASE("what is not a ring of this version and size is refused by name") {
  check_refused("not a ring", [](RingHeader& header) { header.magic = 0; });
  check_refused("version 77", [](RingHeader& header) { header.version = 77; });
  check_refused("damaged", [](RingHeader& header) { header.capacity_bytes = 0; });
  check_refused("damaged", [](RingHeader& header) { header.capacity_bytes = 8; });
  check_refused("damaged", [](RingHeader& header) { header.capacity_bytes = 4095; });
  check_refused("damaged", [](RingHeader& header) { header.capacity_bytes = 8192; });
  check_refused("damaged", [](RingHeader& header) { header.area_offset += 8; });
  const auto segment = ring_endpoint("small").segment_name();
  const auto small = Segment::create(segment, 4096);
  CHECK_THROWS_AS(static_cast<void>(Ring::attach(segment)), Error);
  Segment::remove(segment);
  CHECK_THROWS_AS(static_cast<void>(Ring::attach(segment)), Error);
}

TEST_CASE("a consumer's index that none can have ends the stream of a writer that looks at it, and is named") {
  for (const std::uint64_t index : {std::uint64_t{4}, std::uint64_t{3008}, std::uint64_t{1} << 40, ~std::uint64_t{7}}) {
    RingPair ring("consumer");
    for (std::uint64_t number = 0; number < 3; ++number)
      REQUIRE(write_numbered(ring.writer, number, 1000));
    ring.writer.publish(); // up to 3000
    ring.look().header().consumer.index = index;
    while (write_numbered(ring.writer, 9, 512)) {
    }
    CHECK(ring.writer.wait_for_room(512, go_on) == Room::failed);
    CHECK(ring.writer.wait_for_last_room(512, go_on) == Room::failed);
    CHECK(contains(ring.writer.failure(), ring.endpoint.text() +
                                              " is damaged: the producer's index 3000 and the consumer's " +
                                              std::to_string(index) + " are out of range"));
    CHECK_FALSE(write_numbered(ring.writer, 9, 16));
    ring.look().header().consumer.index = 3000; // it stays so
    CHECK_FALSE(write_numbered(ring.writer, 9, 16));
    static_cast<void>(ring.writer.finish(EndCause::complete, go_on)); // comes back
    CHECK_FALSE(Segment::exists(ring.endpoint.segment_name()));
  }
}

TEST_CASE("a consumer's index that goes back takes no room from what was read, and is damage") {
  RingPair ring("consumer-back");
  const auto fill_and_read = [&] {
    while (write_numbered(ring.writer, 1, 1000)) {
    }
    ring.writer.publish();
    while (ring.next()) {
    }
    CHECK(ring.reader.wait(stop_now) == Wait::stopped); // gives back
  };
  fill_and_read();
  fill_and_read();
  CHECK(ring.writer.wait_for_room(16, go_on) == Room::available);
  const Ring seen = ring.look();
  seen.header().consumer.index -= 1000;
  while (write_numbered(ring.writer, 1, 1000)) {
  }
  CHECK(ring.writer.wait_for_room(1000, go_on) == Room::failed);
  CHECK(contains(ring.writer.failure(), "out of range"));
}

TEST_CASE("a writer or a reader does not begin in a ring whose indices do not fit, and says so") {
  const auto refusal = [](std::uint64_t published, std::uint64_t given_back) -> std::string {
    const Endpoint endpoint = ring_endpoint("begin");
    const Ring ring = Ring::create(endpoint.segment_name(), min_ring_bytes);
    ring.header().producer.index = published;
    ring.header().consumer.index = given_back;
    try {
      static_cast<void>(RecordWriter::open(endpoint, job_stream()));
    } catch (const Error& error) {
      Segment::remove(endpoint.segment_name());
      CHECK(ring.header().producer.state == EndState::absent);
      return error.what();
    }
    Segment::remove(endpoint.segment_name());
    return {};
  };
  CHECK(contains(refusal(0, 8), "begin is damaged: the producer's index 0 and the consumer's 8 are out of range"));
  CHECK(contains(refusal(4, 0), "index 4 and the consumer's 0 are"));
  CHECK(contains(refusal(12, 4), "index 12 and the consumer's 4 are"));
  CHECK(contains(refusal(8192, 0), "index 8192 and the consumer's 0 are"));
  CHECK(contains(refusal(~std::uint64_t{7}, ~std::uint64_t{7}), "are out of range"));
  const HostileRing ring("begin-reader");
  ring.ring.header().consumer.index = 4;
  CHECK_THROWS_WITH_AS(static_cast<void>(ring.reader()), doctest::Contains("consumer's index 4 is out of range"),
                       Error);
}

TEST_CASE("a header that changes under those who attach moves nobody out of the ring") {
  const Endpoint endpoint = ring_endpoint("flips");
  const Ring ring = Ring::create(endpoint.segment_name(), min_ring_bytes);
  auto& header = ring.header();
  std::atomic<bool> done{false};
  std::thread peer([&] {
    for (std::uint64_t round = 0; !done; ++round) {
      header.capacity_bytes = round % 2 == 0 ? min_ring_bytes : std::uint64_t{1} << 34;
      header.area_offset = round % 3 == 0 ? std::uint64_t{1} << 40 : ring_area_offset;
      header.consumer.index = round % 5 == 0 ? round * 4096 + 4 : header.producer.index.load();
    }
  });
  std::size_t opened = 0, refused = 0, failed = 0;
  for (int round = 0; round < 20'000 && (round < 500 || opened * refused * failed == 0); ++round) {
    header.producer.state = EndState::absent;
    try {
      auto writer = RecordWriter::open(endpoint, job_stream(), {.make_ring = false});
      ++opened;
      REQUIRE(writer.ring().capacity_bytes() == min_ring_bytes);
      REQUIRE(writer.max_record_bytes() == min_ring_bytes / 4);
      for (int record = 0; record < 50 && writer.failure().empty(); ++record) {
        std::byte* const place = writer.claim(1000);
        const std::byte* const area = writer.ring().area();
        REQUIRE((!place || (place >= area && place + 1000 <= area + min_ring_bytes)));
        if (place)
          writer.commit(place, 1000, RecordKind::job);
        else
          static_cast<void>(writer.wait_for_room(1000, stop_now));
        writer.publish();
      }
      failed += !writer.failure().empty();
      if (!writer.failure().empty())
        CHECK(contains(writer.failure(), "flips is damaged: the producer's index"));
    } catch (const Error& error) {
      ++refused;
      const std::string why = error.what();
      CHECK((contains(why, "has lost its session") || contains(why, "are out of range")));
    }
  }
  done = true;
  peer.join();
  CHECK(opened > 0);
  CHECK(refused > 0);
  CHECK(failed > 0);
  Segment::remove(endpoint.segment_name());
}

TEST_CASE("a ring of another user, or open to others, is neither read nor waited for, replaced nor removed") {
  const Endpoint endpoint = ring_endpoint("theirs");
  const std::string path = "/dev/shm/" + endpoint.segment_name();
  const auto is_refused = [&](const char* why) {
    CHECK_FALSE(Segment::exists(endpoint.segment_name()));
    CHECK_FALSE(Segment::remove(endpoint.segment_name()));
    CHECK_THROWS_WITH_AS(static_cast<void>(Ring::attach(endpoint.segment_name())), doctest::Contains(why), Error);
    CHECK_THROWS_WITH_AS(static_cast<void>(RecordWriter::open(endpoint, job_stream())), doctest::Contains(why), Error);
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_WITH_AS(static_cast<void>(RecordReader::open(endpoint, StreamKind::jobs)), doctest::Contains(why),
                         Error);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    CHECK(access(path.c_str(), F_OK) == 0);
  };
  {
    const HostileRing ring("theirs");
    REQUIRE(chmod(path.c_str(), 0660) == 0);
    is_refused("has mode 0660");
    REQUIRE(chmod(path.c_str(), 0600) == 0);
    if (geteuid() == 0) {
      REQUIRE(chown(path.c_str(), 65534, 65534) == 0);
      is_refused("belongs to user 65534");
      REQUIRE(chown(path.c_str(), 0, 0) == 0);
    }
    CHECK(ring.reader().damage().empty());
  }
  CHECK(access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a reader waits for its producer no longer than it was told, or until it is stopped") {
  const auto endpoint = ring_endpoint("nobody");
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordReader::open(endpoint, StreamKind::jobs, {.attach_timeout_s = 0})),
                       doctest::Contains("no producer came within 0 s"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordReader::open(endpoint, StreamKind::jobs, {}, &stop_now)),
                       doctest::Contains("stopped before its producer came"), Error);
}

TEST_CASE("a reader that comes first gets everything from a producer that comes later") {
  const auto endpoint = ring_endpoint("late");
  std::thread late([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    auto writer = RecordWriter::open(endpoint, job_stream(), {.ring_bytes = 4096});
    write_numbered(writer, 1, 16);
    writer.finish(EndCause::complete, go_on);
  });
  auto reader = RecordReader::open(endpoint, StreamKind::jobs);
  const RecordHeader* batch[4];
  while (reader.wait(go_on) == Wait::quiet) {
  }
  CHECK(reader.peek(batch) == 2);
  CHECK(is_record(batch[0], 1, 16));
  reader.close();
  late.join();
  CHECK_FALSE(Segment::exists(endpoint.segment_name()));
}

TEST_CASE("a stream of another kind is refused, and each end is taken once") {
  RingPair ring("taken");
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordReader::open(ring.endpoint, StreamKind::jobs)),
                       doctest::Contains("already has a consumer"), UsageError);
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordWriter::open(ring.endpoint, job_stream())),
                       doctest::Contains("already has a producer"), UsageError);
  REQUIRE(write_numbered(ring.writer, 1, 16)); // those who have them go on as if nobody had tried
  ring.writer.publish();
  CHECK(is_record(ring.next(), 1, 16));
  CHECK(ring.look().header().consumer.state == EndState::attached);
  CHECK(ring.look().header().producer.state == EndState::attached);
  ring.reader.close();
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordReader::open(ring.endpoint, StreamKind::flows)),
                       doctest::Contains("holds jobs, wanted flows"), Error);
}

TEST_CASE("a producer that was killed cuts its stream off behind what it had published") {
  const auto endpoint = ring_endpoint("killed-producer");
  const auto child = start_child([&] {
    static auto writer = RecordWriter::open(endpoint, job_stream(), {.ring_bytes = 4096});
    write_numbered(writer, 1, 16);
    writer.publish();
    write_numbered(writer, 2, 16); // committed, but never published
  });
  auto reader = RecordReader::open(endpoint, StreamKind::jobs);
  const RecordHeader* batch[4];
  CHECK(reader.wait(go_on) == Wait::readable);
  CHECK(reader.peek(batch) == 1);
  CHECK(reader.wait(go_on) == Wait::quiet);
  kill_child(child);
  CHECK(reader.wait(go_on) == Wait::cut_off);
  reader.close();
  CHECK_FALSE(Segment::exists(endpoint.segment_name())); // its maker being gone, the last one out removes it
}

TEST_CASE("a producer whose reader was killed, or has left, is told so instead of waiting") {
  const auto endpoint = ring_endpoint("killed-consumer");
  auto writer = RecordWriter::open(endpoint, job_stream(), {.ring_bytes = 4096});
  while (write_numbered(writer, 0, 1000)) {
  }
  CHECK(writer.wait_for_room(1000, stop_now) == Room::stopped); // nobody has come yet
  const auto child = start_child([&] { static auto reader = RecordReader::open(endpoint, StreamKind::jobs); });
  CHECK(writer.wait_for_room(1000, stop_now) == Room::stopped);
  kill_child(child);
  CHECK(writer.wait_for_room(1000, go_on) == Room::reader_gone);
  {
    auto reader = RecordReader::open(endpoint, StreamKind::jobs); // another one may take its place
    const RecordHeader* batch[16];
    CHECK(reader.peek(batch) == 4);
    reader.release();
    CHECK(writer.wait_for_room(1000, go_on) == Room::available);
    while (write_numbered(writer, 0, 1000)) {
    }
  }
  // Leaving gave back what had been read: there is room for the moment, but nobody reads any more.
  while (write_numbered(writer, 0, 1000)) {
  }
  CHECK(writer.wait_for_room(1000, go_on) == Room::reader_gone);
  CHECK_FALSE(writer.finish(EndCause::complete, go_on));
  CHECK_FALSE(Segment::exists(endpoint.segment_name()));
}

TEST_CASE("a ring that a killed producer left is replaced by the next one of its name") {
  const auto endpoint = ring_endpoint("stale");
  const auto child =
      start_child([&] { static auto writer = RecordWriter::open(endpoint, job_stream(), {.ring_bytes = 4096}); });
  kill_child(child);
  REQUIRE(Segment::exists(endpoint.segment_name()));
  {
    auto writer = RecordWriter::open(endpoint, job_stream(), {.ring_bytes = 8192});
    CHECK(Ring::attach(endpoint.segment_name()).capacity_bytes() == 8192);
    CHECK(writer.max_record_bytes() == 2048);
  }
  CHECK_FALSE(Segment::exists(endpoint.segment_name()));
}

TEST_CASE("a producer that is to make no ring says that it has lost the one whose maker is gone, and leaves it") {
  const Endpoint endpoint = ring_endpoint("lost");
  const EndpointOptions options{.make_ring = false};
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordWriter::open(endpoint, job_stream(), options)),
                       doctest::Contains("has lost its session"), Error);
  const Ring ring = Ring::create(endpoint.segment_name(), min_ring_bytes);
  ring.header().creator.pid = 0x7FFFFFFF; // more than any process id can be
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordWriter::open(endpoint, job_stream(), options)),
                       doctest::Contains("has lost its session"), Error);
  CHECK(Segment::exists(endpoint.segment_name()));
  ring.header().creator.set_self();
  CHECK(RecordWriter::open(endpoint, job_stream(), options).ring());
  Segment::remove(endpoint.segment_name());
}

TEST_CASE("an end whose state is none that there is counts as dead, and is not waited for") {
  RingPair ring("no-state");
  REQUIRE(write_numbered(ring.writer, 1, 16));
  ring.writer.ring().header().consumer.state = static_cast<EndState>(0x10000);
  CHECK(ring.writer.reader_gone());
  CHECK(ring.writer.wait_for_last_room(min_ring_bytes / 4, go_on) != Room::stopped);
  static_cast<void>(ring.writer.finish(EndCause::complete, go_on)); // comes back
}

TEST_CASE("a sleeping end is woken by the other one, long before its sleep is over") {
  RingPair ring("wake");
  for (int round = 0; round < 20; ++round) {
    std::thread producer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      write_numbered(ring.writer, 0, 16);
      ring.writer.publish();
    });
    REQUIRE(ring.reader.wait(go_on, std::chrono::seconds(60)) == Wait::readable);
    producer.join();
    REQUIRE(ring.next());
    ring.reader.release();
  }
}
