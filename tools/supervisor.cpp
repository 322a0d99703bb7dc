// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/supervisor.hpp"

#include "common/stage.hpp"
#include "common/wait.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace orbweaver {

std::string_view to_string(RunEnd end) noexcept {
  switch (end) {
  case RunEnd::complete:
    return "complete";
  case RunEnd::interrupted:
    return "interrupted";
  case RunEnd::input_failed:
    return "input failed";
  case RunEnd::stage_failed:
    return "stage failed";
  case RunEnd::stage_died:
    return "stage died";
  case RunEnd::stopped:
    return "stopped at once";
  }
  return "unknown";
}

RunResult Supervisor::run() {
  using namespace std::chrono_literals;
  const std::size_t count = pipeline_.stages().size();
  do {
    start_next();
    on_signal(signals_.next(started_ < count ? 1ms : 50ms));
    for (auto& stage : pipeline_.stages())
      if (stage.process.reap())
        on_end(stage);
    end_stalled();
    progress_.update(pipeline_);
  } while (started_ < count || anything_running());
  progress_.clear();
  return result_;
}

void Supervisor::start_next() {
  const auto stages = pipeline_.stages();
  // Who reads a ring starts when its writer has attached it, so that a start that fails is told by one stage alone.
  while (started_ < stages.size()) {
    auto& stage = stages[started_];
    const auto kind = stage.block->kind;
    const bool before_ready = std::all_of(stages.begin(), stages.begin() + static_cast<std::ptrdiff_t>(started_),
                                          [&](const auto& s) { return s.block->kind == kind || s.ready(); });
    if (!before_ready)
      return;
    stage.process = Process::start(stage.program, stage.arguments, stage.streams);
    ++started_;
  }
}

void Supervisor::on_signal(int signal) {
  if (signal == 0 || signal == SIGCHLD)
    return;
  progress_.clear();
  if (interrupted_ || signal == SIGQUIT) {
    spdlog::warn("{}: ending at once; flows that are not yet written are lost", signal_name(signal));
    end_at_once();
    return;
  }
  interrupted_ = true;
  spdlog::info("{}: ending in order; once more ends at once", signal_name(signal));
  record(RunEnd::interrupted, exit_done, {});
  end_in_order();
}

void Supervisor::on_end(StageProcess& stage) {
  const auto state = stage.block->state.load(std::memory_order_acquire); // pairs with ~Stage
  const int signal = stage.process.end_signal();
  const int status = stage.process.exit_status();
  if (signal == 0 && status == 0 && state == StageState::finished)
    return;
  const bool was_ready = stage.ready();
  pipeline_.mark_dead(stage);
  if (result_.end == RunEnd::stopped)
    return;
  const bool is_capture = stage.block->kind == StageKind::capture;
  if (signal == SIGTERM && is_capture && !was_ready) {
    record(RunEnd::interrupted, exit_done, {}); // asked to end before it had begun: there are no flows
    abandon();
    return;
  }
  progress_.clear();
  failed_ = true;
  last_change_ns_ = monotonic_ns();
  if (signal != 0 || state == StageState::running) {
    stage.block->state.store(StageState::dead, std::memory_order_release);
    const auto how = signal != 0 ? "was killed by " + signal_name(signal)
                                 : "left without a word, with exit status " + std::to_string(status);
    const auto reason = stage.name + " (process " + std::to_string(stage.process.pid()) + ") " + how;
    spdlog::error("{}", reason);
    record(RunEnd::stage_died, exit_failed, reason);
  } else {
    record(is_capture ? RunEnd::input_failed : RunEnd::stage_failed, status == exit_usage ? exit_usage : exit_failed,
           stage.name + " ended with an error");
  }
  if (was_ready)
    end_in_order();
  else
    abandon();
}

void Supervisor::end_in_order() {
  if (std::exchange(ending_, true))
    return;
  // Capture ends its rings, the observers drain them and flush their tables, the merger drains theirs.
  pipeline_.capture().process.kill(SIGTERM);
}

void Supervisor::abandon() {
  // A stage did not get as far as its rings, so those after it have nothing to do.
  started_ = pipeline_.stages().size();
  for (auto& stage : pipeline_.stages()) {
    if (!stage.process.running())
      pipeline_.mark_dead(stage);
  }
  end_in_order();
}

void Supervisor::end_at_once() {
  record(RunEnd::stopped, exit_failed, "stopped at once");
  started_ = pipeline_.stages().size();
  for (auto& stage : pipeline_.stages())
    stage.process.kill(SIGKILL);
}

void Supervisor::end_stalled() {
  if (!failed_)
    return;
  const auto snapshot = pipeline_.snapshot();
  std::uint64_t sum = 0;
  for (const auto& stage : snapshot.stages)
    for (const auto counter : stage.counters)
      sum += counter;
  if (sum != std::exchange(last_sum_, sum))
    last_change_ns_ = snapshot.taken_ns;
  if (snapshot.taken_ns < last_change_ns_ + patience_ns)
    return;
  for (auto& stage : pipeline_.stages()) {
    if (!stage.process.running())
      continue;
    progress_.clear();
    spdlog::error("{} (process {}) has not moved for {} s; ending it", stage.name, stage.process.pid(),
                  patience_ns / 1'000'000'000);
    stage.process.kill(SIGKILL);
  }
  last_change_ns_ = snapshot.taken_ns;
}

void Supervisor::record(RunEnd end, int exit_status, const std::string& reason) {
  if (end <= result_.end)
    return;
  // What went wrong first is the reason; what followed from it only makes the end worse.
  if (result_.reason.empty() || end == RunEnd::stopped)
    result_.reason = reason;
  if (result_.exit_status == exit_done)
    result_.exit_status = exit_status;
  result_.end = end;
}

bool Supervisor::anything_running() const noexcept {
  const auto stages = pipeline_.stages();
  return std::any_of(stages.begin(), stages.end(), [](const auto& stage) { return stage.process.running(); });
}

} // namespace orbweaver
