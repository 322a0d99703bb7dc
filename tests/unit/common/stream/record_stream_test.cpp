// SPDX-License-Identifier: GPL-3.0-or-later
// Recorded streams: what a writer puts in a file, and what a reader makes of a file that is not whole.
#include "common/error.hpp"
#include "common/stream/endpoint.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <regex>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const std::size_t header_bytes = header_octets(job_stream());
const std::size_t first_at = test::first_record(job_stream());

Endpoint file_endpoint(const std::string& path) {
  return {Endpoint::Kind::file, path};
}

/// A job stream of `count` numbered records, their lengths 16, 17, 18 ….
void record(const std::string& path, std::uint32_t count, EndCause cause = EndCause::complete) {
  auto writer = RecordWriter::open(file_endpoint(path), job_stream());
  for (std::uint32_t number = 0; number < count; ++number)
    REQUIRE(write_numbered(writer, number, 16 + number));
  REQUIRE(writer.finish(cause, go_on));
}

struct Replay {
  std::uint64_t records = 0; ///< whole and in order, without the end record
  Wait how{};
  EndCause cause{};
  std::string damage;
};

Replay replay(const std::string& path) {
  auto reader = RecordReader::open(file_endpoint(path), StreamKind::jobs);
  Replay result;
  const RecordHeader* batch[7];
  do {
    while (const auto count = reader.peek(batch)) {
      for (std::size_t i = 0; i < count; ++i) {
        if (batch[i]->kind == RecordKind::end) {
          result.cause = reinterpret_cast<const EndRecord*>(batch[i])->cause;
        } else {
          CHECK(is_record(batch[i], result.records, static_cast<std::uint32_t>(16 + result.records)));
          ++result.records;
        }
      }
      reader.release();
    }
    result.how = reader.wait(go_on);
  } while (result.how == Wait::readable);
  result.damage = reader.damage();
  return result;
}

void check_open_fails(const std::string& path, const std::string& why) {
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordReader::open(file_endpoint(path), StreamKind::jobs)),
                       doctest::Contains(why.c_str()), Error);
}

} // namespace

TEST_CASE("a recorded stream gives back every record, its header and how it ended") {
  const Scratch scratch;
  for (const auto cause : {EndCause::complete, EndCause::interrupted, EndCause::failed}) {
    record(scratch.path("jobs"), 5000, cause); // more than one buffer of the writer
    const auto result = replay(scratch.path("jobs"));
    CHECK(result.records == 5000);
    CHECK(result.how == Wait::ended);
    CHECK(result.cause == cause);
  }
  const auto reader = RecordReader::open(file_endpoint(scratch.path("jobs")), StreamKind::jobs);
  CHECK(reader.stream().kind == StreamKind::jobs);
  CHECK(reader.name() == "file:" + scratch.path("jobs"));
}

TEST_CASE("an empty stream has its end record alone") {
  const Scratch scratch;
  record(scratch.path("jobs"), 0);
  CHECK(read_file(scratch.path("jobs")).size() == first_at + sizeof(EndRecord));
  CHECK(replay(scratch.path("jobs")).how == Wait::ended);
}

TEST_CASE("a writer that goes without finish ends its stream as interrupted") {
  const Scratch scratch;
  {
    auto writer = RecordWriter::open(file_endpoint(scratch.path("jobs")), job_stream());
    REQUIRE(write_numbered(writer, 0, 16));
  }
  const auto result = replay(scratch.path("jobs"));
  CHECK(result.records == 1);
  CHECK(result.cause == EndCause::interrupted);
}

TEST_CASE("a file cut off at any octet gives the whole records before, and says how it stops") {
  const Scratch scratch;
  record(scratch.path("jobs"), 12);
  const auto whole = read_file(scratch.path("jobs"));
  std::vector<std::size_t> ends{first_at}; // where each record ends
  for (std::uint32_t number = 0; number < 12; ++number)
    ends.push_back(ends.back() + record_stride(16 + number));
  std::size_t records = 0;
  for (auto size = header_bytes; size < whole.size(); ++size) {
    write_file(scratch.path("cut"), whole.substr(0, size));
    while (records < 12 && ends[records + 1] <= size)
      ++records;
    const auto result = replay(scratch.path("cut"));
    REQUIRE(result.records == records);
    if (size == header_bytes) {
      REQUIRE(result.how == Wait::cut_off);
    } else {
      REQUIRE(result.how == Wait::damaged);
      const auto offset = size < first_at ? header_bytes : ends[records];
      REQUIRE(result.damage.find(scratch.path("cut") + ": damaged at offset " + std::to_string(offset) +
                                 ": the file was cut off within") == 0);
    }
  }
  for (std::size_t size = 0; size < header_bytes; ++size) {
    write_file(scratch.path("cut"), whole.substr(0, size));
    check_open_fails(scratch.path("cut"), size < sizeof(StreamHeader)
                                              ? "not an Orbweaver stream"
                                              : "cut off at offset " + std::to_string(size) + ", in its description");
  }
}

