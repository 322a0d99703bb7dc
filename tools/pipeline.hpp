// SPDX-License-Identifier: GPL-3.0-or-later
// The processes of a passive run and what joins them: a session, its rings, and for each stage its command line. Made
// before the first stage starts; whatever happens, its segments go with it.
#pragma once

#include "common/ring.hpp"
#include "common/session.hpp"
#include "tools/observe_options.hpp"
#include "tools/process.hpp"
#include "tools/snapshot.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// One stage of the pipeline.
struct StageProcess {
  StageBlock* block = nullptr; ///< in the control segment
  std::string program;         ///< its path
  std::vector<std::string> arguments;
  ChildStreams streams;
  Process process;
  std::vector<RingEnd*> inputs;  ///< the ring ends that it reads from, and
  std::vector<RingEnd*> outputs; ///< those that it writes to

  /// "orbweaver-observer", with its number where there are several observers.
  std::string name;

  /// Whether it has attached all the rings that it writes, so that whoever reads them can start.
  [[nodiscard]] bool ready() const noexcept;
};

class Pipeline {
public:
  /// Makes the session and its rings. Throws Error.
  explicit Pipeline(const ObserveOptions& options);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  /// Removes all segments of the session.
  ~Pipeline();

  /// Capture, observers, merger: the order of the packets' way, in which they start.
  [[nodiscard]] std::span<StageProcess> stages() noexcept { return stages_; }
  [[nodiscard]] StageProcess& capture() noexcept { return stages_.front(); }

  [[nodiscard]] Snapshot snapshot() const { return take_snapshot(session_, rings_); }

  /// Marks the ring ends of a stage that has ended without leaving them, and wakes whoever waits at the other end.
  void mark_dead(const StageProcess& stage) noexcept;

private:
  void make_rings(const ObserveOptions& options);
  void add_stage(StageKind kind, unsigned index, const ObserveOptions& options);

  Session session_;
  std::vector<Ring> rings_; ///< packets 0 … n-1, then flows 0 … n-1
  std::vector<StageProcess> stages_;
  unsigned observers_;
};

} // namespace orbweaver
