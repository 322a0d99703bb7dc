// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots of small finished sessions, whose ledgers balance, for tests to change.
#pragma once

#include "tools/stats/snapshot.hpp"

namespace orbweaver {

/// One capture, two observers, one merger: 100 packets, of which 5 non-IP, 3 short, 2 filtered, 10 dropped on ring 1,
/// 50 and 30 delivered; 4 and 3 flows, one vetoed by the first observer.
inline Snapshot balanced_snapshot() {
  namespace C = CaptureCounter;
  namespace O = ObserverCounter;
  namespace M = MergerCounter;
  Snapshot snapshot;
  snapshot.session = "night";
  snapshot.age_s = 2;
  const auto add = [&](StageKind kind, std::uint32_t index) -> std::vector<std::uint64_t>& {
    snapshot.stages.push_back({kind, index, StageState::finished, 42, std::vector<std::uint64_t>(max_counters)});
    return snapshot.stages.back().counters;
  };
  auto& capture = add(StageKind::capture, 0);
  capture[C::packets_read] = 100;
  capture[C::non_ip] = 5;
  capture[C::short_packets] = 3;
  capture[C::filtered] = 2;
  capture[C::dropped_ring] = capture[C::dropped_on + 1] = 10;
  capture[C::dropped_source] = 7;
  capture[C::delivered_to] = 50;
  capture[C::delivered_to + 1] = 30;
  const auto add_observer = [&](std::uint32_t index, std::uint64_t packets, std::uint64_t ignored,
                                std::uint64_t flows) {
    auto& observer = add(StageKind::observer, index);
    observer[O::packets_received] = packets;
    observer[O::packets_ignored] = ignored;
    observer[O::packets_counted] = packets - ignored;
    observer[O::flows_opened] = observer[O::flows_emitted] = flows;
  };
  add_observer(0, 50, 4, 4);
  snapshot.stages.back().counters[O::flows_vetoed] = 1;
  add_observer(1, 30, 0, 3);
  auto& merger = add(StageKind::merger, 0);
  merger[M::flows_received] = merger[M::flows_written] = 7;
  merger[M::digest_low] = 0xabc;
  merger[M::digest_high] = 0x1;
  snapshot.rings.push_back({"night.packets.0", 1 << 20, 1 << 18, 55, 10});
  return snapshot;
}

/// The same with a spider, which took 12 of 20 lines (5 bad, 3 duplicates) as jobs, two connections each: 20 ok, 3
/// failed, 1 timed out; 5 of the 7 flows belong to a connection, and 19 connections were missed.
inline Snapshot balanced_measurement() {
  namespace M = MergerCounter;
  namespace S = SpiderCounter;
  Snapshot snapshot = balanced_snapshot();
  auto& merger = snapshot.stages.back().counters;
  merger[M::flows_written] = 0;
  merger[M::flows_joined] = 5;
  merger[M::flows_unclaimed] = 2;
  merger[M::connections_received] = 24;
  merger[M::connections_joined] = 5;
  merger[M::missed_never_seen] = 7;
  merger[M::missed_ring_drop] = 6;
  merger[M::missed_expired] = 2;
  merger[M::missed_no_port] = 1;
  merger[M::missed_not_sent] = 3;
  merger[M::jobs_received] = merger[M::jobs_written] = 12;
  snapshot.stages.push_back({StageKind::spider, 0, StageState::finished, 43, std::vector<std::uint64_t>(max_counters)});
  auto& spider = snapshot.stages.back().counters;
  spider[S::lines_read] = 20;
  spider[S::lines_bad] = 5;
  spider[S::lines_duplicate] = 3;
  spider[S::jobs_taken] = spider[S::jobs_finished] = 12;
  spider[S::connections_ok] = 20;
  spider[S::connections_failed] = 3;
  spider[S::connections_timeout] = 1;
  return snapshot;
}

} // namespace orbweaver