TEST_CASE("a file that stops after a block was cut off, and what its blocks hold is given out") {
  const Scratch scratch;
  record(scratch.path("jobs"), 5000);
  const auto whole = read_file(scratch.path("jobs"));
  std::size_t blocks = 0, end = header_bytes;
  for (std::uint64_t records = 0; end < whole.size(); ++blocks) {
    write_file(scratch.path("cut"), whole.substr(0, end));
    const auto result = replay(scratch.path("cut"));
    CHECK(result.how == Wait::cut_off);
    CHECK(result.records >= records + (blocks > 0));
    records = result.records;
    BlockRecord block{};
    std::memcpy(&block, whole.data() + end, sizeof block);
    end += sizeof block + block.octets;
  }
  CHECK(blocks > 2);
  CHECK(end == whole.size());
}

TEST_CASE("a file of which any bit was altered is damaged at an offset, and never good") {
  const Scratch scratch;
  record(scratch.path("jobs"), 3);
  const auto whole = read_file(scratch.path("jobs"));
  const std::regex named(scratch.path("altered") + ": .*offset [0-9]+.*");
  for (std::size_t octet = 0; octet < whole.size(); ++octet) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto altered = whole;
      altered[octet] = static_cast<char>(altered[octet] ^ 1 << bit);
      write_file(scratch.path("altered"), altered);
      CAPTURE(octet);
      CAPTURE(bit);
      if (octet < header_bytes) {
        std::string why;
        try {
          static_cast<void>(replay(scratch.path("altered")));
        } catch (const Error& error) {
          why = error.what();
        }
        REQUIRE_MESSAGE(std::regex_match(why, named), why);
      } else {
        const auto result = replay(scratch.path("altered"));
        REQUIRE(result.how == Wait::damaged);
        REQUIRE(result.records == 0);
        REQUIRE(result.damage.find(scratch.path("altered") + ": damaged at offset " + std::to_string(header_bytes) +
                                   ":") == 0);
      }
    }
  }
}

TEST_CASE("what comes before an altered block is given out") {
  const Scratch scratch;
  record(scratch.path("jobs"), 5000);
  auto altered = read_file(scratch.path("jobs"));
  BlockRecord first{};
  std::memcpy(&first, altered.data() + header_bytes, sizeof first);
  const auto second = first_at + first.octets;
  altered[second + 1000] = static_cast<char>(altered[second + 1000] ^ 1);
  write_file(scratch.path("altered"), altered);
  const auto result = replay(scratch.path("altered"));
  CHECK(result.records > 500);
  CHECK(result.how == Wait::damaged);
  CHECK(result.damage.find(": damaged at offset " + std::to_string(second) + ": a block of ") != std::string::npos);
}

TEST_CASE("a block that is longer than the file, but holds an end or another block, is damaged as a whole") {
  const Scratch scratch;
  record(scratch.path("jobs"), 5000);
  for (const auto octets : {std::uint64_t{1} << 40, ~std::uint64_t{7}}) {
    auto altered = read_file(scratch.path("jobs"));
    std::memcpy(altered.data() + header_bytes + offsetof(BlockRecord, octets), &octets, sizeof octets);
    write_file(scratch.path("altered"), altered);
    const auto result = replay(scratch.path("altered"));
    CHECK(result.records == 0);
    CHECK(result.how == Wait::damaged);
    CHECK(result.damage.find("damaged at offset " + std::to_string(header_bytes) + ": a block of " +
                             std::to_string(octets) + " octets does not fit") != std::string::npos);
  }
}

