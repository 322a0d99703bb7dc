// SPDX-License-Identifier: GPL-3.0-or-later
// All plugins that the spider has: the built-in ones and those of shared objects. At start-up.
#pragma once

#include "common/stream/description.hpp"
#include "spider/plugin.hpp"

#include <string>
#include <vector>

namespace orbweaver {

/// By name. A plugin of a shared object whose name is taken, or that check_plugin() finds wrong, is left out with a
/// warning.
[[nodiscard]] std::vector<PluginEntry> find_plugins();

/// Why a plugin cannot be on a command line as it describes itself, or an empty string: its name, connect kinds and
/// options.
[[nodiscard]] std::string check_plugin(const PluginDescription& plugin);

/// Why a plugin that was made and configured cannot be run, or an empty string: its connections, and so many
/// configurations.
[[nodiscard]] std::string why_not_runnable(const PluginDescription& description, const Plugin& plugin,
                                           std::size_t configurations);

/// The stream of jobs of a plugin that was configured with these arguments: it tells who reads it how it was run.
[[nodiscard]] StreamDescription job_stream_of(const PluginDescription& description, const PluginArguments& arguments,
                                              const Plugin& plugin);

} // namespace orbweaver
