// SPDX-License-Identifier: GPL-3.0-or-later
// Starts the stages of a pipeline in order, watches them, and sees to it that all of them end: by themselves at the end
// of the input, in order when somebody asks or when one of them fails, and at once when somebody asks twice.
#pragma once

#include "tools/pipeline.hpp"
#include "tools/progress.hpp"
#include "tools/signals.hpp"

#include <cstdint>
#include <string>

namespace orbweaver {

/// How a run ended; the worst thing that happened.
enum class RunEnd {
  complete,     ///< the input was read to its end
  interrupted,  ///< somebody asked to stop: every flow up to there is written
  input_failed, ///< capture could not read on: every flow up to there is written
  stage_failed, ///< another stage ended with an error, which it printed
  stage_died,   ///< a stage was killed, or would not end
  stopped,      ///< somebody asked twice: what was in the rings is lost
};

[[nodiscard]] std::string_view to_string(RunEnd end) noexcept;

struct RunResult {
  RunEnd end = RunEnd::complete;
  int exit_status = 0;
  std::string reason; ///< what went wrong, empty where nothing did
};

class Supervisor {
public:
  /// The pipeline's stages are not started yet.
  Supervisor(Pipeline& pipeline, Progress& progress) : pipeline_(pipeline), progress_(progress) {}

  /// Comes back when the last stage has ended.
  RunResult run();

private:
  void start_next();
  void on_signal(int signal);
  void on_end(StageProcess& stage);
  void end_in_order();
  void end_at_once();
  void end_stalled();
  void abandon();
  void record(RunEnd end, int exit_status, const std::string& reason);
  [[nodiscard]] bool anything_running() const noexcept;

  /// A failed run whose counters stand still for so long is ended by force.
  static constexpr std::uint64_t patience_ns = 10'000'000'000;

  Pipeline& pipeline_;
  Progress& progress_;
  SignalWatch signals_;
  RunResult result_;
  std::size_t started_ = 0;  ///< stages started so far
  bool interrupted_ = false; ///< somebody asked to stop
  bool ending_ = false;      ///< capture was told to stop
  bool failed_ = false;      ///< a stage ended other than in order
  std::uint64_t last_sum_ = 0;
  std::uint64_t last_change_ns_ = 0;
};

} // namespace orbweaver
