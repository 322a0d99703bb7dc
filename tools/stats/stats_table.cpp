// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/progress.hpp"
#include "tools/stats/stats_formats.hpp"

#include <spdlog/fmt/fmt.h>
#include <string_view>
#include <vector>

namespace orbweaver {

namespace {

/// The most telling counter of a stage, with its rate, then what else matters.
struct Row {
  std::size_t main;
  std::string_view unit;
  std::vector<std::size_t> others;
};

Row row_of(const Snapshot& now, StageKind kind) {
  namespace C = CaptureCounter;
  namespace O = ObserverCounter;
  namespace S = SpiderCounter;
  namespace M = MergerCounter;
  switch (kind) {
  case StageKind::capture:
    return {C::packets_read, "packets", {C::dropped_ring, C::dropped_source, C::non_ip, C::short_packets, C::filtered}};
  case StageKind::observer:
    return {O::packets_received, "packets", {O::flows_open, O::flows_opened, O::flows_emitted, O::packets_lost}};
  case StageKind::spider:
    return {S::jobs_finished,
            "jobs",
            {S::jobs_open, S::connections_open, S::connections_ok, S::connections_failed, S::connections_timeout}};
  case StageKind::merger:
    if (now.has(StageKind::spider))
      return {M::jobs_written,
              "jobs",
              {M::jobs_waiting, M::connections_joined, M::missed_never_seen, M::missed_ring_drop, M::flows_unclaimed}};
    return {M::flows_received, "flows", {M::flows_written, M::flows_dropped, M::octets_written}};
  }
  return {0, "", {}};
}

double rate(const Snapshot& now, const Snapshot* before, std::size_t stage, std::size_t counter) {
  const auto value = now.stages[stage].counter(counter);
  if (!before || before->stages.size() <= stage)
    return now.age_s > 0 ? static_cast<double>(value) / now.age_s : 0;
  const double seconds = static_cast<double>(now.taken_ns - before->taken_ns) / 1e9;
  return seconds > 0 ? static_cast<double>(value - before->stages[stage].counter(counter)) / seconds : 0;
}

std::string stage_line(const Snapshot& now, const Snapshot* before, std::size_t place) {
  const auto& stage = now.stages[place];
  const auto row = row_of(now, stage.kind);
  auto line = fmt::format("{:<9}{:>3} {:>8}  {:<8} {:>16} {:<7} {:>14}/s  ", to_string(stage.kind), stage.index,
                          stage.pid, to_string(stage.state), with_commas(stage.counter(row.main)), row.unit,
                          with_commas(static_cast<std::uint64_t>(rate(now, before, place, row.main))));
  const auto infos = counters_of(stage.kind);
  for (const auto counter : row.others)
    line += fmt::format(" {} {}", infos[counter].name, with_commas(stage.counter(counter)));
  return line + "\n";
}

std::string ring_line(const RingSnapshot& ring) {
  return fmt::format("{:<32} {:>11} KiB {:>5.1f} % {:>18} {:>12}\n", ring.name, with_commas(ring.capacity_octets >> 10),
                     100.0 * static_cast<double>(ring.fill_octets) / static_cast<double>(ring.capacity_octets),
                     with_commas(ring.records), with_commas(ring.dropped));
}

} // namespace

std::string stats_table(const Snapshot& now, const Snapshot* before) {
  auto text = fmt::format("session {}, {:.1f} s old\n\n", now.session, now.age_s);
  text += fmt::format("{:<12} {:>8}  {:<8} {:>24} {:>16}   {}\n", "STAGE", "PID", "STATE", "DONE", "RATE", "AND");
  for (std::size_t i = 0; i < now.stages.size(); ++i)
    text += stage_line(now, before, i);
  if (now.rings.empty())
    return text;
  text += fmt::format("\n{:<32} {:>15} {:>7} {:>18} {:>12}\n", "RING", "CAPACITY", "FILL", "RECORDS", "DROPPED");
  for (const auto& ring : now.rings)
    text += ring_line(ring);
  return text;
}

} // namespace orbweaver
