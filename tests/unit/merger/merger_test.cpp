// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/merger.hpp"

#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"
#include "tests/unit/merger/flow_stream.hpp"

#include <chrono>
#include <ctime>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const std::atomic<bool> go_on{false};

struct Outcome {
  bool complete;
  std::string text; ///< of the output
  std::vector<std::string> problems;
  std::vector<std::string> warnings;
  std::vector<std::uint64_t> counters;
  Digest digest;

  [[nodiscard]] std::uint64_t counter(std::size_t place) const { return counters[place]; }
};

/// Merges streams into a file, or into `output` where one is given.
Outcome merge(const std::vector<std::string>& endpoints, const std::atomic<bool>& stop = go_on,
              const std::string& output = {}) {
  const Scratch scratch;
  const auto path = output.empty() ? scratch.path("out.ndjson") : output;
  std::vector<RecordReader> streams;
  for (const auto& endpoint : endpoints)
    streams.push_back(RecordReader::open(Endpoint::parse(endpoint), StreamKind::flows));
  Output sink(path);
  Outcome outcome{};
  Merger merger(std::move(streams), sink, true, [&](auto counters, std::uint64_t now_ns) {
    CHECK(now_ns > 0);
    outcome.counters.assign(counters.begin(), counters.end());
  });
  outcome.complete = merger.run(stop);
  outcome.problems = merger.problems();
  outcome.warnings = merger.warnings();
  outcome.digest = merger.digest();
  if (output.empty())
    outcome.text = read_file(path);
  CHECK(outcome.counter(MergerCounter::flows_received) ==
        outcome.counter(MergerCounter::flows_written) + outcome.counter(MergerCounter::flows_dropped));
  return outcome;
}

std::string numbers(std::uint64_t from, std::uint64_t to) {
  std::string text;
  for (auto number = from; number < to; ++number)
    text += "{\"n\":" + std::to_string(number) + "}\n";
  return text;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A ring of flows with one u64, of a name that no other test has.
class NumberRing {
public:
  explicit NumberRing(const std::string& name)
      : endpoint_(Endpoint::parse("ring:unit-merger-" + std::to_string(getpid()) + "-" + name)),
        writer_(RecordWriter::open(endpoint_, table_.header(), EndpointOptions{.ring_bytes = 1 << 16})) {}

  [[nodiscard]] std::string endpoint() const { return endpoint_.text(); }
  void write(std::uint64_t number) {
    auto record = table_.record();
    table_.set(record, 0, number);
    while (!writer_.write(record.data(), table_.header().record_bytes, RecordKind::flow))
      if (writer_.wait_for_room(table_.header().record_bytes, go_on) != Room::available)
        return;
  }
  void publish() { writer_.publish(); }
  void finish(EndCause cause = EndCause::complete) { writer_.finish(cause, go_on); }

private:
  Table table_ = Table().add("n", FieldType::u64);
  Endpoint endpoint_;
  RecordWriter writer_;
};

/// A file of flows with one u64 among which is a record of another kind or length.
void write_with_odd_record(const std::string& path, std::uint32_t length, RecordKind kind) {
  const auto table = Table().add("n", FieldType::u64);
  auto writer = RecordWriter::open({Endpoint::Kind::file, path}, table.header());
  auto record = table.record();
  const Record odd(64);
  for (std::uint64_t number = 0; number < 3; ++number) {
    table.set(record, 0, number);
    writer.write(record.data(), table.header().record_bytes, RecordKind::flow);
  }
  writer.write(odd.data(), length, kind);
  table.set(record, 0, std::uint64_t{3});
  writer.write(record.data(), table.header().record_bytes, RecordKind::flow);
  writer.finish(EndCause::complete, go_on);
}

} // namespace

