// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/measure/measurement.hpp"

#include "common/error.hpp"
#include "common/stream/record_writer.hpp"
#include "common/tcp.hpp"
#include "merger/conditions/library.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"
#include "tests/unit/merger/flow_stream.hpp"
#include "tests/unit/merger/join/join_support.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <simdjson.h>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const OutputPolicy growing{.appears = Appears::growing};

const std::atomic<bool> go_on{false};

/// What chains would add to a flow, as far as these tests look at it.
struct States {
  Nullable<std::uint8_t> syn_flags[2]; // [fwd, rev]
  std::uint8_t connected = 0;
  std::uint8_t ce_rev = 0;
  Nullable<std::uint8_t> others[32]; // of all else that a combiner reads
};

FieldDescription field(const std::string& name, FieldType type, std::size_t offset, const std::string& mirror = {}) {
  FieldDescription field;
  field.name = name;
  field.type = type;
  field.offset = static_cast<std::uint32_t>(offset);
  field.mirror = mirror;
  return field;
}

/// A stream of flows with those fields, and each other one that a combiner of the library reads.
StreamDescription flow_stream() {
  constexpr auto number = code_of<Nullable<std::uint8_t>>;
  constexpr auto states = sizeof(FlowRecord);
  TableDescription table;
  table.name = "flows";
  table.record_octets = sizeof(FlowRecord) + sizeof(States);
  table.fields = {
      field("pkt_first", code_of<TimeNs>, offsetof(FlowRecord, first_ns)),
      field("ring_drops", code_of<std::uint64_t>, offsetof(FlowRecord, ring_drops)),
      field("sip", code_of<Address>, offsetof(FlowRecord, source), "dip"),
      field("dip", code_of<Address>, offsetof(FlowRecord, destination), "sip"),
      field("sp", code_of<Nullable<std::uint16_t>>, offsetof(FlowRecord, source_port), "dp"),
      field("dp", code_of<Nullable<std::uint16_t>>, offsetof(FlowRecord, destination_port), "sp"),
      field("tcp_synflags_fwd", number, states + offsetof(States, syn_flags), "tcp_synflags_rev"),
      field("tcp_synflags_rev", number, states + offsetof(States, syn_flags) + 2, "tcp_synflags_fwd"),
      field("tcp_connected", code_of<bool>, states + offsetof(States, connected)),
      field("ecn_ce_data_rev", code_of<bool>, states + offsetof(States, ce_rev)),
  };
  auto offset = states + offsetof(States, others);
  for (const auto* combiner : library_combiners)
    for (const auto& use : combiner->fields)
      if (!table.find(use.name)) {
        table.fields.push_back(field(std::string(use.name), number, offset));
        offset += sizeof(Nullable<std::uint8_t>);
      }
  REQUIRE(offset <= table.record_octets);
  auto stream = stream_of(StreamKind::flows);
  stream.tables.push_back(table);
  return stream;
}

/// A stream of jobs of that plugin.
StreamDescription job_stream(const std::string& plugin, std::uint32_t connections) {
  auto stream = stream_of(StreamKind::jobs);
  stream.plugin.name = plugin;
  stream.plugin.version = "1.2";
  stream.plugin.connect = "http";
  stream.plugin.connections = connections;
  return stream;
}

/// A recorded flow stream that is being made.
class FlowFile {
public:
  explicit FlowFile(const std::string& path)
      : writer_(RecordWriter::open({Endpoint::Kind::file, path}, flow_stream())) {}
  FlowFile& tick(double second) {
    const TickRecord record{{}, at_ns(second) / 1'000'000'000};
    writer_.write(&record, sizeof record, RecordKind::tick);
    return *this;
  }
  FlowFile& lost(double from, double to) {
    const LossRecord record{{}, 1, at_ns(from), at_ns(to)};
    writer_.write(&record, sizeof record, RecordKind::loss);
    return *this;
  }
  FlowFile& flow(const FlowRecord& flow, const States& states = {}) {
    std::byte record[sizeof flow + sizeof states];
    std::memcpy(record, &flow, sizeof flow);
    std::memcpy(record + sizeof flow, &states, sizeof states);
    writer_.write(record, sizeof record, RecordKind::row);
    return *this;
  }
  void finish(EndCause cause = EndCause::complete) { writer_.finish(cause, go_on); }

private:
  RecordWriter writer_;
};

/// A recorded job stream that is being made.
class JobFile {
public:
  JobFile(const std::string& path, const StreamDescription& stream)
      : writer_(RecordWriter::open({Endpoint::Kind::file, path}, stream)) {}
  JobFile& job(std::uint64_t id, std::uint32_t connections, const std::string& members) {
    const JobRecord record{{}, id, connections, static_cast<std::uint32_t>(members.size())};
    return write(record, members, RecordKind::job);
  }
  JobFile& connection(std::uint64_t id, std::uint16_t config, ConnectionRecord record,
                      const std::string& members = {}) {
    record.job_id = id;
    record.config = config;
    record.members_octets = static_cast<std::uint32_t>(members.size());
    return write(record, members, RecordKind::connection);
  }
  template <typename Record>
  JobFile& write(const Record& record, const std::string& text, RecordKind kind) {
    std::string octets(reinterpret_cast<const char*>(&record), sizeof record);
    octets += text;
    writer_.write(octets.data(), static_cast<std::uint32_t>(octets.size()), kind);
    return *this;
  }
  void finish(EndCause cause = EndCause::complete) { writer_.finish(cause, go_on); }

private:
  RecordWriter writer_;
};

struct Outcome {
  bool complete = false;
  std::vector<std::string> lines;
  std::vector<std::string> problems, warnings;
  std::vector<std::uint64_t> counters;
  [[nodiscard]] std::uint64_t counter(std::size_t place) const { return counters[place]; }
};

/// A folder with the streams of a measurement.
class Bench {
public:
  explicit Bench(const std::string& plugin = "ecn")
      : jobs_stream(job_stream(plugin, find_combiner(plugin).min_flows)) {}

