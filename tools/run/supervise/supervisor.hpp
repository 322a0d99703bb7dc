// SPDX-License-Identifier: GPL-3.0-or-later
// Starts the stages of a pipeline in order, watches them, and sees to it that all of them end: by themselves at the end
// of the input, in order when somebody asks or when one of them fails, and at once when somebody asks twice. What a
// spider changed in the system and could not put back itself, it puts back.
#pragma once

#include "common/system/memory_limit.hpp"
#include "tools/run/report/progress.hpp"
#include "tools/run/run_plan.hpp"
#include "tools/run/supervise/pipeline.hpp"
#include "tools/run/supervise/rotate_command.hpp"
#include "tools/run/supervise/service_notice.hpp"
#include "tools/run/supervise/signals.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace orbweaver {

/// How a run ended; the worst thing that happened.
enum class RunEnd {
  complete,     ///< the input was read to its end
  interrupted,  ///< somebody asked to stop: every result up to there is written
  input_failed, ///< the leader could not go on: every result up to there is written
  stage_failed, ///< another stage ended with an error, which it printed
  stage_died,   ///< a stage was killed, or would not end
  stopped,      ///< somebody asked twice: what was in the rings is lost
};

[[nodiscard]] std::string_view to_string(RunEnd end) noexcept;

struct RunResult {
  RunEnd end = RunEnd::complete;
  int exit_status = 0;
  std::string reason; ///< what went wrong, empty where nothing did
  bool began = true;  ///< all stages got as far as their rings
};

class Supervisor {
public:
  /// The pipeline was made from that plan; its stages are not started yet. `signals` outlive the pipeline, so that none
  /// ends the command while there is something to clear up.
  Supervisor(SignalWatch& signals, Pipeline& pipeline, const RunPlan& plan, Progress& progress,
             RotateCommand& rotate_command)
      : signals_(signals), pipeline_(pipeline), plan_(plan), progress_(progress), rotate_command_(rotate_command),
        leader_(pipeline.stage(plan.leader)) {}

  /// Comes back when the last stage has ended.
  RunResult run();

private:
  void start_next();
  void on_signal(int signal);
  void on_end(StageProcess& stage);
  /// It ended in order, since it was told to; if not by us, the results are not whole.
  void on_stop(const StageProcess& stage);
  void on_failure(StageProcess& stage);
  /// What it died of, in words; empty where it ended by itself, and said so.
  [[nodiscard]] std::string death_of(const StageProcess& stage) const;
  /// Whether another one is to be started in its place; then that is arranged and said.
  bool follow(StageProcess& stage, const std::string& death);
  void start_followers();
  /// Makes files of what stages died of, once no more of it comes.
  void collect_poison(bool is_all_there);
  void write_poison_file(const std::string& stage, std::string_view octets, const char* suffix);
  void put_back_state();
  void end_in_order();
  /// Capture on an interface has no end of its own: it is asked to end once the leader has, and flows have settled.
  void end_watch();
  /// A merger whose output nobody opens (a FIFO) waits for that and not for its rings: asked to end, it does.
  void end_waiting();
  void end_at_once();
  void end_stalled();
  void abandon();
  void record(RunEnd end, int exit_status, const std::string& reason);
  /// Whether a spider has yet to begin: nothing was sent or changed.
  [[nodiscard]] bool leader_is_to_begin() const noexcept;
  [[nodiscard]] bool anything_running() const noexcept;

  SignalWatch& signals_;
  Pipeline& pipeline_;
  const RunPlan& plan_;
  Progress& progress_;
  RotateCommand& rotate_command_;
  StageProcess* leader_;
  ServiceNotice service_;
  RunResult result_;
  bool told_leader_ = false; ///< the leader at work knows that it has to stop
  unsigned poison_ = 0;      ///< files made of what stages died of
  std::size_t started_ = 0;  ///< stages started so far
  bool interrupted_ = false; ///< somebody asked to stop
  bool ending_ = false;      ///< the leader was told to stop
  bool failed_ = false;      ///< a stage ended other than in order
  bool watch_ended_ = false; ///< capture was told to stop after the leader
  std::uint64_t kills_before_ = out_of_memory_kills();
  std::uint64_t leader_ended_ns_ = 0;
  std::uint64_t last_sum_ = 0;
  std::uint64_t last_change_ns_ = 0;
};

} // namespace orbweaver