TEST_CASE("a length that cannot be is named with its offset, and what came before it is given out") {
  const Scratch scratch;
  record(scratch.path("jobs"), 12);
  const auto records = read_file(scratch.path("jobs")).substr(first_at);
  const auto third = 16 + 24 + 24;
  for (const std::uint32_t length : {0U, 7U, 100'000U, 0xFFFFFFF9U, 0xFFFFFFFFU}) {
    auto damaged = records;
    std::memcpy(damaged.data() + third, &length, sizeof length);
    write_file(scratch.path("damaged"), file_of(job_stream(), block_of(damaged)));
    const auto result = replay(scratch.path("damaged"));
    CHECK(result.records == 3);
    CHECK(result.how == Wait::damaged);
    CHECK(result.damage.find("damaged at offset " + std::to_string(first_at + third) + ": a record of " +
                             std::to_string(length) + " octets") != std::string::npos);
  }
}

TEST_CASE("records outside of a block, and blocks of none or of odd length, are damage") {
  const Scratch scratch;
  record(scratch.path("jobs"), 12);
  const auto records = read_file(scratch.path("jobs")).substr(first_at);
  for (const auto& blocks : {records, block_of({}) + block_of(records), block_of(records.substr(0, 17))}) {
    write_file(scratch.path("damaged"), file_of(job_stream(), blocks));
    const auto result = replay(scratch.path("damaged"));
    CHECK(result.records == 0);
    CHECK(result.damage.find("damaged at offset " + std::to_string(header_bytes) + ": there is no header of a block") !=
          std::string::npos);
  }
}

TEST_CASE("a file of another magic, version or kind, and what is no file, are refused by name") {
  const Scratch scratch;
  record(scratch.path("jobs"), 1);
  const auto whole = read_file(scratch.path("jobs"));
  const auto spoil = [&](std::size_t at) {
    auto spoilt = whole;
    spoilt[at] = static_cast<char>(spoilt[at] + 1);
    write_file(scratch.path("spoilt"), spoilt);
  };
  spoil(0);
  check_open_fails(scratch.path("spoilt"), scratch.path("spoilt") + ": not an Orbweaver stream");
  spoil(offsetof(StreamHeader, version));
  check_open_fails(scratch.path("spoilt"), scratch.path("spoilt") + ": stream version " +
                                               std::to_string(stream_version + 1) + " (at offset 8)");
  spoil(offsetof(StreamHeader, kind));
  check_open_fails(scratch.path("spoilt"), scratch.path("spoilt") + ": damaged at offset 0: the header or description was altered");
  write_file(scratch.path("flows"), file_of(stream_of(StreamKind::flows), {}));
  check_open_fails(scratch.path("flows"), scratch.path("flows") + ": holds flows, wanted jobs");
  check_open_fails(scratch.path("missing"), scratch.path("missing") + ": No such file or directory");
  check_open_fails(scratch.path(), "not a regular file");
}

TEST_CASE("a place that cannot be written is an error at once") {
  const Scratch scratch;
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordWriter::open(file_endpoint(scratch.path("no/jobs")), job_stream())),
                       doctest::Contains("No such file or directory"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(RecordWriter::open(file_endpoint("/dev/full"), job_stream())),
                       "cannot write /dev/full: No space left on device", Error);
}

TEST_CASE("a file that cannot grow fails by name, takes no more records, and does not finish") {
  const Scratch scratch;
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit limited = before;
  limited.rlim_cur = 100'000;
  setrlimit(RLIMIT_FSIZE, &limited);
  auto writer = RecordWriter::open(file_endpoint(scratch.path("jobs")), job_stream());
  std::uint64_t records = 0;
  while (records < 10'000 && write_numbered(writer, records, 1024))
    ++records;
  const auto room = writer.wait_for_room(1024, go_on);
  const bool finished = writer.finish(EndCause::complete, go_on);
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(records == 1023); // what one buffer takes
  CHECK(room == Room::failed);
  CHECK_FALSE(finished);
  CHECK(writer.failure() == "cannot write " + scratch.path("jobs") + ": File too large");
}

TEST_CASE("endpoints are read and printed, and what is none is explained") {
  CHECK(Endpoint::parse("ring:a.b-c_9").kind == Endpoint::Kind::ring);
  CHECK(Endpoint::parse("ring:a").segment_name() == "orbweaver.a");
  CHECK(Endpoint::parse("file:/tmp/x:y").name == "/tmp/x:y");
  CHECK(Endpoint::parse("file:x").text() == "file:x");
  CHECK_NOTHROW(Endpoint::parse("ring:" + std::string(96, 'x')));
  for (const auto& text : {std::string("ring:"), std::string("ring:a/b"), std::string("file:"), std::string("x"),
                           std::string(), "ring:" + std::string(97, 'x')})
    CHECK_THROWS_AS(Endpoint::parse(text), UsageError);
}
