// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/tools/snapshot_maker.hpp"
#include "tools/ledger.hpp"

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
  CHECK(ledger.sums.size() == 3 + 2 * 3);
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
  CHECK(closing_line(totals_of(balanced_snapshot())) ==
        "processed 100 packets (17 dropped, 3 short, 5 non-ip) into 7 flows (1 ignored)");
}

TEST_CASE("the digest is 32 digits, its high half first") {
  CHECK(digest_of(balanced_snapshot()) == "00000000000000010000000000000abc");
}