  StreamDescription jobs_stream;
  Scratch scratch;
  JobFile jobs{scratch.path("jobs"), jobs_stream};
  FlowFile flows{scratch.path("flows")};
  MeasurementOptions options;

  /// Ends both streams and measures.
  Outcome run() {
    jobs.finish();
    flows.finish();
    return run_as_it_is();
  }

  Outcome run_as_it_is(const std::string& out = {}) {
    const auto path = out.empty() ? scratch.path("out") : out;
    Outcome outcome;
    {
      std::vector<RecordReader> streams;
      streams.push_back(RecordReader::open({Endpoint::Kind::file, scratch.path("flows")}, StreamKind::flows));
      Output output(path, "jobs", growing);
      auto jobs_reader = RecordReader::open({Endpoint::Kind::file, scratch.path("jobs")}, StreamKind::jobs);
      const auto combiner = combiner_of(jobs_reader.stream(), jobs_reader.name(), {});
      Measurement measurement(
          std::move(jobs_reader), std::move(streams), output, combiner, options,
          [&](auto counters, std::uint64_t) { outcome.counters.assign(counters.begin(), counters.end()); },
          [&](const std::string& warning) { outcome.warnings.push_back(warning); });
      outcome.complete = measurement.run(go_on);
      outcome.problems = measurement.problems();
    }
    if (out.empty())
      split(read_file(path), outcome.lines);
    check_ledger(outcome);
    return outcome;
  }

private:
  /// Every line must be JSON, and end.
  static void split(const std::string& text, std::vector<std::string>& lines) {
    simdjson::dom::parser parser;
    for (std::size_t begin = 0; begin < text.size();) {
      const auto end = text.find('\n', begin);
      REQUIRE(end != std::string::npos);
      lines.push_back(text.substr(begin, end - begin));
      CHECK_MESSAGE(parser.parse(lines.back()).error() == simdjson::SUCCESS, lines.back());
      begin = end + 1;
    }
  }

