// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/tools/stats/snapshot_maker.hpp"
#include "tools/run/report/ledger.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

/// The names of the sums that do not balance.
std::vector<std::string> unbalanced(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const auto& sum : draw_ledger(snapshot).sums)
    if (!sum.balanced())
      names.push_back(sum.name);
  return names;
}

} // namespace

TEST_CASE("a session in which nothing got lost balances") {
  const auto ledger = draw_ledger(balanced_snapshot());
  CHECK(ledger.balanced());
  CHECK(ledger.sums.size() == 5 + 2 * 3);
}

TEST_CASE("each counter that is off by one unbalances the sums that it stands in, and no other") {
  const auto off_by_one = [](std::size_t stage, std::size_t counter) {
    auto snapshot = balanced_snapshot();
    ++snapshot.stages[stage].counters[counter];
    return unbalanced(snapshot).size();
  };
  for (const auto place :
       {CaptureCounter::packets_read, CaptureCounter::non_ip, CaptureCounter::short_packets, CaptureCounter::filtered})
    CHECK(off_by_one(0, place) == 1);
  CHECK(off_by_one(0, CaptureCounter::dropped_on) == 1);
  CHECK(off_by_one(0, CaptureCounter::delivered_to + 1) == 2);
  CHECK(off_by_one(1, ObserverCounter::packets_received) == 2);
  CHECK(off_by_one(2, ObserverCounter::packets_counted) == 1);
  CHECK(off_by_one(2, ObserverCounter::packets_ignored) == 1);
  CHECK(off_by_one(1, ObserverCounter::flows_opened) == 1);
  CHECK(off_by_one(1, ObserverCounter::flows_emitted) == 2);
  CHECK(off_by_one(3, MergerCounter::flows_received) == 2);
  CHECK(off_by_one(3, MergerCounter::flows_written) == 1);
  CHECK(off_by_one(1, ObserverCounter::events_emitted) == 1);
  CHECK(off_by_one(3, MergerCounter::events_received) == 2);
  CHECK(off_by_one(3, MergerCounter::events_dropped) == 1);
}

TEST_CASE("a measurement in which nothing got lost balances") {
  const auto ledger = draw_ledger(balanced_measurement());
  for (const auto& sum : ledger.sums)
    CHECK_MESSAGE(sum.balanced(), sum.text());
  CHECK(ledger.sums.size() == 5 + 2 * 3 + 5);
}

TEST_CASE("each counter of spider and merger that is off by one unbalances a measurement") {
  namespace M = MergerCounter;
  namespace S = SpiderCounter;
  const auto off_by_one = [](std::size_t stage, std::size_t counter) {
    auto snapshot = balanced_measurement();
    ++snapshot.stages[stage].counters[counter];
    return unbalanced(snapshot).size();
  };
  for (const auto place : {M::flows_joined, M::flows_unclaimed, M::flows_dropped, M::connections_joined,
                           M::missed_never_seen, M::missed_ring_drop, M::missed_expired, M::missed_no_port,
                           M::missed_not_sent, M::jobs_received, M::jobs_written, M::jobs_dropped})
    CHECK(off_by_one(3, place) == 1);
  CHECK(off_by_one(3, M::flows_received) == 2);
  CHECK(off_by_one(3, M::connections_received) == 2);
  for (const auto place :
       {S::lines_read, S::lines_bad, S::lines_duplicate, S::jobs_finished, S::jobs_open, S::connections_ok,
        S::connections_failed, S::connections_timeout, S::connections_skipped, S::connections_discarded})
    CHECK(off_by_one(4, place) == 1);
  CHECK(off_by_one(4, S::jobs_taken) == 2);
}

TEST_CASE("a run that watches no packets has no sums of packets and of connections") {
  auto snapshot = balanced_measurement();
  snapshot.stages.erase(snapshot.stages.begin(), snapshot.stages.begin() + 3);
  snapshot.stages.front().counters[MergerCounter::connections_received] = 0; // looks names up: connections of no job
  const auto ledger = draw_ledger(snapshot);
  CHECK(ledger.balanced());
  for (const auto& sum : ledger.sums)
    CHECK(sum.name.find("packets") == std::string::npos);
}

TEST_CASE("packets that the source dropped were never read and stand in no sum") {
  auto snapshot = balanced_snapshot();
  snapshot.stages[0].counters[CaptureCounter::dropped_source] += 5;
  CHECK(unbalanced(snapshot).empty());
}

TEST_CASE("a sum that does not balance names both sides") {
  CHECK(LedgerSum{"flows received = written + dropped", 7, 6}.text() ==
        "flows received = written + dropped: 7 is not 6");
  CHECK(LedgerSum{"a = b", 7, 7}.text() == "a = b: 7 = 7");
}

TEST_CASE("packets that a killed capture had no time to count are counted as the observers received them") {
  auto snapshot = balanced_snapshot();
  snapshot.stages.front().counters[CaptureCounter::packets_read] = 12;
  CHECK(totals_of(snapshot).packets == 80);
}

TEST_CASE("the closing line is in the original's words") {
  auto snapshot = balanced_snapshot();
  CHECK(closing_line(totals_of(snapshot)) ==
        "processed 100 packets (17 dropped, 3 short, 5 non-ip, 2 filtered) into 7 flows (1 ignored)");
  snapshot.stages.front().counters[CaptureCounter::filtered] = 0;
  CHECK(closing_line(totals_of(snapshot)) ==
        "processed 100 packets (17 dropped, 3 short, 5 non-ip) into 7 flows (1 ignored)");
}

TEST_CASE("the closing line of a measurement tells jobs, connections, and what was missed by cause") {
  CHECK(closing_line(job_totals_of(balanced_measurement())) ==
        "measured 12 jobs (0 unfinished; 5 bad lines, 3 duplicates) with 24 connections (20 ok, 3 failed, 1 timed out, "
        "0 skipped, 0 discarded), missed 19 flows (7 never seen, 6 ring drop, 2 expired, 1 no port, 3 not sent)");
}

TEST_CASE("jobs that a killed spider had no time to count are counted as the merger received them") {
  auto snapshot = balanced_measurement();
  snapshot.stages.back().counters[SpiderCounter::jobs_taken] = 3;
  CHECK(job_totals_of(snapshot).taken == 3);
  snapshot.stages.back().state = StageState::dead;
  CHECK(job_totals_of(snapshot).taken == 12);
}

TEST_CASE("the digest is 32 digits, its high half first") {
  CHECK(digest_of(balanced_snapshot()) == "00000000000000010000000000000abc");
}
