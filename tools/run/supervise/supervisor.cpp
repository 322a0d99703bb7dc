// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/supervise/supervisor.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/process/files/kept_memory.hpp"
#include "common/process/stage.hpp"
#include "common/stream/poison.hpp"
#include "common/stream/ring/wait.hpp"
#include "common/system/system_state.hpp"

#include <algorithm>
#include <fcntl.h>
#include <numeric>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

using namespace std::chrono_literals;

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
  const std::size_t count = pipeline_.stages().size();
  do {
    start_next();
    start_followers();
    on_signal(signals_.next(started_ < count ? 1ms : 50ms));
    for (auto& stage : pipeline_.stages())
      if (stage.process.reap())
        on_end(stage);
    collect_poison(false);
    end_watch();
    end_waiting();
    end_stalled();
    progress_.update(pipeline_);
    pipeline_.beat();
    service_.update(pipeline_, started_ == count);
    rotate_command_.update();
  } while (started_ < count || anything_running());
  collect_poison(true);
  progress_.clear();
  return result_;
}

void Supervisor::start_next() {
  const auto stages = pipeline_.stages();
  // Each starts when those before it have their rings: a start that fails is told by one stage alone, and no packet is
  // sent before there is somebody who watches.
  while (started_ < stages.size()) {
    auto& stage = stages[started_];
    const auto kind = stage.kind;
    const bool before_ready = std::all_of(stages.begin(), stages.begin() + static_cast<std::ptrdiff_t>(started_),
                                          [&](const auto& s) { return s.kind == kind || s.ready(); });
    if (!before_ready)
      return;
    stage.start();
    ++started_;
  }
}

void Supervisor::start_followers() {
  const auto now_ns = monotonic_ns();
  for (auto& stage : pipeline_.stages()) {
    if (stage.restart_at_ns == 0 || stage.restart_at_ns > now_ns)
      continue;
    if (stage.kind == StageKind::spider)
      put_back_state();
    stage.start();
  }
  // A leader that was started again while the run ends is told when it can take it.
  if (ending_ && !told_leader_ && leader_->process.running() &&
      leader_->block->state.load(std::memory_order_acquire) == StageState::running) {
    told_leader_ = true;
    leader_->process.kill(SIGTERM);
  }
}

void Supervisor::on_signal(int signal) {
  if (signal == 0 || signal == SIGCHLD)
    return;
  if (signal == SIGHUP && plan_.rotates) {
    if (const auto* const merger = pipeline_.stage(StageKind::merger))
      merger->process.kill(SIGHUP);
    return;
  }
  progress_.clear();
  if (interrupted_ || signal == SIGQUIT) {
    spdlog::warn("{}: ending at once; results that are not yet written are lost", signal_name(signal));
    end_at_once();
    return;
  }
  interrupted_ = true;
  spdlog::info("{}: ending in order; once more ends at once", signal_name(signal));
  record(RunEnd::interrupted, exit_done, {});
  if (leader_is_to_begin())
    abandon();
  else
    end_in_order();
}

void Supervisor::on_end(StageProcess& stage) {
  if (&stage == leader_)
    leader_ended_ns_ = monotonic_ns();
  const auto state = stage.block->state.load(std::memory_order_acquire); // pairs with ~Stage
  if (stage.process.exit_status() == exit_done && state == StageState::finished)
    return;
  if (stage.process.exit_status() == exit_done && state == StageState::stopped) {
    on_stop(stage);
    return;
  }
  progress_.clear();
  if (const auto death = death_of(stage); !death.empty() && follow(stage, death))
    return;
  if (result_.end == RunEnd::stopped || stage.orphaned) {
    stage.block->state.store(StageState::dead, std::memory_order_release);
    Pipeline::mark_dead(stage);
  } else {
    on_failure(stage);
  }
  if (stage.kind == StageKind::spider)
    put_back_state();
}

void Supervisor::collect_poison(bool is_all_there) {
  constexpr std::uint64_t most_octets = 8 << 20; // whoever writes it may have been taken over
  constexpr unsigned most_files = 1000;
  for (auto& stage : pipeline_.stages()) {
    // Capture writes it while it dies, others when they follow.
    if (!stage.poison || poison_ == most_files || (stage.kind == StageKind::capture && stage.process.running()))
      continue;
    const auto there = kept_octets(stage.poison.get());
    if ((there != std::exchange(stage.poison_octets, there) && !is_all_there) || there == 0)
      continue;
    std::string octets(std::min(there, most_octets), '\0');
    if (pread(stage.poison.get(), octets.data(), octets.size(), 0) != static_cast<ssize_t>(octets.size()) ||
        ftruncate(stage.poison.get(), 0) != 0)
      continue;
    if (stage.kind == StageKind::capture) {
      write_poison_file(stage.name, octets, ".pcap");
      continue;
    }
    for (const auto recording : recordings_in(octets))
      if (poison_ < most_files)
        write_poison_file(stage.name, recording, ".records");
  }
}

