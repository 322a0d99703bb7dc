// SPDX-License-Identifier: GPL-3.0-or-later
// A snapshot of a small finished session, whose ledger balances, for tests to change.
#pragma once

#include "tools/snapshot.hpp"

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

} // namespace orbweaver
