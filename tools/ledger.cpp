// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/ledger.hpp"

#include <algorithm>

namespace orbweaver {

std::string LedgerSum::text() const {
  return name + ": " + std::to_string(whole) + (balanced() ? " = " : " is not ") + std::to_string(parts);
}

bool Ledger::balanced() const noexcept {
  return std::all_of(sums.begin(), sums.end(), [](const LedgerSum& sum) { return sum.balanced(); });
}

Ledger draw_ledger(const Snapshot& snapshot) {
  namespace C = CaptureCounter;
  namespace O = ObserverCounter;
  namespace M = MergerCounter;
  const auto capture = [&](std::size_t place) { return snapshot.sum(StageKind::capture, place); };
  const auto observers = [&](std::size_t place) { return snapshot.sum(StageKind::observer, place); };
  const auto merger = [&](std::size_t place) { return snapshot.sum(StageKind::merger, place); };

  std::uint64_t delivered = 0, dropped = 0;
  for (std::size_t i = 0; i < max_observers; ++i) {
    delivered += capture(C::delivered_to + i);
    dropped += capture(C::dropped_on + i);
  }
  Ledger ledger;
  ledger.sums.push_back({"packets read = non-ip + short + filtered + dropped on rings + delivered",
                         capture(C::packets_read),
                         capture(C::non_ip) + capture(C::short_packets) + capture(C::filtered) + dropped + delivered});
  for (const auto& stage : snapshot.stages) {
    if (stage.kind != StageKind::observer)
      continue;
    const auto name = "observer " + std::to_string(stage.index);
    ledger.sums.push_back({"packets delivered to " + name + " = received by it", capture(C::delivered_to + stage.index),
                           stage.counter(O::packets_received)});
    ledger.sums.push_back({"packets received by " + name + " = ignored + counted in flows",
                           stage.counter(O::packets_received),
                           stage.counter(O::packets_ignored) + stage.counter(O::packets_counted)});
    ledger.sums.push_back(
        {"flows opened by " + name + " = emitted + open + dropped", stage.counter(O::flows_opened),
         stage.counter(O::flows_emitted) + stage.counter(O::flows_open) + stage.counter(O::flows_dropped)});
  }
  ledger.sums.push_back(
      {"flows emitted = received by the merger", observers(O::flows_emitted), merger(M::flows_received)});
  ledger.sums.push_back({"flows received = written + dropped", merger(M::flows_received),
                         merger(M::flows_written) + merger(M::flows_dropped)});
  return ledger;
}

} // namespace orbweaver