  static void check_ledger(const Outcome& outcome) {
    namespace M = MergerCounter;
    const auto c = [&](std::size_t place) { return outcome.counter(place); };
    CHECK(c(M::jobs_received) == c(M::jobs_written) + c(M::jobs_dropped));
    CHECK(c(M::connections_received) == c(M::connections_joined) + c(M::missed_never_seen) + c(M::missed_ring_drop) +
                                            c(M::missed_expired) + c(M::missed_no_port) + c(M::missed_not_sent));
    CHECK(c(M::flows_received) == c(M::flows_joined) + c(M::flows_unclaimed));
    CHECK(c(M::flows_waiting) + c(M::connections_waiting) + c(M::jobs_waiting) == 0);
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

States connected_with(std::uint8_t syn_flags) {
  States states;
  states.syn_flags[0].set(syn_flags);
  states.syn_flags[1].set(TCP_SAE);
  states.connected = 1;
  return states;
}

/// Without ECN, and asking for it.
const States good = connected_with(TCP_SYN), asking = connected_with(TCP_SEC);

} // namespace

TEST_CASE("a job with all its flows is one line: its members, time, conditions") {
  Bench bench;
  bench.jobs.job(1, 2, R"("dip":"192.0.2.1","dp":80,"rank": 1.50)")
      .connection(1, 0, connection(40000, 1, 2))
      .connection(1, 1, connection(40001, 3.5, 4.25));
  bench.flows.tick(10).flow(flow(40000, 1, 2), good).flow(flow(40001, 3.5, 4), asking).tick(20);
  const auto outcome = bench.run();
  CHECK(outcome.complete);
  REQUIRE(outcome.lines.size() == 1);
  CHECK(outcome.lines[0] ==
        R"({"dip":"192.0.2.1","dp":80,"rank":1.50,)"
        R"("time":{"from":"2020-09-13 12:26:41.000000","to":"2020-09-13 12:26:44.250000"},)"
        R"("conditions":["ecn.connectivity.works","ecn.negotiation.succeeded","ecn.ipmark.ect0.not_seen",)"
        R"("ecn.ipmark.ect1.not_seen","ecn.ipmark.ce.not_seen"]})");
  CHECK(outcome.counter(MergerCounter::connections_joined) == 2);
  CHECK(outcome.counter(MergerCounter::jobs_unfinished) == 0);
  CHECK(outcome.warnings.empty());
}

TEST_CASE("with output-flows: one record per configuration, in order, the connection's members on top") {
  Bench bench;
  bench.options.output_flows = true;
  auto refused = connection(40001, 3, 4);
  refused.state = ConnectionState::failed;
  bench.jobs.job(1, 2, R"("dip":"192.0.2.1")")
      .connection(1, 1, refused, R"("_secret":1,"http_response_code":200)")
      .connection(1, 0, connection(40000, 1, 2), R"("tcp_connected":"mine","config":9)");
  bench.flows.tick(10).flow(flow(40000, 1, 2), good).tick(500);
  const auto outcome = bench.run();
  REQUIRE(outcome.lines.size() == 1);
  const auto& line = outcome.lines[0];
  CHECK(contains(line, R"("conditions":["pathspider.not_observed","pathspider.missed_flows:1"],)"
                       R"("missed_flows":1,"flow_results":[{)"));
  CHECK(contains(line, R"([{"pkt_first":1600000001.0,"ring_drops":0,"sip":"198.51.100.7","dp":80,)"
                       R"("tcp_synflags_fwd":2,"tcp_synflags_rev":82,"ecn_ce_data_rev":false,)"));
  CHECK(contains(line, R"(,"sp":40000,"spdr_state":0,)"
                       R"("spdr_start":"2020-09-13 12:26:41.000000","spdr_stop":"2020-09-13 12:26:42.000000",)"
                       R"("config":0,"dip":"192.0.2.1","jobId":1,"observed":true,"tcp_connected":"mine"})"));
  CHECK(contains(line, R"(,{"sp":40001,"spdr_state":1,"spdr_start":"2020-09-13 12:26:43.000000",)"
                       R"("spdr_stop":"2020-09-13 12:26:44.000000","config":1,"dip":"192.0.2.1","jobId":1,)"
                       R"("observed":false,"missed_cause":"never_seen","http_response_code":200}]})"));
  REQUIRE(outcome.warnings.size() == 1);
  CHECK(contains(outcome.warnings[0], "\"tcp_connected\" is true, its connection \"mine\""));
}

TEST_CASE("a key with different values is warned of once") {
  Bench bench("mss");
  bench.options.output_flows = true;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto port = static_cast<std::int32_t>(40000 + id);
    bench.jobs.job(id, 1, R"("a":1)").connection(id, 0, connection(port, 1, 2), R"("dp":"mine")");
    bench.flows.flow(flow(port, 1, 2), good);
  }
  const auto outcome = bench.run();
  CHECK(outcome.lines.size() == 3);
  REQUIRE(outcome.warnings.size() == 1);
  CHECK(contains(outcome.lines[0], R"("dp":"mine")"));
}

TEST_CASE("a flow that begins with the answer is shown from our end, with the doubt that it brings") {
  Bench bench("mss");
  bench.options.output_flows = true;
  bench.jobs.job(1, 1, R"("a":1)").connection(1, 0, connection(40001, 1, 2));
  bench.flows.flow(turned(flow(40001, 1, 2)), asking);
  const auto outcome = bench.run();
  CHECK(outcome.warnings.empty());
  REQUIRE(outcome.lines.size() == 1);
  CHECK(contains(outcome.lines[0], R"("ring_drops":1,)"));
  CHECK(contains(outcome.lines[0], R"("sip":"198.51.100.7","dp":80,)"));
  CHECK(contains(outcome.lines[0], R"("sp":40001,)"));
  CHECK(contains(outcome.lines[0], R"("dip":"192.0.2.1",)"));
  CHECK(contains(outcome.lines[0], R"("tcp_synflags_fwd":82,)")); // the field _rev of the flow as it was seen
}

TEST_CASE("where a connection was never tried, nothing is said of the path") {
  Bench bench;
  auto record = connection(-1, 1, 2);
  record.state = ConnectionState::skipped;
  bench.jobs.job(1, 2, "\"n\":1").connection(1, 0, connection(40000, 1, 2)).connection(1, 1, record);
  bench.flows.flow(flow(40000, 1, 2), good);
  CHECK(contains(bench.run().lines[0], R"("conditions":["pathspider.not_observed","pathspider.missed_flows:1"]})"));
}

TEST_CASE("missed_cause says why: no port, a ring's loss, or nothing seen") {
  Bench bench("mss");
  bench.options.output_flows = true;
  bench.jobs.job(1, 1, R"("n":1)").job(2, 1, R"("n":2)").job(3, 1, R"("n":3)");
  bench.jobs.connection(1, 0, connection(-1, 1, 2));
  bench.jobs.connection(2, 0, connection(40002, 11, 12));
  bench.jobs.connection(3, 0, connection(40003, 30, 31));
  bench.flows.tick(12).lost(11.5, 12.5).tick(13).tick(200);
  const auto outcome = bench.run();
  REQUIRE(outcome.lines.size() == 3);
  const auto cause = [&](int job) {
    const auto mark = "\"n\":" + std::to_string(job);
    const auto found = std::find_if(outcome.lines.begin(), outcome.lines.end(),
                                    [&](const auto& line) { return contains(line, mark); });
    const auto at = found->find("missed_cause\":\"") + 15;
    return found->substr(at, found->find('"', at) - at);
  };
  CHECK(cause(1) == "no_port");
  CHECK(contains(outcome.lines[0], R"("sp":null,)"));
  CHECK(cause(2) == "ring_drop");
  CHECK(cause(3) == "never_seen");
  CHECK(outcome.counter(MergerCounter::missed_no_port) == 1);
}

TEST_CASE("no job vanishes: one that fails in all configurations, without any port, is written") {
  Bench bench("tcpopt");
  bench.jobs.job(1, 4, R"("dip":"192.0.2.1")");
  for (std::uint16_t config = 0; config < 4; ++config) {
    auto record = connection(-1, 1, 2);
    record.state = ConnectionState::failed;
    bench.jobs.connection(1, config, record);
  }
  const auto outcome = bench.run();
  REQUIRE(outcome.lines.size() == 1);
  CHECK(contains(outcome.lines[0], "\"conditions\":[\"pathspider.not_observed\",\"pathspider.missed_flows:4\"]"));
}

TEST_CASE("a job without connections is written as just its members, at once and in its place") {
  Bench bench("dnsresolv");
  bench.jobs.job(1, 0, R"("dip":"192.0.2.1","time":5,"conditions":[1],"_x":1)").job(2, 0, "").job(3, 0, "\"_y\":{}");
  const auto outcome = bench.run();
  CHECK(outcome.lines == std::vector<std::string>{R"({"dip":"192.0.2.1","time":5,"conditions":[1]})", "{}", "{}"});
}

TEST_CASE("a result that goes in as a job again has its old conditions and times replaced") {
  Bench bench("mss");
  bench.jobs.job(1, 1, R"("time":1,"dip":"x","conditions":["old"],"flow_results":[],"missed_flows":7,"_a":{"b":[]})")
      .connection(1, 0, connection(40000, 1, 2));
  const auto outcome = bench.run();
  CHECK(outcome.lines[0] == R"({"dip":"x","time":{"from":"2020-09-13 12:26:41.000000",)"
                            R"("to":"2020-09-13 12:26:42.000000"},"conditions":["pathspider.not_observed",)"
                            R"("pathspider.missed_flows:1"]})");
}

TEST_CASE("a spider that was killed leaves unfinished jobs: written with what there is, counted, warned of") {
  Bench bench;
  bench.options.output_flows = true;
  bench.jobs.job(1, 2, "\"n\":1").job(2, 2, "\"n\":2").job(3, 2, "\"n\":3");
  bench.jobs.connection(1, 0, connection(40000, 1, 2)).connection(1, 1, connection(40001, 1, 2));
  bench.jobs.connection(2, 1, connection(40002, 1, 2));
  bench.jobs.finish();
  bench.flows.tick(10).flow(flow(40000, 1, 2), good).flow(flow(40001, 1, 2), asking);
  bench.flows.flow(flow(40002, 1, 2), good).tick(20).finish();
  const auto path = bench.scratch.path("jobs");
  const auto whole = read_file(path);
  write_file(path, whole.substr(0, whole.size() - 16)); // within its last block, as a kill leaves it
  const auto outcome = bench.run_as_it_is();
  CHECK_FALSE(outcome.complete);
  REQUIRE(outcome.problems.size() == 1);
  CHECK(contains(outcome.problems[0], path + ": "));
  CHECK(contains(outcome.problems[0], "; 3 jobs until there"));
  REQUIRE(outcome.lines.size() == 3);
  const auto line = [&](const std::string& mark) {
    return *std::find_if(outcome.lines.begin(), outcome.lines.end(), [&](const auto& l) { return contains(l, mark); });
  };
  CHECK(contains(line("\"n\":1"), "ecn.connectivity.works"));
  CHECK(contains(line("\"n\":2"), R"("conditions":["pathspider.unfinished"],"missed_flows":0,"flow_results":[{)"));
  CHECK(line("\"n\":3") == R"({"n":3,"conditions":["pathspider.unfinished"],"missed_flows":0,"flow_results":[]})");
  CHECK(outcome.counter(MergerCounter::jobs_unfinished) == 2);
  REQUIRE(outcome.warnings.size() == 1);
  CHECK(contains(outcome.warnings[0], "2 jobs"));
}

TEST_CASE(
    "jobs that a spider has abandoned are written as unfinished, before the stream ends; those after them go on") {
  Bench bench("mss");
  for (std::uint64_t id = 1; id <= 4; ++id)
    bench.jobs.job(id, 1, "\"n\":" + std::to_string(id));
  bench.jobs.connection(1, 0, connection(40001, 1, 2)); // complete, its flow is to come
  bench.jobs.write(AbandonedRecord{{}, 3}, {}, RecordKind::abandoned);
  bench.jobs.connection(4, 0, connection(40004, 3, 4));
  bench.jobs.connection(3, 0, connection(40003, 3, 4)); // nobody should say that; nothing breaks
  bench.flows.tick(5).flow(flow(40001, 1, 2), asking).flow(flow(40004, 3, 4), good).tick(200);
  const auto outcome = bench.run();
  CHECK(outcome.complete);
  REQUIRE(outcome.lines.size() == 4);
  CHECK(outcome.lines[0] == R"({"n":2,"conditions":["pathspider.unfinished"]})");
  CHECK(outcome.lines[1] == R"({"n":3,"conditions":["pathspider.unfinished"]})");
  for (const auto job : {2, 3})
    CHECK(!contains(outcome.lines[static_cast<std::size_t>(job)], "unfinished"));
  CHECK(outcome.counter(MergerCounter::jobs_unfinished) == 2);
}

TEST_CASE("a spider that was interrupted, and an observer that failed, are no failure of the merger") {
  Bench bench("mss");
  bench.jobs.job(1, 1, "\"n\":1").connection(1, 0, connection(40000, 1, 2));
  bench.jobs.finish(EndCause::interrupted);
  bench.flows.finish(EndCause::failed);
  const auto outcome = bench.run_as_it_is();
  CHECK(outcome.complete);
  CHECK(outcome.lines.size() == 1);
  CHECK(outcome.counter(MergerCounter::jobs_unfinished) == 0);
}

TEST_CASE("a discarded connection says nothing about the path, and neither does its job") {
  Bench bench;
  auto record = connection(40000, 1, 2);
  record.state = ConnectionState::discard;
  bench.jobs.job(1, 2, "\"n\":1").connection(1, 0, record).connection(1, 1, connection(40001, 1, 2));
  bench.flows.flow(flow(40000, 1, 2), good).flow(flow(40001, 1, 2), asking);
  CHECK(contains(bench.run().lines[0], R"("conditions":["pathspider.discarded"]})"));
}

TEST_CASE("drops make what was not seen uncertain: the flow's own, the ring's, and a beginning not seen") {
  auto dropped = flow(40001, 1, 2);
  dropped.ring_drops = 3;
  for (int how = 0; how < 3; ++how) {
    Bench bench;
    bench.jobs.job(1, 2, "\"n\":1").connection(1, 0, connection(40000, 1, 2)).connection(1, 1, connection(40001, 1, 2));
    bench.flows.flow(flow(40000, 1, 2), good);
    if (how == 0)
      bench.flows.flow(dropped, asking);
    if (how == 1)
      bench.flows.lost(1.5, 1.5).flow(flow(40001, 1, 2), asking);
    if (how == 2)
      bench.flows.flow(turned(flow(40001, 1, 2)), asking);
    const auto line = bench.run().lines[0];
    CHECK(contains(line, "pathspider.uncertain"));
    CHECK_FALSE(contains(line, "not_seen"));
    CHECK(contains(line, "ecn.negotiation.succeeded") == (how < 2)); // else the flags are of the other direction
  }
}

TEST_CASE("recorded streams of long runs meet in time, whichever is longer, however much other traffic there is") {
  Bench bench("mss");
  constexpr int jobs = 3000;
  for (int i = 0; i < jobs; ++i) {
    const auto id = static_cast<std::uint64_t>(i) + 1;
    const double start = i * 2.0;
    bench.jobs.job(id, 1, "\"n\":1").connection(id, 0, connection(1024 + i % 100, start, start + 1));
    bench.flows.flow(flow(1024 + i % 100, start, start + 1), good);
    for (int other = 0; other < 5; ++other)
      bench.flows.flow(flow(50000 + other, start, start + 1), good);
    bench.flows.tick(start + 6).tick(start + 7);
  }
  bench.options.join.max_flows = 2048;
  const auto outcome = bench.run();
  CHECK(outcome.lines.size() == jobs);
  CHECK(outcome.counter(MergerCounter::connections_joined) == jobs);
  CHECK(outcome.counter(MergerCounter::flows_unclaimed) == 5 * jobs);
}

TEST_CASE("jobs beyond the limit make the oldest one leave, unfinished, and late connections are counted") {
  Bench bench;
  bench.options.limits.max_jobs = 2;
  bench.jobs.job(1, 2, "\"n\":1").connection(1, 0, connection(40000, 1, 2));
  bench.jobs.job(2, 2, "\"n\":2").connection(2, 0, connection(40001, 1, 2)).connection(2, 1, connection(40005, 1, 2));
  bench.jobs.job(3, 2, "\"n\":3").job(4, 2, "\"n\":4");
  bench.jobs.connection(1, 1, connection(40002, 1, 2));
  for (std::uint16_t config = 0; config < 2; ++config) {
    bench.jobs.connection(3, config, connection(40010 + config, 1, 2));
    bench.jobs.connection(4, config, connection(40020 + config, 1, 2));
    bench.flows.flow(flow(40010 + config, 1, 2), good).flow(flow(40020 + config, 1, 2), good);
  }
  const auto outcome = bench.run();
  CHECK(outcome.complete);
  REQUIRE(outcome.lines.size() == 4);
  CHECK(contains(outcome.lines[0], R"("n":1)"));
  CHECK(contains(outcome.lines[0], R"(["pathspider.unfinished","pathspider.missed_flows:1"])"));
  CHECK(contains(outcome.lines[1], R"("pathspider.not_observed","pathspider.missed_flows:2"])"));
  CHECK(outcome.counter(MergerCounter::missed_expired) == 4);
  CHECK(outcome.counter(MergerCounter::jobs_unfinished) == 1);
}

TEST_CASE("jobs of large texts are bounded by octets, and one larger than all of the room is written all the same") {
  Bench bench("mss");
  bench.options.limits.max_job_octets = 100'000;
  const std::string body(600'000, 'x'); // longer than the output's buffer
  for (std::uint64_t id = 1; id <= 3; ++id)
    bench.jobs.job(id, 1, "\"n\":" + std::to_string(id));
  bench.jobs.connection(1, 0, connection(40000, 1, 2), "\"http_response_body\":\"" + body + "\"");
  bench.options.output_flows = true;
  const auto outcome = bench.run();
  REQUIRE(outcome.lines.size() == 3);
  CHECK(contains(outcome.lines[0], body));
  CHECK(outcome.counter(MergerCounter::jobs_unfinished) == 2);
}

TEST_CASE("a hostile job stream ends where it is damaged, by offset, and what came before is written") {
  const auto job = [](std::uint64_t id, std::uint32_t connections, const std::string& members, std::uint32_t octets) {
    const JobRecord record{
        {static_cast<std::uint32_t>(sizeof(JobRecord) + members.size()), RecordKind::job, 0}, id, connections, octets};
    std::string text(reinterpret_cast<const char*>(&record), sizeof record);
    text += members;
    return text.append((8 - text.size() % 8) % 8, '\0');
  };
  const auto connected = [](std::uint64_t id, std::uint16_t config, const std::string& members) {
    auto record = connection(40000, 1, 2);
    record.header.length += static_cast<std::uint32_t>(members.size());
    record.job_id = id;
    record.config = config;
    record.members_octets = static_cast<std::uint32_t>(members.size());
    std::string text(reinterpret_cast<const char*>(&record), sizeof record);
    text += members;
    return text.append((8 - text.size() % 8) % 8, '\0');
  };
  const auto before = job(1, 1, "\"n\":1", 5) + connected(1, 0, "\"a\":2");
  struct Case {
    std::string record, why;
  };
  const std::vector<Case> cases = {
      {job(2, 1, "\"n\":2", 4), "neither a job nor a connection"},
      {job(2, 1, "\"n\":2", 0xFFFF'FFFF), "neither a job nor a connection"},
      {std::string("\x18\0\0\0\x09\0\0\0", 8).append(16, '\0'), "neither a job nor a connection"}, // abandoned, longer
      {job(2, 5000, "\"n\":2", 5), "5000 connections"},
      {job(2, 2, "\"n\":2", 5), "job 2: 2 connections, the plugin mss makes 1"},
      {job(9, 1, "\"n\":9", 5) + job(9, 1, "\"n\":9", 5), "job 9 comes twice"},
      {connected(2, 0, ""), "connection 0 of job 2: there was no such job before"},
      {job(2, 1, "\"n\":2", 5) + connected(2, 1, ""), "the job has fewer"},
      {job(2, 1, "\"n\":2", 5) + connected(2, 0, "") + connected(2, 0, ""), "it comes twice"},
  };
  for (const auto& [record, why] : cases) {
    Bench bench("mss");
    bench.flows.finish();
    write_file(bench.scratch.path("jobs"), file_of(bench.jobs_stream, block_of(before + record)));
    const auto outcome = bench.run_as_it_is();
    CHECK_FALSE(outcome.complete);
    REQUIRE(outcome.problems.size() == 1);
    CHECK_MESSAGE(contains(outcome.problems[0], why), outcome.problems[0]);
    CHECK(contains(outcome.problems[0], "damaged at offset "));
    CHECK(std::any_of(outcome.lines.begin(), outcome.lines.end(),
                      [](const auto& line) { return contains(line, "\"n\":1,"); }));
  }
}

TEST_CASE("members that are no JSON cost their own job or connection its members: all jobs are written") {
  Bench bench("mss");
  bench.options.output_flows = true;
  bench.jobs.job(1, 1, R"("n":1)").connection(1, 0, connection(40000, 1, 2), R"("a":"un"escaped")");
  bench.jobs.job(2, 1, R"("n":2},{"m":2)").connection(2, 0, connection(40001, 1, 2), R"("a":2)");
  bench.jobs.job(3, 1, R"("n":3)").connection(3, 0, connection(40002, 1, 2), "\"a\"\n:3");
  bench.jobs.job(4, 1, "\"\xff\":4").connection(4, 0, connection(40003, 1, 2), R"("a":4)");
  const auto outcome = bench.run();
  CHECK(outcome.complete);
  REQUIRE(outcome.lines.size() == 4);
  CHECK(std::ranges::count_if(outcome.lines, [](const auto& line) { return contains(line, R"("n":)"); }) == 2);
  for (const char* part : {R"({"jobId":2,"time":)", R"({"jobId":4,"time":)", R"("a":2)", R"("a":4)"})
    CHECK_MESSAGE(std::ranges::any_of(outcome.lines, [part](const auto& line) { return contains(line, part); }), part);
  for (const char* part : {R"("a":"un)", R"("a":3)", R"("m":2)"})
    CHECK_MESSAGE(std::ranges::none_of(outcome.lines, [part](const auto& line) { return contains(line, part); }), part);
  CHECK(outcome.counter(MergerCounter::members_bad) == 4);
  REQUIRE(outcome.warnings.size() == 4);
  CHECK(outcome.warnings[0].starts_with(
      "connection 0 of job 1: its members are no JSON and are left out: a comma is expected at octet 8; "));
  CHECK(outcome.warnings[1].starts_with(
      "job 2: its members are no JSON and are left out: a comma is expected at octet 5"));
}

TEST_CASE("a job of another number of connections than its plugin makes is refused before any combiner sees it") {
  for (const std::uint32_t connections : {1U, 3U}) {
    Bench bench;
    bench.jobs.job(1, connections, "\"n\":1");
    const auto outcome = bench.run();
    CHECK_FALSE(outcome.complete);
    CHECK(contains(outcome.problems[0], std::to_string(connections) + " connections, the plugin ecn makes 2"));
  }
}

TEST_CASE(
    "the plugin is that of the jobs; another one that is asked for, too few connections, or none at all are refused") {
  const auto stream = job_stream("ecn", 2);
  CHECK(combiner_of(stream, "file:jobs", {}).plugin == "ecn");
  const auto ecn = find_combiner("ecn");
  CHECK(combiner_of(stream, "file:jobs", &ecn).plugin == "ecn");
  const auto refused = [](const StreamDescription& jobs, const std::string& plugin, const char* why) {
    const auto asked = plugin.empty() ? std::nullopt : std::optional(find_combiner(plugin));
    CHECK_THROWS_WITH_AS(static_cast<void>(combiner_of(jobs, "file:jobs", asked ? &*asked : nullptr)),
                         doctest::Contains(why), Error);
  };
  refused(stream, "mss", "file:jobs: its jobs are of the plugin ecn (version 1.2), and --plugin is mss");
  refused(job_stream("ecn", 1), {},
          "the plugin ecn (version 1.2) makes 1 connections for a job, its conditions need at least 2");
  refused(job_stream("ecn", 5000), {}, "4096 are the most");
  refused(stream_of(StreamKind::jobs), {}, "file:jobs: does not say which plugin its jobs are of");
  CHECK_THROWS_WITH_AS(static_cast<void>(combiner_of(job_stream("nobodys", 2), "file:jobs", {})),
                       doctest::Contains("no conditions for a plugin \"nobodys\""), UsageError);
}

TEST_CASE("a run whose flows lack what the conditions read is refused at its start, by field, chain and stream") {
  const auto run_with = [](const StreamDescription& flows) {
    Bench bench("mss");
    bench.jobs.finish();
    RecordWriter::open({Endpoint::Kind::file, bench.scratch.path("flows")}, flows).finish(EndCause::complete, go_on);
    bench.run_as_it_is();
  };
  const auto without = [](const std::string& name) {
    auto stream = flow_stream();
    std::erase_if(stream.tables[0].fields, [&](const auto& f) { return f.name == name; });
    return stream;
  };
  CHECK_NOTHROW(run_with(flow_stream()));
  CHECK_NOTHROW(run_with(without("ecn_ce_data_rev"))); // mss does not read it
  CHECK_THROWS_WITH_AS(
      run_with(without("mss_value_rev")),
      doctest::Contains("/flows: the conditions of mss need the field mss_value_rev of chain mss, which "
                        "its flows do not have: run the observer with mss"),
      Error);
  auto other_type = flow_stream();
  for (auto& other : other_type.tables[0].fields)
    if (other.name == "tcp_connected")
      other = field("tcp_connected", code_of<Address>, sizeof(FlowRecord));
  CHECK_THROWS_WITH_AS(run_with(other_type),
                       doctest::Contains("need the field tcp_connected of chain tcp as a whole number, and there it is "
                                         "of type address"),
                       Error);
}

TEST_CASE("without any flow stream, only conditions that read no flows can be had") {
  const auto run_without_flows = [](const std::string& plugin) {
    Bench bench(plugin);
    bench.jobs.finish();
    Output output(bench.scratch.path("out"), "jobs", growing);
    Measurement measurement(
        RecordReader::open({Endpoint::Kind::file, bench.scratch.path("jobs")}, StreamKind::jobs), {}, output,
        find_combiner(plugin), {}, [](auto, auto) {}, [](const auto&) {});
    CHECK(measurement.run(go_on));
  };
  CHECK_NOTHROW(run_without_flows("dnsresolv"));
  CHECK_THROWS_WITH_AS(run_without_flows("mss"),
                       doctest::Contains("the conditions of mss rest on flows: give --flows, a stream of an observer "
                                         "with tcp mss"),
                       Error);
}

TEST_CASE("a combiner sees how its plugin was run") {
  Bench bench("mss");
  bench.jobs.job(1, 1, "\"n\":1").connection(1, 0, connection(40000, 1, 2));
  bench.jobs.finish();
  bench.flows.finish();
  auto combiner = find_combiner("mss");
  combiner.combine = [](const JobFlows& flows, Conditions& conditions) {
    conditions.add(flows.run().name + " " + flows.run().version + " " + flows.run().connect + " " +
                   std::to_string(flows.size()) + " " + std::to_string(flows.option("none").size()));
  };
  std::vector<RecordReader> streams;
  streams.push_back(RecordReader::open({Endpoint::Kind::file, bench.scratch.path("flows")}, StreamKind::flows));
  Output output(bench.scratch.path("out"), "jobs", growing);
  Measurement measurement(
      RecordReader::open({Endpoint::Kind::file, bench.scratch.path("jobs")}, StreamKind::jobs), std::move(streams),
      output, combiner, {}, [](auto, auto) {}, [](const auto&) {});
  CHECK(measurement.run(go_on));
  CHECK(contains(read_file(bench.scratch.path("out")), R"("conditions":["mss 1.2 http 1 0",)"));
}

TEST_CASE("flows are joined with all that they have of variable length, and events among them are counted") {
  auto flows = flow_stream();
  flows.tables.push_back(Table::events("dns").add<Text>("query").description());
  auto& table = flows.tables[0];
  table.fields.push_back(field("tls_name", code_of<Text>, table.record_octets));
  table.record_octets += sizeof(TailRef);
  Bench bench("mss");
  bench.options.output_flows = true;
  bench.jobs.job(1, 1, "\"n\":1").connection(1, 0, connection(40000, 1, 2));
  bench.jobs.job(2, 1, "\"n\":2").connection(2, 0, connection(40001, 1, 2));
  {
    auto writer = RecordWriter::open({Endpoint::Kind::file, bench.scratch.path("flows")}, flows);
    const auto write = [&](const FlowRecord& flow, const std::string& name) {
      Record record(table.record_octets);
      std::memcpy(record.data(), &flow, sizeof flow);
      std::memcpy(record.data() + sizeof flow, &good, sizeof good);
      const TailRef ref{table.record_octets, static_cast<std::uint32_t>(name.size())};
      std::memcpy(record.data() + table.record_octets - sizeof ref, &ref, sizeof ref);
      const auto octets = octets_of(name);
      record.insert(record.end(), octets.begin(), octets.end());
      write_row(writer, record);
    };
    write(flow(40000, 1, 2), "www.example.org");
    Record event(flows.tables[1].record_octets);
    write_row(writer, event, 1);
    write(turned(flow(40001, 1, 2)), std::string(3000, 'x'));
    writer.finish(EndCause::complete, go_on);
  }
  bench.jobs.finish();
  const auto outcome = bench.run_as_it_is();
  CHECK(outcome.complete);
  REQUIRE(outcome.lines.size() == 2);
  CHECK(contains(outcome.lines[0], R"("tls_name":"www.example.org",)"));
  CHECK(contains(outcome.lines[1], R"("tls_name":")" + std::string(3000, 'x') + "\","));
  CHECK(outcome.counter(MergerCounter::events_received) == 1);
  CHECK(outcome.counter(MergerCounter::events_dropped) == 1);
  CHECK(outcome.counter(MergerCounter::flows_received) == 2);
}

TEST_CASE("an output that fails ends the measurement with every job accounted for") {
  Bench bench("mss");
  for (std::uint64_t id = 1; id <= 20'000; ++id)
    bench.jobs.job(id, 1, "\"n\":1").connection(id, 0, connection(-1, 1, 2));
  bench.jobs.finish();
  bench.flows.finish();
  const auto outcome = bench.run_as_it_is("/dev/full");
  CHECK_FALSE(outcome.complete);
  CHECK(outcome.problems[0] == "cannot write /dev/full: No space left on device; 0 jobs written");
  CHECK(outcome.counter(MergerCounter::jobs_dropped) == outcome.counter(MergerCounter::jobs_received));
}

TEST_CASE("20,000 jobs take less time than the spider needs to make them") {
  Bench bench;
  for (std::uint64_t id = 1; id <= 20'000; ++id) {
    const double start = static_cast<double>(id) / 3000;
    bench.jobs.job(id, 2,
                   R"("dip":"192.0.2.1","dp":80,"domain":"www.example.org","path":["198.51.100.7","192.0.2.1"])");
    for (std::uint16_t config = 0; config < 2; ++config) {
      const auto port = static_cast<std::int32_t>(1024 + (2 * id + config) % 60'000);
      bench.jobs.connection(id, config, connection(port, start, start + 0.01));
      bench.flows.flow(flow(port, start + 0.001, start + 0.009), good);
    }
    if (id % 3000 == 0)
      bench.flows.tick(start + 6);
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto outcome = bench.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  CHECK(outcome.lines.size() == 20'000);
  CHECK(outcome.counter(MergerCounter::connections_joined) == 40'000);
  CHECK(outcome.counter(MergerCounter::flows_unclaimed) == 0);
  CHECK(took.count() < 7);
  MESSAGE("20,000 jobs, with reading them back: " << took.count() << " s");
}

TEST_CASE("times print as PATHspider prints them") {
  CHECK(time_text(0) == "1970-01-01 00:00:00.000000");
  CHECK(time_text(1'709'210'096'000'000'999) == "2024-02-29 12:34:56.000000");
  CHECK(time_text(~std::uint64_t{0}) == "2554-07-21 23:34:33.709551");
}

TEST_CASE("what a measurement keeps is lowered to what fits, and never raised") {
  constexpr std::uint64_t mib = 1 << 20;
  MeasurementOptions roomy;
  keep_within(std::uint64_t{1} << 40, roomy);
  CHECK(roomy.limits.max_job_octets == MeasurementLimits().max_job_octets);
  CHECK(roomy.join.max_flows == JoinOptions().max_flows);
  MeasurementOptions tight;
  keep_within(300 * mib, tight);
  CHECK(tight.limits.max_job_octets == 75 * mib);
  CHECK(tight.join.max_flows == 1 << 16);
  CHECK(tight.join.max_tail_octets == 300 * mib / 16);
  keep_within(0, tight);
  CHECK(tight.join.max_flows == 1024);
}
