// SPDX-License-Identifier: GPL-3.0-or-later
// The summary of a run as JSON, for `--summary`.
#pragma once

#include "common/json/builder.hpp"
#include "tools/run/report/ledger.hpp"
#include "tools/run/supervise/rotate_command.hpp"
#include "tools/run/supervise/supervisor.hpp"

#include <string>
#include <vector>

namespace orbweaver {

/// What was asked for, as the summary tells it.
struct RunDescription {
  std::string source;              ///< of the packets: a file, an interface; empty: none were watched
  std::vector<std::string> chains; ///< that the observers ran
  unsigned observers = 0;
  bool digest = false;
  std::string plugin;  ///< empty: a passive run
  std::string connect; ///< the plugin's connect kind
  std::string jobs;    ///< where the jobs came from; "-": standard input
};

/// Writes the stages, each with its counters by name and its messages: {"stage", "index", "state", "counters",
/// "by_observer", "messages"}; docs/formats.md tells more.
void write_stages(json::Array stages, const Snapshot& snapshot);

/// The summary: one object, indented. `commands`: of --rotate-command, where there was one. What its members mean is
/// told in orbweaver(1).
[[nodiscard]] std::string summary_json(const RunDescription& run, const RunResult& result, const Snapshot& snapshot,
                                       const Ledger& ledger, const RotateCommand::Count* commands = nullptr);

} // namespace orbweaver
