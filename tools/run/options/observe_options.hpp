// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of `orbweaver observe`.
#pragma once

#include "common/process/options/command_line.hpp"
#include "tools/run/options/run_options.hpp"

#include <string>
#include <vector>

namespace orbweaver {

struct ObserveOptions : RunOptions {
  std::vector<std::string> sources; ///< as given: patterns and folders of files among them
  bool follow = false; ///< the file grows, or is of a series
  std::vector<std::string> chains;
  std::string format; ///< empty: what the output says
  bool digest = false;
  bool list_chains = false;
  bool json = false; ///< the list as JSON
};

/// Adds `observe` with its options to the front command; `options` must outlive it.
CommandLine& add_observe_command(CommandLine& front, ObserveOptions& options);

} // namespace orbweaver
