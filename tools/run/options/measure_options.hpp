// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of `orbweaver measure`.
#pragma once

#include "common/process/options/command_line.hpp"
#include "common/process/options/defaults.hpp"
#include "common/process/options/plugin_list.hpp"
#include "common/process/stage.hpp"
#include "tools/run/options/run_options.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

struct MeasureOptions : RunOptions {
  std::string interface;
  std::string input = "-"; ///< jobs; "-": standard input
  double timeout_s = default_connection_timeout_s;
  std::optional<double> settle_s;
  unsigned job_ring_mib = default_job_ring_mib;
  /// Options that a stage understands better than we do, as they go on its command line.
  std::vector<std::string> spider_arguments;

  /// A plugin with what the user gave for it.
  struct Choice {
    PluginDescription plugin;
    PluginArguments arguments;
  };
  std::vector<Choice> plugins;
  std::optional<std::size_t> chosen; ///< which of them, once the command line is read
};

/// Adds `measure` with its options, and options.plugins as its subcommands, to the front command; `options` must
/// outlive it and keep its plugins.
CommandLine& add_measure_command(CommandLine& front, MeasureOptions& options);

} // namespace orbweaver
