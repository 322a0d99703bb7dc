// SPDX-License-Identifier: GPL-3.0-or-later
// All plugins that the spider has: the built-in ones and those of shared objects. At start-up.
#pragma once

#include "common/stream/description.hpp"
#include "spider/plugin.hpp"

#include <string>
#include <vector>

namespace orbweaver {

/// By name. A plugin of a shared object whose name is taken, or is fit for no command line, is left out with a warning.
[[nodiscard]] std::vector<PluginEntry> find_plugins();

/// The stream of jobs of a plugin that was configured with these arguments: it tells who reads it how it was run.
[[nodiscard]] StreamDescription job_stream_of(const PluginDescription& description, const PluginArguments& arguments,
                                              const Plugin& plugin);

} // namespace orbweaver