void Supervisor::write_poison_file(const std::string& stage, std::string_view octets, const char* suffix) {
  const auto path = plan_.poison_folder + "/poison-" + pipeline_.session() + "-" + std::to_string(++poison_) + suffix;
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  progress_.clear();
  if (file && write(file.get(), octets.data(), octets.size()) == static_cast<ssize_t>(octets.size()))
    spdlog::error("what {} died of is in {}: please report it", stage, path);
  else
    spdlog::error("what {} died of cannot be written to {}: {}", stage, path, errno_text());
}

std::string Supervisor::death_of(const StageProcess& stage) const {
  const int signal = stage.process.end_signal();
  if (signal == 0 && stage.block->state.load(std::memory_order_acquire) != StageState::running)
    return {};
  const auto how = signal != 0 ? "was killed by " + signal_name(signal)
                               : "left without a word, with exit status " + std::to_string(stage.process.exit_status());
  const bool starved = signal == SIGKILL && out_of_memory_kills() > kills_before_;
  return stage.name + " (process " + std::to_string(stage.process.pid()) + ") " + how +
         (starved ? ", since the memory of its control group ran out" : "");
}

bool Supervisor::follow(StageProcess& stage, const std::string& death) {
  constexpr std::uint64_t minute_ns = 60'000'000'000, first_pause_ns = 10'000'000, longest_pause_ns = 5'000'000'000;
  if (stage.process.end_signal() == SIGSYS) // a call that is forbidden would be made again
    return false;
  if (plan_.restarts == 0 || failed_ || result_.end == RunEnd::stopped || stage.orphaned || !result_.began ||
      started_ < pipeline_.stages().size() || !stage.ready() || !stage.can_be_followed())
    return false;
  const auto now_ns = monotonic_ns();
  auto& restarts = stage.restarts_ns;
  while (!restarts.empty() && restarts.front() + minute_ns < now_ns)
    restarts.pop_front();
  if (restarts.size() >= plan_.restarts) {
    spdlog::error("{}: {} times in a minute is too often (--restart)", stage.name, restarts.size() + 1);
    return false;
  }
  // The more deaths of late, the longer it is waited: what kills may pass.
  const auto pause_ns =
      restarts.empty() ? 0
                       : std::min(first_pause_ns << std::min<std::size_t>(restarts.size() - 1, 16), longest_pause_ns);
  stage.block->state.store(StageState::dead, std::memory_order_release);
  stage.block->restarts.fetch_add(1, std::memory_order_relaxed);
  stage.last_signal = stage.process.end_signal();
  stage.restart_at_ns = now_ns + pause_ns;
  restarts.push_back(stage.restart_at_ns);
  if (&stage == leader_)
    told_leader_ = false;
  spdlog::warn("{}; another one takes its place", death);
  return true;
}

void Supervisor::on_stop(const StageProcess& stage) {
  const bool leads = &stage == leader_;
  if (leads ? ending_ : watch_ended_)
    return;
  progress_.clear();
  const auto what =
      stage.name + " (process " + std::to_string(stage.process.pid()) + ") was told to end by somebody else";
  if (leads) {
    spdlog::warn("{}: ending in order", what);
    record(RunEnd::interrupted, exit_done, {});
  } else {
    failed_ = true;
    last_change_ns_ = monotonic_ns();
    spdlog::error("{}, before the connections were made", what);
    record(RunEnd::stage_failed, exit_failed, what);
    end_in_order();
  }
}

