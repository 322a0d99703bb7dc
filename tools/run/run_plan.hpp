// SPDX-License-Identifier: GPL-3.0-or-later
// What a run consists of: its rings, its stages with what they read and write, and how it ends. Plain values: made from
// the command line, turned into processes by Pipeline, carried out by Supervisor.
#pragma once

#include "common/process/session.hpp"
#include "tools/run/options/run_options.hpp"
#include "tools/run/supervise/process.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

struct RingPlan {
  std::string stream; ///< "packets"
  unsigned index = 0;
  unsigned mib = 0;
};

/// An end of a ring that a stage has, and the option that tells it: {"--in", "packets", 0}.
struct RingUse {
  std::string option;
  std::string stream;
  unsigned index = 0;
};

struct StagePlan {
  StageKind kind{};
  unsigned index = 0; ///< among the stages of its kind
  std::vector<RingUse> reads;
  std::vector<RingUse> writes;
  /// The last of its command line; before it come the rings and what every stage gets (see common/process/stage.hpp).
  std::vector<std::string> arguments;
  ChildStreams streams;
};

struct RunPlan {
  std::vector<RingPlan> rings;
  /// In the order in which they start: each when those before it have their rings.
  std::vector<StagePlan> stages;
  /// The stage whose end is that of the run, and which is asked when somebody wants it to end: capture for a passive
  /// run, the spider for a measurement. All others end when what they read has ended; capture, where it does not lead,
  /// is asked to when the leader has ended and the settle time is over.
  StageKind leader = StageKind::capture;
  std::chrono::milliseconds settle{0};
  /// The longest that a stage which works in order may stand still.
  std::chrono::seconds patience{10};

  /// How often in a minute a stage that dies is followed by another one; 0: never, its death is the end of the run.
  unsigned restarts = 0;
  std::string poison_folder; ///< where records go that kill stages

  std::string session; ///< empty: one of the process id
  std::vector<int> cpus;
  bool huge_pages = false;
  bool busy_poll = false;
  bool rotates = false; ///< SIGHUP asks the merger for the next file, and not the run for its end
  std::string user;
  bool no_sandbox = false;
  bool verbose = false;
  std::string try_in_cage;
};

/// A plan without stages, with what the options say of the machine.
[[nodiscard]] RunPlan empty_plan(const RunOptions& options);

/// Has stages that die followed by others, as often as the options say, which are checked. What kills them goes beside
/// the results, whose path that is. Throws UsageError.
void restart_stages(RunPlan& plan, const RunOptions& options, const std::string& output);

/// Adds capture on these sources and the observers with those chains, which need `needs` (Need), and their rings.
void add_watchers(RunPlan& plan, const RunOptions& options, const std::vector<std::string>& sources,
                  const std::vector<std::string>& chains, std::uint32_t needs);

/// Adds the merger, which reads all rings that nobody reads yet: flows, then jobs. `grows`: a file is written as
/// results come, and stays, since they come but once.
void add_merger(RunPlan& plan, const RunOptions& options, const std::vector<std::string>& arguments, bool grows);

} // namespace orbweaver
