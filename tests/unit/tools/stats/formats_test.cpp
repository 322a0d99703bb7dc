// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/tools/stats/snapshot_maker.hpp"
#include "tools/run/report/progress.hpp"
#include "tools/run/report/summary.hpp"
#include "tools/stats/stats_formats.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <simdjson.h>
#include <sstream>

using namespace orbweaver;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the summary has the closing line's numbers, all counters and the ledger") {
  RunDescription run;
  run.source = "x.pcap";
  run.chains = {"basic"};
  run.observers = 2;
  run.digest = true;
  const auto snapshot = balanced_snapshot();
  const auto text = summary_json(run, RunResult{RunEnd::stage_died, 1, "killed"}, snapshot, draw_ledger(snapshot));
  simdjson::dom::parser parser;
  const simdjson::dom::element summary = parser.parse(text);
  CHECK(std::string_view(summary["end"]) == "stage died");
  CHECK(std::string_view(summary["reason"]) == "killed");
  CHECK(std::int64_t(summary["exit_status"]) == 1);
  CHECK(std::uint64_t(summary["packets"]) == 100);
  CHECK(std::uint64_t(summary["dropped"]) == 17);
  CHECK(std::uint64_t(summary["ignored"]) == 1);
  CHECK(std::string_view(summary["digest"]) == "00000000000000010000000000000abc");
  CHECK(std::uint64_t(summary.at_pointer("/packet_rings/1/dropped")) == 10);
  CHECK(std::string_view(summary.at_pointer("/stages/2/stage")) == "observer");
  CHECK(std::uint64_t(summary.at_pointer("/stages/3/counters/flows_written")) == 7);
  CHECK(bool(summary.at_pointer("/ledger/balanced")));
  CHECK(std::uint64_t(summary.at_pointer("/ledger/sums/0/left")) == 100);
  CHECK(summary["plugin"].error() == simdjson::NO_SUCH_FIELD);
  CHECK(summary["jobs"].error() == simdjson::NO_SUCH_FIELD);
}

TEST_CASE("the summary of a measurement has its jobs, its connections, and what was missed by cause") {
  RunDescription run;
  run.plugin = "ecn";
  run.connect = "tcp";
  run.jobs = "-";
  const auto snapshot = balanced_measurement();
  simdjson::dom::parser parser;
  const auto text = summary_json(run, RunResult{}, snapshot, draw_ledger(snapshot));
  const simdjson::dom::element summary = parser.parse(text);
  CHECK(std::string_view(summary["plugin"]) == "ecn");
  CHECK(std::string_view(summary["connect"]) == "tcp");
  CHECK(summary["source"].is_null());
  CHECK(std::uint64_t(summary.at_pointer("/jobs/taken")) == 12);
  CHECK(std::uint64_t(summary.at_pointer("/jobs/bad_lines")) == 5);
  CHECK(std::uint64_t(summary.at_pointer("/connections/made")) == 24);
  CHECK(std::uint64_t(summary.at_pointer("/connections/observed")) == 5);
  CHECK(std::uint64_t(summary.at_pointer("/missed/ring_drop")) == 6);
  CHECK(std::uint64_t(summary.at_pointer("/stages/4/counters/lines_duplicate")) == 3);
  CHECK(bool(summary.at_pointer("/ledger/balanced")));
}

TEST_CASE("table and Prometheus text show a measurement's spider, and jobs instead of flows at its merger") {
  const auto snapshot = balanced_measurement();
  const auto table = stats_table(snapshot);
  CHECK(contains(table, "12 jobs"));
  CHECK(contains(table, "connections_ok 20 connections_failed 3"));
  CHECK(contains(table, "missed_never_seen 7"));
  CHECK(contains(stats_prometheus(snapshot), "orbweaver_spider_jobs_taken{session=\"night\",index=\"0\"} 12\n"));
}

