// SPDX-License-Identifier: GPL-3.0-or-later
// The options that `orbweaver observe` and `orbweaver measure` share, as they stand on the command line.
#pragma once

#include "common/process/options/command_line.hpp"
#include "tools/run/options/run_options.hpp"

#include <string>
#include <vector>

namespace orbweaver {

/// An option ("-w,--workers") that is only handed on to a stage, as `--workers=VALUE` in `arguments`.
CommandOption* hand_on(CommandLine& app, std::vector<std::string>& arguments, const std::string& name,
                       const std::string& type, const std::string& help);

/// --filter.
void add_filter_option(CommandLine& app, RunOptions& options);
void add_clock_option(CommandLine& app, RunOptions& options);
/// --kernel-buffer-mib, --on-link-loss, --link-timeout: of capture on an interface.
void add_link_options(CommandLine& app, RunOptions& options);
/// --idle-timeout, --complete-timeout, --active-timeout, --max-flows.
void add_flow_options(CommandLine& app, RunOptions& options);
/// --output, --rotate and what goes with it, --summary; `what` goes to the output: "flows".
void add_output_options(CommandLine& app, RunOptions& options, const std::string& what);
/// Refuses, as a UsageError, an output that cannot be rotated, and what needs --rotate without it.
void check_rotation(const RunOptions& options, const std::string& path);
/// Refuses, as a UsageError, one file for output and summary.
void refuse_shared_output(const RunOptions& options);
/// --observers, --cpus (dealt out in the order that `stages` tells), ring sizes, --huge-pages, --busy-poll, --restart,
/// --session.
void add_machine_options(CommandLine& app, RunOptions& options, const std::string& stages);

/// Runs `add` so that all options that it adds stand under that heading in the help.
void add_group(CommandLine& app, const std::string& heading, const auto& add) {
  app.option_heading(heading);
  add();
  app.option_heading("Options");
}

} // namespace orbweaver
