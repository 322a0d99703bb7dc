// SPDX-License-Identifier: GPL-3.0-or-later
// What Capture does where the packet clock doubts. A time far ahead of the clock's is right where the frames behind it
// are at it or after it, or where there are none: time went on. It is wrong where they are near the clock: its packet
// counts at the clock's own second. Times far behind it that follow one another say that the packets' clock was set,
// and the origin of the packet clock moves with it; one alone is a packet that comes late. On an interface, time that
// went on without CLOCK_MONOTONIC is a clock that was set, too.
#include "capture/capture.hpp"
#include "common/clock.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace orbweaver {
namespace {

/// A time as people read it: 2023-11-14 22:13:20 UTC.
std::string time_text(std::uint64_t time_ns) {
  const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
  std::tm parts{};
  char text[64];
  if (!gmtime_r(&seconds, &parts) || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
    return std::to_string(seconds) + " s after 1970";
  return text;
}

} // namespace

void Capture::say(const std::string& what) const {
  if (options_.say)
    options_.say(what);
}

std::uint64_t Capture::number_of(const Frame& frame) const noexcept {
  const auto place = static_cast<std::size_t>(&frame - frames_.data());
  return given_before_batch_ + source_.skipped() + 1 + places_[place];
}

/// Of a frame whose time is no ordinary one.
[[gnu::noinline]] Capture::Handled Capture::doubt(const Frame& frame) noexcept {
  using Verdict = PacketClock::Verdict;
  if (!held_.empty())
    settle_doubts(frame.time_ns);
  const Verdict verdict = clock_.judge(frame.time_ns);
  if (verdict == Verdict::behind || verdict == Verdict::ahead) {
    held_.add(frame, number_of(frame));
    if (source_.lost()) [[unlikely]] {
      held_.drop_last();
      return Handled::lost;
    }
    clock_.suspend();
    return Handled::held;
  }
  if (verdict == Verdict::elsewhere) {
    clock_.return_to(frame.time_ns);
    tell_origin();
  }
  advance_clock(frame.time_ns);
  return Handled::done;
}

/// What another time says of those that are held.
void Capture::settle_doubts(std::uint64_t time_ns) noexcept {
  using Verdict = PacketClock::Verdict;
  const Verdict verdict = clock_.judge(time_ns);
  if (verdict == Verdict::fits || verdict == Verdict::elsewhere) {
    release_held(false);
    return;
  }
  const std::uint64_t last_ns = held_.last().time_ns;
  const bool reaches_it = static_cast<std::int64_t>(time_ns - last_ns + clock_.tolerance_ns()) >= 0;
  if (verdict == clock_.judge(last_ns) && reaches_it)
    release_held(true);
  else if (held_.full())
    release_held(false);
}

void Capture::settle_doubts_at_end() noexcept {
  if (held_.empty())
    return;
  if (clock_.judge(held_.last().time_ns) == PacketClock::Verdict::ahead)
    release_held(true);
  else
    release_held(false);
}

/// Handles those that are held. `last_is_right`: the clock goes where the last one says, and those before it contradict
/// it.
void Capture::release_held(bool last_is_right) noexcept {
  auto released = held_.take();
  FrameDissector dissector(options_.needs, options_.tunnels); // the run loop's is at work
  clock_.resume();
  for (auto& held : released) {
    const bool ahead = clock_.judge(held.frame.time_ns) == PacketClock::Verdict::ahead;
    if (last_is_right && &held == &released.back()) {
      const std::uint64_t clock_ns = clock_.now_ns() + clock_.offset_ns();
      if (!ahead)
        set_origin(held.frame.time_ns, clock_ns);
      else if (source_.live() && latest_came_ns_ != 0 &&
               held.frame.time_ns + clock_.offset_ns() > expected_ns() + clock_.tolerance_ns())
        set_origin(held.frame.time_ns, std::max(clock_ns, expected_ns()));
      advance_clock(held.frame.time_ns);
    } else if (ahead) {
      if (counters_[CaptureCounter::wrong_times]++ == 0)
        say("packet " + std::to_string(held.number) + " says " + time_text(held.frame.time_ns) +
            ", which those behind it contradict: it counts at " + time_text(clock_.now_ns()) +
            " (wrong_times counts more of them; see --clock-tolerance)");
      held.frame.time_ns = clock_.now_ns();
    }
    handle_dissected(dissector.dissect(held.frame), dissector);
  }
}

void Capture::set_origin(std::uint64_t time_ns, std::uint64_t clock_ns) noexcept {
  const std::uint64_t before_ns = clock_.now_ns();
  clock_.move_origin(time_ns, clock_ns);
  tell_origin();
  if (counters_[CaptureCounter::clock_sets]++ == 0)
    say("the clock that stamps packets was set from " + time_text(before_ns) + " to " + time_text(time_ns) +
        ": flows go on, by differences (clock_sets counts more of it)");
}

void Capture::tell_origin() noexcept {
  for (auto& output : outputs_)
    output.origin(clock_.offset_ns());
}

/// Live: what the packet clock has come to since the latest frame.
std::uint64_t Capture::expected_ns() const noexcept {
  return latest_ns_ + (monotonic_ns() - latest_came_ns_);
}

/// Live, and no packet came: the clock goes on all the same.
void Capture::pass_time() noexcept {
  if (!held_.empty())
    settle_doubts(realtime_ns());
  if (!held_.empty())
    return;
  if (latest_came_ns_ == 0) {
    latest_ns_ = clock_.second() != 0 ? clock_.now_ns() + clock_.offset_ns() : realtime_ns();
    latest_came_ns_ = monotonic_ns();
  }
  advance_clock(expected_ns() - clock_.offset_ns());
}

} // namespace orbweaver
