// SPDX-License-Identifier: GPL-3.0-or-later
// A snapshot of a session as text: a table to read, JSON, and Prometheus' text format.
#pragma once

#include "tools/stats/snapshot.hpp"

#include <cstddef>
#include <string>

namespace orbweaver {

/// A table of stages, messages and rings. With an earlier snapshot, rates since then; without, rates since the session
/// began. What is longer than `columns` goes on in the next line; 0: nothing is.
[[nodiscard]] std::string stats_table(const Snapshot& now, const Snapshot* before = nullptr, std::size_t columns = 0);

/// An object with the session's stages (as in the summary) and rings, indented.
[[nodiscard]] std::string stats_json(const Snapshot& now);

/// The same on one line.
[[nodiscard]] std::string stats_json_line(const Snapshot& now);

/// Text format 0.0.4: each counter as orbweaver_STAGE_NAME with the labels session and index; packets by observer;
/// messages by stage, level and text; capacity, fill and records of the rings. Times are in seconds.
[[nodiscard]] std::string stats_prometheus(const Snapshot& now);

/// All counters of all stages as Markdown: docs/counters.md.
[[nodiscard]] std::string counters_document();

} // namespace orbweaver
