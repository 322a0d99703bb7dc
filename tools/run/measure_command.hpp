// SPDX-License-Identifier: GPL-3.0-or-later
// `orbweaver measure`: one measurement from its command line to its exit status.
#pragma once

#include "tools/run/options/measure_options.hpp"
#include "tools/run/run_plan.hpp"

#include <string>

namespace orbweaver {

/// The processes of a measurement: capture on the interface, observers with the plugin's chains, the merger and the
/// spider, which starts last. Without chains spider and merger alone.
[[nodiscard]] RunPlan measure_plan(const MeasureOptions& options, const MeasureOptions::Choice& choice,
                                   std::uint32_t needs);

/// The same, with an idle timeout that no connection outlives: where it is short by default, longer. Throws UsageError
/// where the user made it shorter.
[[nodiscard]] MeasureOptions with_idle_timeout(MeasureOptions options);

/// What is wrong where connections are given up before their flows can have come, or nothing.
[[nodiscard]] std::string late_flows_warning(const MeasureOptions& options);

/// Puts back what a killed measurement left changed in the system, runs this one, and returns the exit status. Throws
/// Error for what stands in the way of a start.
int measure(const MeasureOptions& options);

} // namespace orbweaver
