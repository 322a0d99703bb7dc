// SPDX-License-Identifier: GPL-3.0-or-later
// `orbweaver stats` and `orbweaver top`: the counters of a running session, read without disturbing it.
#pragma once

#include "common/process/options/command_line.hpp"

#include <string>

namespace orbweaver {

struct StatsOptions {
  std::string session; ///< empty: the only one there is
  bool json = false;
  bool prometheus = false;
  bool watch = false;
  bool describe_counters = false; ///< print docs/counters.md instead
};

/// Add `stats`, and `top` (which is `stats --watch`), to the front command; `options` must outlive them.
CommandLine& add_stats_command(CommandLine& front, StatsOptions& options);
CommandLine& add_top_command(CommandLine& front, StatsOptions& options);

/// Runs it and returns the exit status. Throws Error where there is no such session, or more than one to choose from.
int stats(const StatsOptions& options);

} // namespace orbweaver
