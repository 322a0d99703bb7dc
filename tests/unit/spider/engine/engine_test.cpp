// SPDX-License-Identifier: GPL-3.0-or-later
// The engine's models, limits and ends, with real connections on loopback.
#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"
#include "tests/unit/spider/connect/silent_server.hpp"
#include "tests/unit/spider/spider_run.hpp"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <map>
#include <set>
#include <string>
#include <thread>

using namespace orbweaver;
using namespace orbweaver::loopback;
using namespace orbweaver::test;

namespace {

void close_at_once(int) {}

std::size_t place_of(const std::vector<std::string>& log, const std::string& entry) {
  const auto found = std::find(log.begin(), log.end(), entry);
  REQUIRE_MESSAGE(found != log.end(), entry);
  return static_cast<std::size_t>(found - log.begin());
}

} // namespace

TEST_CASE("each job becomes a job record and, with all that is known of it, its connection's record") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.options.local.public_ip4 = parse_address("198.51.100.7");
  run.options.local.asn = 64500;
  const auto records = run.run(R"({"dip":"127.0.0.9","dp":)" + std::to_string(server.port()) +
                               R"(,"dip_asn":64501,"_x":1,"label":"a"})"
                               "\n");
  CHECK(run.result.complete);
  CHECK(records.cause == EndCause::complete);
  REQUIRE(records.jobs.size() == 1);
  CHECK(records.jobs[0].record.job_id == 1);
  CHECK(records.jobs[0].record.connections == 1);
  CHECK(records.jobs[0].members ==
        R"("dip":"127.0.0.9","dp":)" + std::to_string(server.port()) +
            R"(,"dip_asn":64501,"label":"a","sip":"127.0.0.1","sip_public":"198.51.100.7","sip_asn":64500,)"
            R"("path":["127.0.0.1","198.51.100.7","AS64500","AS64501","127.0.0.9"])");
  REQUIRE(records.connections.size() == 1);
  const ConnectionRecord& connection = records.connections[0].record;
  CHECK(connection.state == ConnectionState::ok);
  CHECK(connection.job_id == 1);
  CHECK(connection.config == 0);
  CHECK(connection.protocol == 6);
  CHECK(connection.source_port > 0);
  CHECK(connection.destination_port == server.port());
  CHECK(address_text(connection.source) == "127.0.0.1");
  CHECK(address_text(connection.destination) == "127.0.0.9");
  CHECK(connection.start_ns > 1'600'000'000'000'000'000);
  CHECK(connection.stop_ns > connection.start_ns);
  CHECK(records.connections[0].members.empty());
}

TEST_CASE("connected, refused and silent targets are ok, failed and timeout, and no job is without its record") {
  const TcpServer server(close_at_once, "0.0.0.0");
  const SilentServer silent;
  SpiderRun run;
  const auto records = run.run(SpiderRun::jobs_to(server.port(), 3) +
                               R"({"dip":"127.0.9.1","dp":1})"
                               "\n" +
                               R"({"dip":"127.0.9.2","dp":)" + std::to_string(silent.port()) + "}\nnonsense\n");
  CHECK(run.bad_lines == 1);
  CHECK(records.jobs.size() == 5);
  CHECK(records.count(ConnectionState::ok) == 3);
  CHECK(records.count(ConnectionState::failed) == 1);
  CHECK(records.count(ConnectionState::timeout) == 1);
  for (const auto& connection : records.connections)
    CHECK(connection.record.source_port > 0);
}

TEST_CASE("a job without a port goes to the default port of its kind") {
  SpiderRun run;
  run.options.timeout_ns = 50'000'000;
  for (const auto kind : {ConnectKind::tcp, ConnectKind::https}) {
    run.options.kind = ConnectKind::tcp;
    run.plugin.change = [kind](ConnectRequest& request, const Job&, unsigned) {
      CHECK(request.destination_port == 80);
      request.destination_port = default_port(kind);
    };
    CHECK(run.run(R"({"dip":"127.0.0.1"})").connections.at(0).record.destination_port == default_port(kind));
  }
}

