// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/stats/snapshot.hpp"

#include "common/stream/ring/shared_memory.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <chrono>
#include <spdlog/fmt/fmt.h>

namespace orbweaver {

bool Snapshot::has(StageKind kind) const noexcept {
  return std::any_of(stages.begin(), stages.end(), [&](const auto& stage) { return stage.kind == kind; });
}

std::size_t Snapshot::observers() const noexcept {
  std::size_t count = 0;
  for (const auto& stage : stages)
    if (stage.kind == StageKind::observer)
      count = std::max<std::size_t>(count, stage.index + 1);
  if (count > 0)
    return std::min(count, max_observers);
  namespace C = CaptureCounter;
  count = max_observers;
  while (count > 0 && sum(StageKind::capture, C::delivered_to + count - 1) == 0 &&
         sum(StageKind::capture, C::dropped_on + count - 1) == 0)
    --count;
  return count;
}

std::uint64_t Snapshot::sum(StageKind kind, std::size_t place) const noexcept {
  std::uint64_t total = 0;
  for (const auto& stage : stages)
    if (stage.kind == kind)
      total += stage.counter(place);
  return total;
}

Snapshot take_snapshot(const Session& session, std::span<const Ring> rings) {
  Snapshot snapshot;
  snapshot.session = session.name();
  snapshot.taken_ns = monotonic_ns();
  const auto now_ns = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  const auto started_ns = session.control().started_ns;
  snapshot.age_s = now_ns > started_ns ? static_cast<double>(now_ns - started_ns) / 1e9 : 0;
  for (const auto& block : session.stages()) {
    const StageKind kind = block.kind; // read once: a stage that was taken over may write anything there
    if (std::ranges::find(all_stage_kinds, kind) == std::end(all_stage_kinds))
      continue;
    StageSnapshot stage{kind,
                        block.index,
                        block.state.load(std::memory_order_acquire), // pairs with ~Stage
                        block.process.pid.load(std::memory_order_relaxed),
                        std::vector<std::uint64_t>(max_counters),
                        block.messages.read(),
                        block.restarts.load(std::memory_order_relaxed)};
    for (std::size_t i = 0; i < max_counters; ++i)
      stage.counters[i] = block.counter(i);
    for (const auto& counter : counters_of(kind))
      if (counter.name == "restarts")
        stage.counters[counter.place] = stage.restarts;
    snapshot.stages.push_back(std::move(stage));
  }
  for (const auto& ring : rings) {
    const auto& header = ring.header();
    snapshot.rings.push_back({ring.name().substr(segment_prefix.size()), ring.capacity_bytes(), ring.fill_bytes(),
                              header.producer.records.load(std::memory_order_relaxed),
                              header.producer.dropped.load(std::memory_order_relaxed)});
  }
  return snapshot;
}

Totals totals_of(const Snapshot& snapshot) noexcept {
  const auto capture = [&](std::size_t place) { return snapshot.sum(StageKind::capture, place); };
  const auto observer = [&](std::size_t place) { return snapshot.sum(StageKind::observer, place); };
  // A capture that was killed had no time to tell of its last packets, but the observers have got them.
  return {std::max(capture(CaptureCounter::packets_read), observer(ObserverCounter::packets_received)),
          capture(CaptureCounter::dropped_source) + capture(CaptureCounter::dropped_ring),
          capture(CaptureCounter::filtered),
          capture(CaptureCounter::short_packets),
          capture(CaptureCounter::non_ip),
          observer(ObserverCounter::flows_opened),
          observer(ObserverCounter::flows_vetoed)};
}

std::string closing_line(const Totals& totals) {
  const auto filtered = totals.filtered != 0 ? fmt::format(", {} filtered", totals.filtered) : std::string();
  return fmt::format("processed {} packets ({} dropped, {} short, {} non-ip{}) into {} flows ({} ignored)",
                     totals.packets, totals.dropped, totals.short_packets, totals.non_ip, filtered, totals.flows,
                     totals.ignored);
}

JobTotals job_totals_of(const Snapshot& snapshot) noexcept {
  namespace S = SpiderCounter;
  namespace M = MergerCounter;
  const auto spider = [&](std::size_t place) { return snapshot.sum(StageKind::spider, place); };
  const auto merger = [&](std::size_t place) { return snapshot.sum(StageKind::merger, place); };
  JobTotals totals;
  // As with packets: a spider that was killed had no time to tell of its last jobs.
  const bool died = std::any_of(snapshot.stages.begin(), snapshot.stages.end(), [](const auto& stage) {
    return stage.kind == StageKind::spider && stage.state == StageState::dead;
  });
  totals.taken = died ? std::max(spider(S::jobs_taken), merger(M::jobs_received)) : spider(S::jobs_taken);
  totals.unfinished = merger(M::jobs_unfinished);
  totals.not_routed = spider(S::jobs_not_routed);
  totals.bad_lines = spider(S::lines_bad);
  totals.duplicates = spider(S::lines_duplicate);
  totals.ok = spider(S::connections_ok);
  totals.failed = spider(S::connections_failed);
  totals.timeout = spider(S::connections_timeout);
  totals.skipped = spider(S::connections_skipped);
  totals.discarded = spider(S::connections_discarded);
  totals.connections = totals.ok + totals.failed + totals.timeout + totals.skipped + totals.discarded;
  totals.observed = merger(M::connections_joined);
  totals.never_seen = merger(M::missed_never_seen);
  totals.ring_drop = merger(M::missed_ring_drop);
  totals.expired = merger(M::missed_expired);
  totals.no_port = merger(M::missed_no_port);
  totals.not_sent = merger(M::missed_not_sent);
  return totals;
}

std::string closing_line(const JobTotals& totals) {
  return fmt::format("measured {} jobs ({} unfinished; {} bad lines, {} duplicates) with {} connections ({} ok, {} "
                     "failed, {} timed out, {} skipped, {} discarded), missed {} flows ({} never seen, {} ring drop, "
                     "{} expired, {} no port, {} not sent)",
                     totals.taken, totals.unfinished, totals.bad_lines, totals.duplicates, totals.connections,
                     totals.ok, totals.failed, totals.timeout, totals.skipped, totals.discarded, totals.missed(),
                     totals.never_seen, totals.ring_drop, totals.expired, totals.no_port, totals.not_sent);
}

std::string digest_of(const Snapshot& snapshot) {
  const auto merger = std::ranges::find(snapshot.stages, StageKind::merger, &StageSnapshot::kind);
  if (merger == snapshot.stages.end() ||
      (merger->state != StageState::finished && merger->state != StageState::stopped))
    return {};
  return fmt::format("{:016x}{:016x}", merger->counters[MergerCounter::digest_high],
                     merger->counters[MergerCounter::digest_low]);
}

} // namespace orbweaver
