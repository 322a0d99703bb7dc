// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/merger.hpp"

#include "common/error.hpp"
#include "common/stream/record_reader.hpp"
#include "merger/sinks/make_sink.hpp"
#include "merger/sinks/output.hpp"
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

/// Merges streams into a file of NDJSON, or into `output` where one is given.
Outcome merge(const std::vector<std::string>& endpoints, const std::atomic<bool>& stop = go_on,
              const std::string& output = {}) {
  const Scratch scratch;
  const auto path = output.empty() ? scratch.path("out.ndjson") : output;
  std::vector<RecordReader> streams;
  for (const auto& endpoint : endpoints)
    streams.push_back(RecordReader::open(Endpoint::parse(endpoint), StreamKind::flows));
  const auto sink = make_sink(parse_output(path, {}));
  Outcome outcome{};
  Merger merger(std::move(streams), *sink, true, [&](auto counters, std::uint64_t now_ns) {
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
  CHECK(outcome.counter(MergerCounter::events_received) ==
        outcome.counter(MergerCounter::events_written) + outcome.counter(MergerCounter::events_dropped));
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
        writer_(RecordWriter::open(endpoint_, number_table().stream(), EndpointOptions{.ring_bytes = 1 << 16})) {}

  [[nodiscard]] std::string endpoint() const { return endpoint_.text(); }
  void write(std::uint64_t number) { write_row(writer_, number_record(number)); }
  void publish() { writer_.publish(); }
  void finish(EndCause cause = EndCause::complete) { writer_.finish(cause, go_on); }

private:
  Endpoint endpoint_;
  RecordWriter writer_;
};

/// A file of flows with one u64 among which is a record of another kind, length or table.
void write_with_odd_record(const std::string& path, std::uint32_t length, RecordKind kind, std::uint16_t table = 0) {
  auto writer = RecordWriter::open({Endpoint::Kind::file, path}, number_table().stream());
  for (std::uint64_t number = 0; number < 3; ++number)
    write_row(writer, number_record(number));
  std::byte* const place = writer.claim(length);
  std::memset(place, 0, length);
  writer.commit(place, length, kind, table);
  write_row(writer, number_record(3));
  writer.finish(EndCause::complete, go_on);
}

const std::size_t first_number = first_record(number_table().stream());

/// A table of flows with a text, and one of events with a text and a number.
const Table named_flows = Table().add<std::uint16_t>("port").add<Text>("name");
const Table dns_events = Table::events("dns").add<Text>("query").add<Nullable<std::uint8_t>>("rcode");

Record named_flow(std::uint16_t port, std::string_view name) {
  auto record = named_flows.record();
  named_flows.set(record, 0, port);
  named_flows.set_tail(record, 1, octets_of(name));
  return record;
}

Record dns_event(std::string_view query) {
  auto record = dns_events.record();
  dns_events.set(record, 1, Nullable<std::uint8_t>());
  dns_events.set_tail(record, 0, octets_of(query));
  return record;
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

  const auto other = Table().add<bool>("x");
  auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("x")}, other.stream());
  write_row(writer, other.record());
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
    auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("a")}, number_table().stream());
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
  const std::size_t record = number_table().octets();
  REQUIRE(whole.size() == first_number + 4 * record + sizeof(EndRecord));
  for (auto size = first_number; size < whole.size(); ++size) {
    write_file(scratch.path("cut"), whole.substr(0, size));
    const auto outcome = merge({"file:" + scratch.path("cut"), "file:" + scratch.path("whole")});
    const auto flows = (size - first_number) / record;
    CHECK_FALSE(outcome.complete);
    REQUIRE(outcome.problems.size() == 1);
    CHECK(contains(outcome.problems[0], scratch.path("cut")));
    CHECK(contains(outcome.problems[0], "damaged at offset " + std::to_string(first_number + flows * record)));
    CHECK(contains(outcome.problems[0], std::to_string(flows) + " flows until there"));
    CHECK(outcome.text == numbers(0, flows) + numbers(100, 200));
  }
}

TEST_CASE("a row whose length is not its table's ends its stream at that offset") {
  for (const std::uint32_t length : {8U, 15U, 87U, 89U, 256U}) {
    const Scratch scratch;
    write_with_odd_record(scratch.path("a"), length, RecordKind::row);
    const auto outcome = merge({"file:" + scratch.path("a")});
    CHECK_FALSE(outcome.complete);
    CHECK(outcome.text == numbers(0, 3));
    REQUIRE(outcome.problems.size() == 1);
    CHECK(contains(outcome.problems[0],
                   scratch.path("a") + ": damaged at offset " + std::to_string(first_number + 3 * 88)));
    CHECK(contains(outcome.problems[0],
                   "a row of " + std::to_string(length) + " octets, its table 'flows' says 88; 3 flows until there"));
  }
}