TEST_CASE("without a model of batches a job's connections come one after another, with what was found out before") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.plugin.count = 3;
  run.plugin.look = [](ConnectResult& result, unsigned config) {
    if (config == 1)
      result.state = ConnectionState::discard;
    result.members.add("seen", config);
  };
  const auto records = run.run(SpiderRun::jobs_to(server.port(), 20));
  CHECK(records.jobs.size() == 20);
  CHECK(records.connections.size() == 60);
  CHECK(run.plugin.pre_connects == 20);
  CHECK(records.count(ConnectionState::discard) == 20);
  for (unsigned job = 1; job <= 20; ++job)
    for (unsigned config = 0; config < 3; ++config) {
      const std::string which = std::to_string(job) + " " + std::to_string(config);
      const auto connected = place_of(run.plugin.log, "connect " + which),
                 ended = place_of(run.plugin.log, "post " + which);
      CHECK(connected < ended);
      if (config > 0)
        CHECK(place_of(run.plugin.log, "post " + std::to_string(job) + " " + std::to_string(config - 1)) < connected);
    }
  for (const auto& connection : records.connections)
    CHECK(connection.members == R"("seen":)" + std::to_string(connection.record.config));
}

TEST_CASE("synchronized: the system changes only while no connection is under way, batch by batch") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.description.model = Model::synchronized;
  run.plugin.count = 2;
  const auto records = run.run(SpiderRun::jobs_to(server.port(), 10));
  CHECK(records.jobs.size() == 10);
  CHECK(records.connections.size() == 20);
  int under_way = 0, states = 0, in_state = 0;
  std::vector<int> batches;
  for (const std::string& entry : run.plugin.log) {
    if (entry.starts_with("system")) {
      CHECK(under_way == 0);
      CHECK(entry == "system " + std::to_string(states++ % 2));
      batches.push_back(std::exchange(in_state, 0));
    } else if (entry.starts_with("connect")) {
      CHECK(entry.back() == (states % 2 == 1 ? '0' : '1'));
      ++under_way, ++in_state;
    } else {
      --under_way;
    }
  }
  CHECK(batches == std::vector<int>{0, 4, 4, 4, 4, 2});
}

TEST_CASE("synchronized: one silent target holds up its batch, and loses nobody") {
  const TcpServer server(close_at_once, "0.0.0.0");
  const SilentServer silent;
  SpiderRun run;
  run.description.model = Model::synchronized;
  run.plugin.count = 2;
  const auto records = run.run(R"({"dip":"127.0.9.2","dp":)" + std::to_string(silent.port()) + "}\n" +
                               SpiderRun::jobs_to(server.port(), 5));
  CHECK(records.count(ConnectionState::timeout) == 2);
  CHECK(records.count(ConnectionState::ok) == 10);
}

