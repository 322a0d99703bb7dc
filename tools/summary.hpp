// SPDX-License-Identifier: GPL-3.0-or-later
// The summary of a run as JSON, for `--summary`.
#pragma once

#include "tools/ledger.hpp"
#include "tools/observe_options.hpp"
#include "tools/supervisor.hpp"

#include <string>

namespace orbweaver {

class JsonWriter;

/// Writes the stages with their counters by name: an array of {"stage", "index", "state", "counters"}.
void write_stages(JsonWriter& json, const Snapshot& snapshot);

/// The summary: one object, indented. What its members mean is told in orbweaver(1).
[[nodiscard]] std::string summary_json(const ObserveOptions& options, const RunResult& result, const Snapshot& snapshot,
                                       const Ledger& ledger);

} // namespace orbweaver