void Supervisor::on_failure(StageProcess& stage) {
  const int signal = stage.process.end_signal();
  const int status = stage.process.exit_status();
  const bool was_ready = stage.ready();
  const bool is_source = &stage == leader_ || stage.kind == StageKind::capture;
  if (signal == SIGTERM && is_source && !was_ready) {
    record(RunEnd::interrupted, exit_done, {}); // asked to end before it had begun: there are no results
    abandon();
    return;
  }
  failed_ = true;
  last_change_ns_ = monotonic_ns();
  if (const auto reason = death_of(stage); !reason.empty()) {
    stage.block->state.store(StageState::dead, std::memory_order_release);
    spdlog::error("{}", reason);
    record(RunEnd::stage_died, exit_failed, reason);
  } else {
    record(&stage == leader_ ? RunEnd::input_failed : RunEnd::stage_failed,
           status == exit_usage ? exit_usage : exit_failed, stage.name + " ended with an error");
  }
  if (!was_ready || leader_is_to_begin()) {
    abandon();
    return;
  }
  Pipeline::mark_dead(stage);
  end_in_order();
}

bool Supervisor::leader_is_to_begin() const noexcept {
  return leader_->kind == StageKind::spider && !leader_->ready();
}

void Supervisor::put_back_state() {
  for (const auto& sentence : restore_system_state(pipeline_.session()))
    spdlog::warn("{}", sentence);
}

void Supervisor::end_in_order() {
  // Capture ends its rings, the observers drain them and flush their tables, the merger drains theirs. A spider first
  // finishes the jobs under way.
  service_.stopping();
  if (!std::exchange(ending_, true) && leader_->process.running()) {
    told_leader_ = true;
    leader_->process.kill(SIGTERM);
  }
}

void Supervisor::end_watch() {
  auto* const capture = pipeline_.stage(StageKind::capture);
  const bool leader_is_over = started_ == pipeline_.stages().size() && !leader_->is_there();
  if (!capture || capture == leader_ || watch_ended_ || !leader_is_over)
    return;
  const bool away = capture->block->counter(CaptureCounter::link_away) != 0; // then no late packet comes
  const std::chrono::nanoseconds settle = result_.began && !away ? plan_.settle : 0ms;
  if (monotonic_ns() < leader_ended_ns_ + static_cast<std::uint64_t>(settle.count()))
    return;
  watch_ended_ = true;
  capture->process.kill(SIGTERM);
}

void Supervisor::abandon() {
  // A stage did not get as far as its rings, so those after it have nothing to do, and those that wait for it never
  // will. Nor will a spider that still waits for its input; it has sent and changed nothing.
  result_.began = false;
  started_ = pipeline_.stages().size();
  for (auto& stage : pipeline_.stages()) {
    const bool waits = stage.waits_for_writer() || (stage.kind == StageKind::spider && !stage.ready());
    if (stage.process.running() && waits) {
      stage.orphaned = true;
      stage.process.kill(SIGKILL);
    }
  }
  for (auto& stage : pipeline_.stages())
    if (!stage.process.running())
      Pipeline::mark_dead(stage);
  end_in_order();
}

void Supervisor::end_waiting() {
  auto* const merger = pipeline_.stage(StageKind::merger);
  if (interrupted_ && merger && merger->process.running() && !merger->ready())
    merger->process.kill(SIGTERM);
}

void Supervisor::end_at_once() {
  for (auto& stage : pipeline_.stages())
    stage.restart_at_ns = 0;
  record(RunEnd::stopped, exit_failed, "stopped at once");
  result_.began = result_.began && started_ == pipeline_.stages().size();
  started_ = pipeline_.stages().size();
  for (auto& stage : pipeline_.stages())
    stage.process.kill(SIGKILL);
}

void Supervisor::end_stalled() {
  if (!failed_)
    return;
  // While there is a spider, it is what the others wait for; capture's clock goes on by itself.
  const bool leads = leader_->kind == StageKind::spider && leader_->process.running();
  const auto snapshot = pipeline_.snapshot();
  std::uint64_t sum = 0;
  for (const auto& stage : snapshot.stages)
    if (!leads || stage.kind == StageKind::spider)
      sum = std::accumulate(stage.counters.begin(), stage.counters.end(), sum);
  if (sum != std::exchange(last_sum_, sum))
    last_change_ns_ = snapshot.taken_ns;
  if (snapshot.taken_ns <
      last_change_ns_ + static_cast<std::uint64_t>(std::chrono::nanoseconds(plan_.patience).count()))
    return;
  for (auto& stage : pipeline_.stages()) {
    if (!stage.process.running() || (leads && &stage != leader_))
      continue;
    progress_.clear();
    spdlog::error("{} (process {}) has not moved for {} s; ending it", stage.name, stage.process.pid(),
                  plan_.patience.count());
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
  return std::any_of(stages.begin(), stages.end(), [](const auto& stage) { return stage.is_there(); });
}

} // namespace orbweaver