TEST_CASE("a batch that is not full begins when no more jobs come for now") {
  const TcpServer server(close_at_once, "0.0.0.0");
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const FileDescriptor in(ends[0]);
  FileDescriptor out(ends[1]);
  SpiderRun run;
  run.description.model = Model::synchronized;
  std::atomic<int> done = 0;
  run.plugin.look = [&](ConnectResult&, unsigned) { ++done; };
  const auto give = [&](const std::string& text) {
    REQUIRE(::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  };
  const Scratch scratch;
  RecordWriter writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("out")}, stream_of(StreamKind::jobs));
  std::thread spider([&] { run.run_into(writer, "/dev/fd/" + std::to_string(in.get())); });
  give(SpiderRun::jobs_to(server.port(), 2));
  for (int i = 0; i < 1000 && done < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(done == 2);
  give(R"({"dip":"127.0.8.1","dp":)" + std::to_string(server.port()) + "}\n");
  for (int i = 0; i < 1000 && done < 3; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  out.reset();
  spider.join();
  CHECK(done == 3);
  CHECK(run.result.complete);
}

TEST_CASE("a target that the interface does not lead to is named and not tried, and its job still there") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.plugin.count = 2;
  const auto records =
      run.run("{\"dip\":\"127.0.0.2\",\"dp\":" + std::to_string(server.port()) + "}\n{\"dip\":\"192.0.2.7\"}\n");
  REQUIRE(records.jobs.size() == 2);
  REQUIRE(records.connections.size() == 4);
  CHECK(records.jobs[1].members.starts_with(
      R"("dip":"192.0.2.7","dp":80,"path":["192.0.2.7"],"not_measured":")")); // by another interface, or by none
  REQUIRE(run.not_routed.size() == 1);
  CHECK(run.not_routed[0].starts_with("2: "));
  for (const auto& connection : records.connections) {
    if (connection.record.job_id == 1)
      continue;
    CHECK(connection.record.state == ConnectionState::skipped);
    CHECK(connection.record.source_port == -1);
    CHECK(connection.record.source.version == 0);
    CHECK(address_text(connection.record.destination) == "192.0.2.7");
    CHECK(connection.record.never_left == 1);
    CHECK(connection.record.error != 0);
  }
  CHECK(std::ranges::count(run.plugin.log, std::string("connect 2 0")) == 0);
}

TEST_CASE("a job that says no port has the one that was taken") {
  SpiderRun run;
  run.options.kind = ConnectKind::https;
  run.options.timeout_ns = 1'000'000;
  const auto records = run.run("{\"dip\":\"127.0.0.2\"}\n{\"dip\":\"127.0.0.3\",\"dp\":null}\n");
  REQUIRE(records.jobs.size() == 2);
  CHECK(records.jobs[0].members.starts_with(R"("dip":"127.0.0.2","dp":443,"sip":"127.0.0.1")"));
  CHECK(records.jobs[1].members.starts_with(R"("dip":"127.0.0.3","dp":443,"sip":"127.0.0.1")"));
}

TEST_CASE("no more connections a second than asked for") {
  const TcpServer server(close_at_once, "0.0.0.0");
  for (const Model model : {Model::desynchronized, Model::synchronized}) {
    SpiderRun run;
    run.description.model = model;
    run.options.workers = 100;
    run.options.rate = 100;
    const std::uint64_t start = monotonic_ns();
    CHECK(run.run(SpiderRun::jobs_to(server.port(), 30)).connections.size() == 30);
    const double seconds = static_cast<double>(monotonic_ns() - start) / 1e9;
    CHECK(seconds > 0.25);
    CHECK(seconds < 5);
  }
}

TEST_CASE("no more connections at once than there are workers") {
  const SilentServer silent;
  SpiderRun run;
  run.options.timeout_ns = 100'000'000;
  int open = 0, most = 0;
  run.plugin.change = [&](ConnectRequest&, const Job&, unsigned) { most = std::max(most, ++open); };
  run.plugin.look = [&](ConnectResult&, unsigned) { --open; };
  CHECK(run.run(SpiderRun::jobs_to(silent.port(), 11)).count(ConnectionState::timeout) == 11);
  CHECK(most == 4);
}

TEST_CASE("asked to stop, the jobs under way are finished and no more are begun") {
  const TcpServer server(close_at_once, "0.0.0.0");
  for (const Model model : {Model::desynchronized, Model::synchronized}) {
    SpiderRun run;
    run.description.model = model;
    run.plugin.count = 2;
    run.plugin.change = [&](ConnectRequest&, const Job& job, unsigned) { run.stop = run.stop || job.id == 6; };
    const auto records = run.run(SpiderRun::jobs_to(server.port(), 200));
    CHECK(run.result.complete);
    CHECK(records.cause == EndCause::interrupted);
    CHECK(records.jobs.size() >= 6);
    CHECK(records.jobs.size() < 20);
    CHECK(records.connections.size() == 2 * records.jobs.size());
  }
}

TEST_CASE("a spider that waits for a pipe stops when asked to") {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const FileDescriptor in(ends[0]), out(ends[1]);
  SpiderRun run;
  const Scratch scratch;
  RecordWriter writer = RecordWriter::open({Endpoint::Kind::file, scratch.path("out")}, stream_of(StreamKind::jobs));
  std::thread spider([&] { run.run_into(writer, "/dev/fd/" + std::to_string(in.get())); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  run.stop = true;
  spider.join();
  CHECK(run.result.complete);
}

TEST_CASE("a thousand connections under way at once, each told apart") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.options.workers = 1000;
  run.options.timeout_ns = 5'000'000'000;
  run.plugin.count = 2;
  const auto records = run.run(SpiderRun::jobs_to(server.port(), 3000));
  CHECK(records.jobs.size() == 3000);
  CHECK(records.count(ConnectionState::ok) + records.count(ConnectionState::timeout) == 6000);
  std::set<std::pair<std::uint64_t, unsigned>> each;
  for (const auto& connection : records.connections)
    each.emplace(connection.record.job_id, connection.record.config);
  CHECK(each.size() == 6000);
}

TEST_CASE("a full ring makes the spider wait, and nothing is lost") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  const Scratch scratch;
  write_file(scratch.path("jobs"), SpiderRun::jobs_to(server.port(), 500));
  const Endpoint endpoint{Endpoint::Kind::ring, "unit-spider-" + std::to_string(getpid())};
  RecordWriter writer = RecordWriter::open(endpoint, stream_of(StreamKind::jobs), {.ring_bytes = min_ring_bytes});
  Records records;
  std::thread merger([&] {
    const std::atomic<bool> never = false;
    RecordReader reader = RecordReader::take(writer.ring(), StreamKind::jobs);
    const RecordHeader* record[1];
    for (Wait wait = Wait::quiet; !records.ended && (wait == Wait::quiet || wait == Wait::readable);
         wait = reader.wait(never))
      for (; reader.peek(record) == 1; reader.release()) {
        if (records.jobs.size() % 50 == 1)
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        records.take(record[0]);
      }
  });
  run.run_into(writer, scratch.path("jobs"));
  merger.join();
  CHECK(run.result.complete);
  CHECK(records.jobs.size() == 500);
  CHECK(records.connections.size() == 500);
}

TEST_CASE("a merger that has left ends the spider in order, and it says so") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  const Scratch scratch;
  write_file(scratch.path("jobs"), SpiderRun::jobs_to(server.port(), 5000));
  const Endpoint endpoint{Endpoint::Kind::ring, "unit-spider-" + std::to_string(getpid())};
  RecordWriter writer = RecordWriter::open(endpoint, stream_of(StreamKind::jobs), {.ring_bytes = min_ring_bytes});
  RecordReader::take(writer.ring(), StreamKind::jobs).close();
  run.run_into(writer, scratch.path("jobs"));
  CHECK_FALSE(run.result.complete);
  CHECK(run.result.problem.find("its reader has left") != std::string::npos);
}

