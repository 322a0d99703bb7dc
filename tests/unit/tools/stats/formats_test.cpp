// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/tools/stats/snapshot_maker.hpp"
#include "tools/run/progress.hpp"
#include "tools/run/summary.hpp"
#include "tools/stats/stats_formats.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <simdjson.h>

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
  CHECK(contains(table, "missed_never_seen 10"));
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

TEST_CASE("the help of a counter stands alone") {
  for (const auto kind : {StageKind::capture, StageKind::observer, StageKind::spider, StageKind::merger})
    for (const auto& info : counters_of(kind)) {
      CAPTURE(info.name);
      CHECK_FALSE(info.help.starts_with("of those"));
    }
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
