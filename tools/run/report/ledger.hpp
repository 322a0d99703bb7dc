// SPDX-License-Identifier: GPL-3.0-or-later
// The ledger: every packet and every flow of a run is accounted for, by cause. Sums over the counters of all stages, to
// be drawn when all have ended.
#pragma once

#include "tools/stats/snapshot.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orbweaver {

/// One equation of the ledger.
struct LedgerSum {
  std::string name; ///< "packets read = non-ip + short + filtered + duplicates + dropped + delivered"
  std::uint64_t whole = 0;
  std::uint64_t parts = 0;

  [[nodiscard]] bool balanced() const noexcept { return whole == parts; }
  /// The name, and by how much its sides differ.
  [[nodiscard]] std::string text() const;
};

struct Ledger {
  std::vector<LedgerSum> sums;

  [[nodiscard]] bool balanced() const noexcept;
};

[[nodiscard]] Ledger draw_ledger(const Snapshot& snapshot);

} // namespace orbweaver
