// SPDX-License-Identifier: GPL-3.0-or-later
// One run of a session, passive or active, from its plan to its exit status.
#pragma once

#include "tools/run/options/run_options.hpp"
#include "tools/run/report/summary.hpp"
#include "tools/run/run_plan.hpp"

namespace orbweaver {

/// Starts the stages, watches them to their end, draws the ledger, says what was done on standard error, and writes the
/// summary. Returns the exit status. Throws Error for what stands in the way of a start.
int run(const RunPlan& plan, const RunOptions& options, const RunDescription& description);

} // namespace orbweaver