TEST_CASE("every flow of a recorded stream is a line, and the ledger balances") {
  const Scratch scratch;
  write_numbers(scratch.path("a"), 0, 100'000);
  const auto outcome = merge({"file:" + scratch.path("a")});
  CHECK(outcome.complete);
  CHECK(outcome.problems.empty());
  CHECK((outcome.text == numbers(0, 100'000)));
  CHECK(outcome.counter(MergerCounter::flows_received) == 100'000);
  CHECK(outcome.counter(MergerCounter::flows_written) == 100'000);
  CHECK(outcome.counter(MergerCounter::flows_dropped) == 0);
  CHECK(outcome.counter(MergerCounter::octets_written) == outcome.text.size());
  CHECK(outcome.counter(MergerCounter::digest_low) == outcome.digest.low);
  CHECK(outcome.counter(MergerCounter::digest_high) == outcome.digest.high);
}

TEST_CASE("several streams give every flow once, each by its own table, and the digest of one stream with all") {
  const Scratch scratch;
  write_numbers(scratch.path("a"), 0, 1000);
  write_numbers(scratch.path("b"), 1000, 1001);
  write_numbers(scratch.path("c"), 1001, 5000);
  write_numbers(scratch.path("all"), 0, 5000);
  const auto parts = merge({"file:" + scratch.path("a"), "file:" + scratch.path("b"), "file:" + scratch.path("c")});
  const auto all = merge({"file:" + scratch.path("all")});
  CHECK(parts.complete);
  CHECK(parts.text.size() == all.text.size());
  CHECK(parts.digest == all.digest);
  CHECK(parts.counter(MergerCounter::flows_written) == 5000);

  const auto other = Table().add("x", FieldType::boolean);
  auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("x")}, other.header());
  const auto record = other.record();
  writer.write(record.data(), other.header().record_bytes, RecordKind::flow);
  writer.finish(EndCause::complete, go_on);
  const auto mixed = merge({"file:" + scratch.path("x"), "file:" + scratch.path("b")});
  CHECK(mixed.text == "{\"x\":false}\n{\"n\":1000}\n");
}

TEST_CASE("a stream without flows gives an empty file") {
  const Scratch scratch;
  write_numbers(scratch.path("a"), 0, 0);
  const auto outcome = merge({"file:" + scratch.path("a")});
  CHECK(outcome.complete);
  CHECK(outcome.text.empty());
  CHECK(outcome.digest == Digest{});
}

TEST_CASE("an upstream that failed or was interrupted is no failure of the merger") {
  for (const auto cause : {EndCause::failed, EndCause::interrupted}) {
    const Scratch scratch;
    const auto table = Table().add("n", FieldType::u64);
    auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("a")}, table.header());
    writer.finish(cause, go_on);
    const auto outcome = merge({"file:" + scratch.path("a")});
    CHECK(outcome.complete);
    CHECK(outcome.warnings.size() == (cause == EndCause::failed ? 1 : 0));
  }
}

TEST_CASE("a stream cut off at any octet of its records gives the flows before, is named, and others go on") {
  const Scratch scratch;
  write_numbers(scratch.path("a"), 0, 4);
  write_numbers(scratch.path("whole"), 100, 200);
  const auto whole = read_file(scratch.path("a"));
  constexpr std::size_t record = 16;
  REQUIRE(whole.size() == first_record + 5 * record);
  for (auto size = first_record; size < whole.size(); ++size) {
    write_file(scratch.path("cut"), whole.substr(0, size));
    const auto outcome = merge({"file:" + scratch.path("cut"), "file:" + scratch.path("whole")});
    const auto flows = (size - first_record) / record;
    CHECK_FALSE(outcome.complete);
    REQUIRE(outcome.problems.size() == 1);
    CHECK(contains(outcome.problems[0], scratch.path("cut")));
    CHECK(contains(outcome.problems[0], "damaged at offset " + std::to_string(first_record + flows * record)));
    CHECK(contains(outcome.problems[0], std::to_string(flows) + " flows until there"));
    CHECK(outcome.text == numbers(0, flows) + numbers(100, 200));
  }
}

TEST_CASE("a flow whose length is not the table's ends its stream at that offset") {
  for (const std::uint32_t length : {8U, 15U, 17U, 64U}) {
    const Scratch scratch;
    write_with_odd_record(scratch.path("a"), length, RecordKind::flow);
    const auto outcome = merge({"file:" + scratch.path("a")});
    CHECK_FALSE(outcome.complete);
    CHECK(outcome.text == numbers(0, 3));
    REQUIRE(outcome.problems.size() == 1);
    CHECK(contains(outcome.problems[0],
                   scratch.path("a") + ": damaged at offset " + std::to_string(first_record + 3 * 16)));
    CHECK(contains(outcome.problems[0], "a flow of " + std::to_string(length) + " octets"));
  }
}

TEST_CASE("ticks and losses among flows are passed over; packets, jobs and short ends are damage") {
  const Scratch scratch;
  for (const auto kind : {RecordKind::tick, RecordKind::loss}) {
    write_with_odd_record(scratch.path("a"), 16, kind);
    const auto outcome = merge({"file:" + scratch.path("a")});
    CHECK(outcome.complete);
    CHECK(outcome.text == numbers(0, 4));
  }
  for (const auto kind : {RecordKind::packet, RecordKind::job, static_cast<RecordKind>(999)}) {
    write_with_odd_record(scratch.path("a"), 16, kind);
    const auto outcome = merge({"file:" + scratch.path("a")});
    CHECK_FALSE(outcome.complete);
    CHECK(outcome.text == numbers(0, 3));
  }
  write_with_odd_record(scratch.path("a"), 8, RecordKind::end);
  CHECK_FALSE(merge({"file:" + scratch.path("a")}).complete);
}

TEST_CASE("a full disk ends the merger with every flow accounted for") {
  const Scratch scratch;
  write_numbers(scratch.path("a"), 0, 100'000);
  const auto outcome = merge({"file:" + scratch.path("a")}, go_on, "/dev/full");
  CHECK_FALSE(outcome.complete);
  REQUIRE(outcome.problems.size() == 1);
  CHECK(outcome.problems[0] == "cannot write /dev/full: No space left on device; 0 flows written");
  CHECK(outcome.counter(MergerCounter::flows_written) == 0);
  CHECK(outcome.counter(MergerCounter::flows_dropped) > 0);
}

TEST_CASE("rings that are written at the same time, one of them quiet for long, give every flow") {
  NumberRing a("a"), b("b"), c("c");
  const auto write = [](NumberRing& ring, std::uint64_t from, std::uint64_t to, int quiet_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(quiet_ms));
    for (auto number = from; number < to; ++number)
      ring.write(number);
    ring.finish();
  };
  std::thread first(write, std::ref(a), 0, 100'000, 0);
  std::thread second(write, std::ref(b), 100'000, 200'000, 0);
  std::thread quiet(write, std::ref(c), 200'000, 200'010, 300);
  const auto outcome = merge({a.endpoint(), b.endpoint(), c.endpoint()});
  first.join();
  second.join();
  quiet.join();
  CHECK(outcome.complete);
  const Scratch scratch;
  write_numbers(scratch.path("all"), 0, 200'010);
  CHECK(outcome.digest == merge({"file:" + scratch.path("all")}).digest);
}

TEST_CASE("a producer that dies is named, and the flows until there are written") {
  const auto name = "ring:unit-merger-" + std::to_string(getpid()) + "-dies";
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto table = Table().add("n", FieldType::u64);
    auto writer = RecordWriter::open(Endpoint::parse(name), table.header());
    auto record = table.record();
    for (std::uint64_t number = 0; number < 10; ++number) {
      table.set(record, 0, number);
      writer.write(record.data(), table.header().record_bytes, RecordKind::flow);
    }
    writer.publish();
    _exit(0); // no destructor runs: as if it were killed
  }
  REQUIRE(waitpid(child, nullptr, 0) == child);
  const auto outcome = merge({name});
  CHECK_FALSE(outcome.complete);
  CHECK(outcome.text == numbers(0, 10));
  REQUIRE(outcome.problems.size() == 1);
  CHECK(contains(outcome.problems[0], name + ": cut off"));
}

TEST_CASE("asked to stop, the merger writes what is there and waits for nothing more") {
  NumberRing a("stop-a"), b("stop-b");
  for (std::uint64_t number = 0; number < 100; ++number)
    a.write(number);
  a.publish();
  const std::atomic<bool> stop{true};
  const auto outcome = merge({a.endpoint(), b.endpoint()}, stop);
  CHECK(outcome.complete);
  CHECK(outcome.text == numbers(0, 100));
}

TEST_CASE("a flow reaches a reader soon though the ring stays open, and waiting costs little") {
  const Scratch scratch;
  const auto path = scratch.path("fifo");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  NumberRing a("soon-a"), b("soon-b");
  std::atomic<bool> stop{false};
  double cpu_s = 0;
  std::thread merging([&] {
    merge({a.endpoint(), b.endpoint()}, stop, path);
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    cpu_s = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  b.write(7);
  b.publish();
  pollfd ready{reader, POLLIN, 0};
  CHECK(poll(&ready, 1, 1000) == 1);
  char text[32];
  CHECK(read(reader, text, sizeof text) == 8);
  stop.store(true);
  merging.join();
  close(reader);
  CHECK(cpu_s < 0.15);
}

TEST_CASE("counters are published about each 100 ms while nothing comes") {
  NumberRing a("beat");
  const Scratch scratch;
  std::vector<RecordReader> streams;
  streams.push_back(RecordReader::open(Endpoint::parse(a.endpoint()), StreamKind::flows));
  Output output(scratch.path("out"));
  std::atomic<int> beats{0};
  std::atomic<bool> stop{false};
  Merger merger(std::move(streams), output, false, [&](auto, std::uint64_t) { ++beats; });
  std::thread merging([&] { merger.run(stop); });
  std::this_thread::sleep_for(std::chrono::milliseconds(550));
  const int counted = beats;
  stop.store(true);
  merging.join();
  CHECK(counted >= 3);
  CHECK(counted <= 7);
}
