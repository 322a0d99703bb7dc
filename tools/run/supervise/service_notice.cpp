// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/supervise/service_notice.hpp"

#include "common/stream/ring/wait.hpp"
#include "tools/run/supervise/pipeline.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <systemd/sd-daemon.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint64_t status_interval_ns = 2'000'000'000;

} // namespace

ServiceNotice::ServiceNotice() noexcept : enabled_(std::getenv("NOTIFY_SOCKET") != nullptr) {
  std::uint64_t watchdog_us = 0;
  if (enabled_ && sd_watchdog_enabled(0, &watchdog_us) > 0)
    watchdog_ns_ = watchdog_us * 1000;
}

void ServiceNotice::update(Pipeline& pipeline, bool all_started) {
  if (!enabled_)
    return;
  const auto stages = pipeline.stages();
  if (!ready_ && all_started && std::ranges::all_of(stages, [](const auto& stage) { return stage.ready(); })) {
    ready_ = true;
    sd_notify(0, "READY=1");
  }
  const std::uint64_t now_ns = monotonic_ns();
  if (watchdog_ns_ != 0 && now_ns >= next_sign_ns_ && alive(pipeline, now_ns)) {
    next_sign_ns_ = now_ns + watchdog_ns_ / 4;
    sd_notify(0, "WATCHDOG=1");
  }
  if (ready_ && now_ns >= status_ns_ + status_interval_ns)
    tell_status(pipeline, now_ns);
}

void ServiceNotice::stopping() noexcept {
  if (enabled_ && !std::exchange(stopping_, true))
    sd_notify(0, "STOPPING=1");
}

/// A stage that hangs holds its heartbeat back; one that has not begun, or that has ended, has none.
bool ServiceNotice::alive(Pipeline& pipeline, std::uint64_t now_ns) const noexcept {
  const auto stages = pipeline.stages();
  return std::ranges::all_of(stages, [&](const auto& stage) {
    const bool at_work = stage.block->state.load(std::memory_order_acquire) == StageState::running; // pairs with Stage
    return !at_work || !stage.process.running() ||
           now_ns < stage.block->heartbeat_ns.load(std::memory_order_relaxed) + watchdog_ns_ / 2;
  });
}

void ServiceNotice::tell_status(const Pipeline& pipeline, std::uint64_t now_ns) {
  const Snapshot snapshot = pipeline.snapshot();
  const Done done = done_so_far(snapshot);
  const double seconds = static_cast<double>(now_ns - status_ns_) / 1e9;
  const auto rate = [&](std::uint64_t now, std::uint64_t before) {
    return static_cast<double>(now - before) / seconds;
  };
  const bool away = snapshot.sum(StageKind::capture, CaptureCounter::link_away) != 0;
  sd_notify(0, ("STATUS=" + progress_line(snapshot, rate(done.items, done_.items), rate(done.octets, done_.octets)) +
                (away ? "; the interface is away" : ""))
                   .c_str());
  status_ns_ = now_ns;
  done_ = done;
}

} // namespace orbweaver