TEST_CASE("Prometheus text has each metric once, with help and type before its samples") {
  const auto text = stats_prometheus(balanced_snapshot());
  CHECK(contains(text, "# HELP orbweaver_capture_packets_read packets that the source gave\n"
                       "# TYPE orbweaver_capture_packets_read counter\n"
                       "orbweaver_capture_packets_read{session=\"night\",index=\"0\"} 100\n"));
  CHECK(contains(text, "# TYPE orbweaver_observer_flows_open gauge\n"));
  CHECK(contains(text, "orbweaver_observer_packets_received{session=\"night\",index=\"1\"} 30\n"));
  CHECK(contains(text, "orbweaver_capture_dropped_on{session=\"night\",observer=\"1\"} 10\n"));
  CHECK(contains(text, "orbweaver_ring_fill_octets{session=\"night\",ring=\"night.packets.0\"} 262144\n"));
  CHECK(contains(text, "orbweaver_stage_up{session=\"night\",stage=\"merger\",index=\"0\"} 0\n"));
  const auto first = text.find("# TYPE orbweaver_ring_records ");
  CHECK(first != std::string::npos);
  CHECK(text.find("# TYPE orbweaver_ring_records ", first + 1) == std::string::npos);
}

TEST_CASE("Prometheus text has times in seconds") {
  auto snapshot = balanced_snapshot();
  snapshot.stages[0].counters[CaptureCounter::stall_max_ns] = 1'020'000'000;
  CHECK(contains(stats_prometheus(snapshot),
                 "# TYPE orbweaver_capture_stall_max_seconds gauge\n"
                 "orbweaver_capture_stall_max_seconds{session=\"night\",index=\"0\"} 1.020000000\n"));
}