TEST_CASE("a member of a connection that no record can hold is left out, the connection and the others are not") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.plugin.look = [](ConnectResult& result, unsigned) {
    result.members.add("a", 1);
    result.members.add("x", std::string(1 << 20, 'x'));
    result.members.add("b", 2);
  };
  const auto records = run.run(SpiderRun::jobs_to(server.port(), 2));
  REQUIRE(records.connections.size() == 2);
  CHECK(records.connections[0].members == R"("a":1,"b":2)");
  CHECK(run.result.complete);
  REQUIRE(run.left_out.size() == 2);
  CHECK(run.left_out[0].starts_with("1 connection 0 x: its 1048582 octets are too many: "));
  CHECK(run.left_out[0].ends_with("; a ring with a larger --job-ring-mib holds more"));
}

TEST_CASE("a plugin's text that is no JSON costs that text alone: all connections are written, and each loss is told") {
  const TcpServer server(close_at_once, "0.0.0.0");
  SpiderRun run;
  run.plugin.count = 2;
  run.plugin.look = [](ConnectResult& result, unsigned config) {
    result.members.add_members(R"("a":"un"escaped")");
    result.members.add("sp", 1);
    result.members.add("b", config);
  };
  const auto records = run.run(SpiderRun::jobs_to(server.port(), 3));
  REQUIRE(records.connections.size() == 6);
  for (const auto& [record, members] : records.connections)
    CHECK(members == "\"b\":" + std::to_string(record.config));
  CHECK(run.result.complete);
  REQUIRE(run.left_out.size() == 12);
  std::sort(run.left_out.begin(), run.left_out.end());
  CHECK(run.left_out[0] == "1 connection 0 : a comma is expected at octet 8");
  CHECK(run.left_out[11] == "3 connection 1 sp: that key is reserved");
}

