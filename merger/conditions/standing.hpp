// SPDX-License-Identifier: GPL-3.0-or-later
// What may be said of the path from a connection, before its plugin says anything: whether its packets left this
// machine, whether they were what the plugin's configuration makes of them (Treatment), and whether it was our own side
// that failed. The same for every plugin. No state.
#pragma once

#include "merger/conditions.hpp"

#include <span>
#include <vector>

namespace orbweaver {

/// Fields beside the combiner's that this reads where a stream has them. Where it has not, less is known.
[[nodiscard]] std::span<const FieldUse> standing_fields() noexcept;

/// Of each connection. `flows` know standing_fields() too. Throws std::out_of_range where the run has no value of an
/// option that a treatment names.
[[nodiscard]] std::vector<Standing> standings_of(std::span<const JobFlow* const> flows, const PluginRun& run,
                                                 const CombinerEntry& entry);

/// Adds pathspider.pmtu_suspect where a connection that may be spoken of was opened, waited for an answer to its end,
/// and no segment as large as both sides take them got through, while small ones did.
void hint_at_mtu(const JobFlows& flows, Conditions& conditions);

} // namespace orbweaver