TEST_CASE("messages are shown by the table, as JSON, and as Prometheus text with its escapes") {
  auto snapshot = balanced_snapshot();
  snapshot.stages[1].messages = {
      {MessageLevel::error, "a \"quoted\\ path\"", 1000, 1'700'000'000'500'000'000, 1'700'000'009'000'000'000},
      {MessageLevel::warning, "", 3, 1, 2}};
  CHECK(contains(stats_table(snapshot), " 0 error           1,000  "));
  CHECK(contains(stats_table(snapshot), " a \"quoted\\ path\"\n"));
  CHECK(contains(stats_table(snapshot), " (messages of further kinds)\n"));
  simdjson::dom::parser parser;
  const auto text = stats_json(snapshot);
  const simdjson::dom::element json = parser.parse(text);
  CHECK(std::string_view(json.at_pointer("/stages/1/messages/0/level")) == "error");
  CHECK(std::string_view(json.at_pointer("/stages/1/messages/0/text")) == "a \"quoted\\ path\"");
  CHECK(std::uint64_t(json.at_pointer("/stages/1/messages/0/count")) == 1000);
  CHECK(double(json.at_pointer("/stages/1/messages/0/first_s")) == 1'700'000'000.5);
  CHECK(json.at_pointer("/stages/1/messages/1/text").is_null());
  CHECK(simdjson::dom::array(json.at_pointer("/stages/0/messages")).size() == 0);
  CHECK(contains(stats_prometheus(snapshot),
                 "# TYPE orbweaver_stage_messages counter\n"
                 "orbweaver_stage_messages{session=\"night\",stage=\"observer\",index=\"0\",level=\"error\","
                 "message=\"a \\\"quoted\\\\ path\\\"\"} 1000\n"));
  CHECK_FALSE(contains(stats_prometheus(balanced_snapshot()), "orbweaver_stage_messages"));
}

TEST_CASE("what capture counts by observer is in JSON, for as many as there are") {
  auto snapshot = balanced_snapshot();
  const auto by_observer = [](const Snapshot& of) {
    simdjson::dom::parser parser;
    const simdjson::dom::element json = parser.parse(stats_json(of));
    return simdjson::minify(json.at_pointer("/stages/0/by_observer"));
  };
  CHECK(by_observer(snapshot) == R"({"delivered_to":[50,30],"dropped_on":[0,10]})");
  std::erase_if(snapshot.stages, [](const auto& stage) { return stage.kind == StageKind::observer; });
  snapshot.stages[0].counters[CaptureCounter::dropped_on + 2] = 1; // capture alone: what it gave packets to
  CHECK(by_observer(snapshot) == R"({"delivered_to":[50,30,0],"dropped_on":[0,10,1]})");
}

TEST_CASE("the table shows the longest stall of a stage") {
  auto snapshot = balanced_snapshot();
  const auto shown = [&](std::uint64_t ns) {
    snapshot.stages[3].counters[MergerCounter::stall_max_ns] = ns;
    return stats_table(snapshot);
  };
  CHECK(contains(shown(1'020'000'000), "/s   1.02 s "));
  CHECK(contains(shown(120'000'000), "/s   120 ms "));
  CHECK(contains(shown(300'000), "/s   0.3 ms "));
}

TEST_CASE("the table fits a terminal: what is too long for a line goes on in the next, in whole items") {
  auto snapshot = balanced_measurement();
  snapshot.stages[1].messages = {{MessageLevel::warning, std::string(200, 'w'), 1, 1, 2},
                                 {MessageLevel::warning, "some words that go on " + std::string(40, 'x'), 1, 1, 2}};
  for (const std::size_t columns : {80, 120}) {
    std::istringstream table(stats_table(snapshot, nullptr, columns));
    std::string all;
    for (std::string line; std::getline(table, line); all += line + "\n")
      CHECK_MESSAGE((line.size() <= columns || contains(line, std::string(200, 'w'))), line);
    CHECK(contains(all, "connections_timeout 1"));
    CHECK(contains(all, std::string(40, 'x')));
  }
}

TEST_CASE("the document of counters has a line for each") {
  const auto text = counters_document();
  CHECK(contains(text, "\n## spider\n"));
  CHECK(contains(text, "\n| `flows_open` | gauge | flows | flows in the table |\n"));
  CHECK(contains(text, "\n| `dropped_on` | counter | packets | packets lost on the ring to that observer (one for each "
                       "observer) |\n"));
}

TEST_CASE("the table shows rates since the snapshot before, or since the session began") {
  auto before = balanced_snapshot();
  auto now = before;
  now.taken_ns = before.taken_ns + 500'000'000;
  now.stages[0].counters[CaptureCounter::packets_read] += 1'000'000;
  CHECK(contains(stats_table(before), "50/s"));
  const auto table = stats_table(now, &before);
  CHECK(contains(table, "2,000,000/s"));
  CHECK(contains(table, "1,000,100 packets"));
  CHECK(contains(table, " 25.0 %"));
}

TEST_CASE("the progress line has percent and time left for a file alone") {
  auto snapshot = balanced_snapshot();
  CHECK(progress_line(snapshot, 1'234'567, 0) == "100 packets, 1.23 Mpkt/s, 7 flows, 17 dropped");
  snapshot.stages[0].counters[CaptureCounter::size_octets] = 1000;
  snapshot.stages[0].counters[CaptureCounter::position_octets] = 250;
  CHECK(progress_line(snapshot, 12'345, 10) == "100 packets, 12.3 kpkt/s, 7 flows, 17 dropped, 25 %, 1:15 min left");
  CHECK(progress_line(snapshot, 950, 0) == "100 packets, 950 pkt/s, 7 flows, 17 dropped, 25 %");
}

TEST_CASE("the progress line of a measurement has jobs and connections") {
  auto snapshot = balanced_measurement();
  auto& spider = snapshot.stages.back().counters;
  spider[SpiderCounter::connections_open] = 1234;
  CHECK(progress_line(snapshot, 2500.4, 0) == "12 jobs, 2500 jobs/s, 1,234 connections open, 17 dropped");
  spider[SpiderCounter::size_octets] = 1000;
  spider[SpiderCounter::position_octets] = 500;
  CHECK(progress_line(snapshot, 100, 50) == "12 jobs, 100 jobs/s, 1,234 connections open, 17 dropped, 50 %, 10 s left");
}

TEST_CASE("large numbers have commas") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1234567890) == "1,234,567,890");
}