TEST_CASE("a row of a table that its stream does not have ends it") {
  const Scratch scratch;
  write_with_odd_record(scratch.path("a"), 88, RecordKind::row, 1);
  const auto outcome = merge({"file:" + scratch.path("a")});
  CHECK(outcome.text == numbers(0, 3));
  REQUIRE(outcome.problems.size() == 1);
  CHECK(contains(outcome.problems[0], "a row of table 1, its stream has 1"));
}

TEST_CASE(
    "flows and events go to one file of NDJSON, or to a file each of CSV, are counted apart, and have one digest") {
  const Scratch scratch;
  {
    auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("in")}, named_flows.stream({dns_events}));
    write_row(writer, dns_event("a.example"), 1);
    write_row(writer, named_flow(80, "x,y"));
    write_row(writer, dns_event("b.example"), 1);
    writer.finish(EndCause::complete, go_on);
  }
  const auto ndjson = merge({"file:" + scratch.path("in")});
  CHECK(ndjson.complete);
  CHECK(ndjson.text == "{\"event\":\"dns\",\"query\":\"a.example\",\"rcode\":null}\n"
                       "{\"port\":80,\"name\":\"x,y\"}\n"
                       "{\"event\":\"dns\",\"query\":\"b.example\",\"rcode\":null}\n");
  CHECK(ndjson.counter(MergerCounter::flows_written) == 1);
  CHECK(ndjson.counter(MergerCounter::events_received) == 2);
  CHECK(ndjson.counter(MergerCounter::events_written) == 2);
  CHECK(ndjson.counter(MergerCounter::octets_written) == ndjson.text.size());

  const auto csv = merge({"file:" + scratch.path("in")}, go_on, scratch.path("out.csv"));
  CHECK(csv.complete);
  const auto flows = read_file(scratch.path("out.csv")), events = read_file(scratch.path("out.dns.csv"));
  CHECK(flows == "port,name\r\n80,\"x,y\"\r\n");
  CHECK(events == "query,rcode\r\na.example,\r\nb.example,\r\n");
  CHECK(csv.counter(MergerCounter::flows_written) == 1);
  CHECK(csv.counter(MergerCounter::events_written) == 2);
  CHECK(csv.counter(MergerCounter::octets_written) == flows.size() + events.size());
  CHECK(csv.digest == ndjson.digest);
}

TEST_CASE("a row whose text lies outside of it ends its stream, with what came before written") {
  const Scratch scratch;
  {
    auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("in")}, named_flows.stream());
    write_row(writer, named_flow(1, "good"));
    auto record = named_flow(2, "bad");
    named_flows.set(record, 1, TailRef{named_flows.octets(), 4});
    write_row(writer, record);
    write_row(writer, named_flow(3, "never read"));
    writer.finish(EndCause::complete, go_on);
  }
  const auto outcome = merge({"file:" + scratch.path("in")});
  CHECK_FALSE(outcome.complete);
  CHECK(outcome.text == "{\"port\":1,\"name\":\"good\"}\n");
  REQUIRE(outcome.problems.size() == 1);
  CHECK(contains(outcome.problems[0], "damaged at offset "));
  CHECK(contains(outcome.problems[0],
                 "a row of table 'flows' whose field 'name' lies outside: 4 octets from 90, the row has 93"));
}

TEST_CASE("a row longer than the output's buffer prints whole") {
  const Scratch scratch;
  const std::string name(3 * Output::buffer_bytes, '\x01');
  {
    auto writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("in")}, named_flows.stream());
    REQUIRE(writer.max_record_bytes() > 1000);
    const std::string part = name.substr(0, writer.max_record_bytes() - named_flows.octets() - 8);
    write_row(writer, named_flow(1, part));
    write_row(writer, named_flow(2, "short"));
    writer.finish(EndCause::complete, go_on);
    std::string escaped;
    for (std::size_t i = 0; i < part.size(); ++i)
      escaped += "\\u0001";
    const auto outcome = merge({"file:" + scratch.path("in")});
    CHECK(outcome.complete);
    CHECK((outcome.text == "{\"port\":1,\"name\":\"" + escaped + "\"}\n{\"port\":2,\"name\":\"short\"}\n"));
    CHECK(outcome.counter(MergerCounter::flows_written) == 2);
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
    auto writer = RecordWriter::open(Endpoint::parse(name), number_table().stream());
    for (std::uint64_t number = 0; number < 10; ++number)
      write_row(writer, number_record(number));
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
  const auto sink = make_sink({"ndjson", scratch.path("out")});
  std::atomic<int> beats{0};
  std::atomic<bool> stop{false};
  Merger merger(std::move(streams), *sink, false, [&](auto, std::uint64_t) { ++beats; });
  std::thread merging([&] { merger.run(stop); });
  std::this_thread::sleep_for(std::chrono::milliseconds(550));
  const int counted = beats;
  stop.store(true);
  merging.join();
  CHECK(counted >= 3);
  CHECK(counted <= 7);
}