TEST_CASE("forged: one datagram a sequence number, sent from a port of its own; an empty one is skipped") {
  SpiderRun run;
  run.description.model = Model::forge;
  run.options.kind = ConnectKind::dnsudp;
  run.plugin.count = 3;
  std::set<std::uint16_t> ports;
  run.options.port_for_forged = [](const ConnectRequest& request) { return next_local_port(request); };
  run.options.send_forged = [&](const ConnectRequest& request, std::uint16_t port,
                                std::span<const std::uint8_t> datagram) {
    CHECK(datagram.size() == 20);
    CHECK(request.destination_port == 53);
    ports.insert(port);
    ConnectResult result;
    result.state = ConnectionState::ok;
    result.source_port = port;
    return result;
  };
  const auto records = run.run("{\"dip\":\"127.0.0.1\"}\n{\"dip\":\"127.0.0.2\"}\n");
  CHECK(ports.size() == 4);
  CHECK(records.count(ConnectionState::ok) == 4);
  CHECK(records.count(ConnectionState::skipped) == 2);
  CHECK(records.connections[0].record.protocol == 17);
  CHECK(run.plugin.log[1] == "forge 1 0");
}

TEST_CASE("a plugin without connections gives results, written as they are") {
  SpiderRun run;
  run.plugin.count = 0;
  const auto records = run.run("{\"domain\":\"a.example\"}\n{\"domain\":\"b.example\"}\n{\"domain\":\"a.example\"}\n");
  CHECK(run.result.complete);
  CHECK(records.jobs.empty()); // this one finds nothing out
  CHECK(records.connections.empty());
}

TEST_CASE("an error of the system's change ends the run as failed, with what there was") {
  SpiderRun run;
  run.description.model = Model::synchronized;
  run.options.configure_system = [](unsigned) { throw Error("no right to"); };
  const Scratch scratch;
  write_file(scratch.path("jobs"), "{\"dip\":\"127.0.0.1\"}\n");
  const Endpoint out{Endpoint::Kind::file, scratch.path("out")};
  {
    RecordWriter writer = RecordWriter::open(out, stream_of(StreamKind::jobs));
    CHECK_THROWS_WITH_AS(run.run_into(writer, scratch.path("jobs")), "no right to", Error);
  }
  RecordReader reader = RecordReader::open(out, StreamKind::jobs);
  Records records;
  const RecordHeader* record[1];
  while (reader.peek(record) == 1)
    records.take(record[0]);
  CHECK(records.ended);
  CHECK(records.cause == EndCause::failed);
}

TEST_CASE("more workers than files may be open are refused, and what to do is said") {
  CHECK_NOTHROW(allow_descriptors(10));
  CHECK_THROWS_WITH_AS(allow_descriptors(2'000'000'000), doctest::Contains("ulimit -n"), Error);
}
