// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/report/ledger.hpp"

#include <algorithm>

namespace orbweaver {

std::string LedgerSum::text() const {
  return name + ": " + std::to_string(whole) + (balanced() ? " = " : " is not ") + std::to_string(parts);
}

bool Ledger::balanced() const noexcept {
  return std::all_of(sums.begin(), sums.end(), [](const LedgerSum& sum) { return sum.balanced(); });
}

namespace {

namespace C = CaptureCounter;
namespace M = MergerCounter;
namespace O = ObserverCounter;
namespace S = SpiderCounter;

/// The sum of one counter over the stages of a kind.
auto counters(const Snapshot& snapshot, StageKind kind) {
  return [&snapshot, kind](std::size_t place) { return snapshot.sum(kind, place); };
}

void add_packet_sums(Ledger& ledger, const Snapshot& snapshot) {
  const auto capture = counters(snapshot, StageKind::capture);
  std::uint64_t delivered = 0, dropped = 0;
  for (std::size_t i = 0; i < max_observers; ++i) {
    delivered += capture(C::delivered_to + i);
    dropped += capture(C::dropped_on + i);
  }
  ledger.sums.push_back({"packets read = non-ip + short + filtered + duplicates + dropped on rings + delivered",
                         capture(C::packets_read),
                         capture(C::non_ip) + capture(C::short_packets) + capture(C::filtered) +
                             capture(C::duplicates) + dropped + delivered});
  for (const auto& stage : snapshot.stages) {
    if (stage.kind != StageKind::observer)
      continue;
    const auto name = "observer " + std::to_string(stage.index);
    ledger.sums.push_back({"packets delivered to " + name + " = received by it", capture(C::delivered_to + stage.index),
                           stage.counter(O::packets_received)});
    ledger.sums.push_back(
        {"packets received by " + name + " = ignored + counted in flows + broken off",
         stage.counter(O::packets_received),
         stage.counter(O::packets_ignored) + stage.counter(O::packets_counted) + stage.counter(O::packets_broken)});
    ledger.sums.push_back({"flows opened by " + name + " = emitted + open + dropped + broken off",
                           stage.counter(O::flows_opened),
                           stage.counter(O::flows_emitted) + stage.counter(O::flows_open) +
                               stage.counter(O::flows_dropped) + stage.counter(O::flows_broken)});
  }
}

void add_flow_sums(Ledger& ledger, const Snapshot& snapshot) {
  const auto merger = counters(snapshot, StageKind::merger);
  ledger.sums.push_back({"flows emitted = received by the merger", snapshot.sum(StageKind::observer, O::flows_emitted),
                         merger(M::flows_received)});
  if (snapshot.has(StageKind::spider))
    ledger.sums.push_back({"flows received = joined + unclaimed + dropped", merger(M::flows_received),
                           merger(M::flows_joined) + merger(M::flows_unclaimed) + merger(M::flows_dropped)});
  else
    ledger.sums.push_back({"flows received = written + dropped", merger(M::flows_received),
                           merger(M::flows_written) + merger(M::flows_dropped)});
  ledger.sums.push_back({"events emitted = received by the merger",
                         snapshot.sum(StageKind::observer, O::events_emitted), merger(M::events_received)});
  ledger.sums.push_back({"events received = written + dropped", merger(M::events_received),
                         merger(M::events_written) + merger(M::events_dropped)});
}

void add_job_sums(Ledger& ledger, const Snapshot& snapshot) {
  const auto spider = counters(snapshot, StageKind::spider);
  const auto merger = counters(snapshot, StageKind::merger);
  const auto totals = job_totals_of(snapshot);
  ledger.sums.push_back({"lines read = bad + duplicate + jobs taken", spider(S::lines_read),
                         spider(S::lines_bad) + spider(S::lines_duplicate) + spider(S::jobs_taken)});
  ledger.sums.push_back({"jobs taken = finished + under way + broken off", spider(S::jobs_taken),
                         spider(S::jobs_finished) + spider(S::jobs_open) + spider(S::jobs_broken)});
  ledger.sums.push_back({"jobs received = written + dropped", merger(M::jobs_received),
                         merger(M::jobs_written) + merger(M::jobs_dropped)});
  if (!snapshot.has(StageKind::capture))
    return; // nobody watched: the merger is told of no connections
  ledger.sums.push_back(
      {"connections made = received by the merger", totals.connections, merger(M::connections_received)});
  ledger.sums.push_back({"connections received = joined + missed by cause", merger(M::connections_received),
                         totals.observed + totals.missed()});
}

} // namespace

Ledger draw_ledger(const Snapshot& snapshot) {
  Ledger ledger;
  if (snapshot.has(StageKind::capture)) {
    add_packet_sums(ledger, snapshot);
    add_flow_sums(ledger, snapshot);
  }
  if (snapshot.has(StageKind::spider))
    add_job_sums(ledger, snapshot);
  return ledger;
}

} // namespace orbweaver
