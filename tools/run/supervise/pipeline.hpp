// SPDX-License-Identifier: GPL-3.0-or-later
// The processes of a run and what joins them: a session, its rings, and for each stage its command line. Made before
// the first stage starts; whatever happens, its segments go with it.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/process/session.hpp"
#include "common/stream/ring/ring.hpp"
#include "common/stream/ring/wait.hpp"
#include "tools/run/run_plan.hpp"
#include "tools/run/supervise/process.hpp"
#include "tools/stats/snapshot.hpp"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// One stage of the pipeline.
struct StageProcess {
  StageKind kind{};
  StageBlock* block = nullptr; ///< in the control segment: of what the stage writes there, what it says of itself
  std::string program;         ///< its path
  std::vector<std::string> arguments;
  ChildStreams streams;
  Process process;
  std::vector<RingHeader*> inputs;       ///< the rings that it reads, and
  std::vector<RingHeader*> outputs;      ///< those that it writes
  FileDescriptor kept;                   ///< memory that outlives its processes, where it has any
  FileDescriptor poison;                 ///< where they give out what they die of
  std::uint64_t poison_octets = 0;       ///< that were there at the last look: more may be on their way
  std::deque<std::uint64_t> restarts_ns; ///< when others were started in its place in the last minute
  std::uint64_t restart_at_ns = 0;       ///< when the next one is due; 0: none is
  int last_signal = 0;                   ///< that ended the last one
  bool orphaned = false;                 ///< ended by force because what it waits for will never come

  /// "orbweaver-observer", with its number where there are several observers.
  std::string name;

  /// Starts it, the first time or in place of one that died.
  void start();

  /// Whether it runs, or will soon.
  [[nodiscard]] bool is_there() const noexcept { return process.running() || restart_at_ns != 0; }

  /// Whether one that died can be followed by another one, which goes on where it stopped.
  [[nodiscard]] bool can_be_followed() const noexcept;

  /// Whether it has attached all its rings, so that those that come after it can start: those that it writes, and of
  /// those that it reads the ones that have a writer.
  [[nodiscard]] bool ready() const noexcept;

  /// Whether it waits for a ring whose writer has not come.
  [[nodiscard]] bool waits_for_writer() const noexcept;
};

class Pipeline {
public:
  /// Makes the session and its rings. Throws Error.
  explicit Pipeline(const RunPlan& plan);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  /// Removes all segments of the session.
  ~Pipeline();

  [[nodiscard]] const std::string& session() const noexcept { return session_.name(); }

  /// In the order in which they start.
  [[nodiscard]] std::span<StageProcess> stages() noexcept { return stages_; }
  /// The first stage of a kind; nullptr where there is none.
  [[nodiscard]] StageProcess* stage(StageKind kind) noexcept;

  [[nodiscard]] Snapshot snapshot() const { return take_snapshot(session_, rings_); }

  /// A sign of life for those who cannot look this process up.
  void beat() noexcept { session_.control().heartbeat_ns.store(monotonic_ns(), std::memory_order_relaxed); }

  /// Marks the ring ends of a stage that has ended without leaving them, and wakes whoever waits at the other end.
  static void mark_dead(const StageProcess& stage) noexcept;

private:
  void add_stage(const StagePlan& stage, const RunPlan& plan);
  [[nodiscard]] RingHeader& ring(const RingUse& use) const;

  Session session_;
  std::vector<Ring> rings_;
  std::vector<StageProcess> stages_;
};

} // namespace orbweaver
