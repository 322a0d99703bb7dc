// SPDX-License-Identifier: GPL-3.0-or-later
// A snapshot of a session as text: a table to read, JSON, and Prometheus' text format.
#pragma once

#include "tools/stats/snapshot.hpp"

#include <string>

namespace orbweaver {

/// A table of stages and rings. With an earlier snapshot, rates since then; without, rates since the session began.
[[nodiscard]] std::string stats_table(const Snapshot& now, const Snapshot* before = nullptr);

/// An object with the session's stages (as in the summary) and rings, indented.
[[nodiscard]] std::string stats_json(const Snapshot& now);

/// The same on one line.
[[nodiscard]] std::string stats_json_line(const Snapshot& now);

/// Text format 0.0.4: each counter as orbweaver_STAGE_NAME with the labels session and index; packets by observer;
/// capacity, fill and records of the rings.
[[nodiscard]] std::string stats_prometheus(const Snapshot& now);

} // namespace orbweaver
