// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/watched_source.hpp"

#include "common/clock.hpp"
#include "common/stream/ring/wait.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <utility>

namespace orbweaver {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t look_interval_ns = 20'000'000;
constexpr std::uint64_t ns_per_second = 1'000'000'000;

std::uint64_t coarse_clock_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * ns_per_second + static_cast<std::uint64_t>(now.tv_nsec);
}

/// "2026-01-02T03:04:05.678Z".
std::string utc(std::uint64_t time_ns) {
  const auto seconds = static_cast<std::time_t>(time_ns / ns_per_second);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%FT%T", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03uZ", static_cast<unsigned>(time_ns % ns_per_second / 1'000'000));
  return std::string(text.data()) + fraction.data();
}

} // namespace

WatchedSource::WatchedSource(std::string interface, Open open, LinkLoss options)
    : interface_(std::move(interface)), open_(std::move(open)), options_(std::move(options)), watch_(interface_),
      source_(open_()) {}

Source::Result WatchedSource::read(std::span<Frame> out) noexcept {
  if (!error().empty())
    return {Status::failed, 0};
  if (!source_)
    return wait_for_link();
  if (leaving_)
    return read_out(out);
  if (look_is_due(false) && went_away())
    return read_out(out);
  const Result result = source_->read(out);
  switch (result.status) {
  case Status::frames:
    return result;
  case Status::idle:
  case Status::away:
    if (look_is_due(true) && went_away())
      return read_out(out);
    return result;
  case Status::end:
  case Status::failed:
    // The socket tells the end of its interface before rtnetlink does.
    watch_.wait(100ms);
    if (went_away())
      return read_out(out);
    return result.status == Status::end ? result : fail(source_->error());
  }
  return result;
}

/// Not for each batch of frames: a system call.
bool WatchedSource::look_is_due(bool idle) noexcept {
  const std::uint64_t now_ns = coarse_clock_ns();
  if (!idle && now_ns < next_look_ns_)
    return false;
  next_look_ns_ = now_ns + look_interval_ns;
  watch_.look();
  return true;
}

bool WatchedSource::went_away() noexcept {
  const LinkState worst = watch_.take_worst();
  if (worst == LinkState::working)
    return false;
  leaving_ = true;
  why_ = worst;
  away_since_ns_ = removed_at_ns_ = realtime_ns();
  return true;
}

/// What the kernel captured before the interface went is good; then the source is of no use any more.
Source::Result WatchedSource::read_out(std::span<Frame> out) noexcept {
  const Result result = source_->read(out);
  if (result.status == Status::frames)
    return result;
  leaving_ = false;
  close();
  const std::string what = "interface " + interface_ + " " + std::string(in_words(why_)) + " at " + utc(away_since_ns_);
  if (!options_.wait)
    return fail(what + ", and --on-link-loss stop ends the capture then");
  say(what + ": waiting for it to come back");
  return {Status::away, 0};
}

void WatchedSource::close() noexcept {
  dropped_ += source_->dropped();
  skipped_ += source_->skipped();
  warning_ = source_->warning();
  source_.reset();
  removed_since_ns_ = 0;
}

Source::Result WatchedSource::wait_for_link() noexcept {
  if (watch_.state() != LinkState::working)
    watch_.wait(100ms);
  else if (!refused_.empty())
    watch_.wait(100ms); // it is there, but cannot be opened yet
  (void)watch_.take_worst();
  if (watch_.state() != LinkState::removed) {
    removed_since_ns_ = 0;
  } else if (removed_since_ns_ == 0) {
    removed_since_ns_ = monotonic_ns();
    if (std::exchange(why_, LinkState::removed) != LinkState::removed) {
      removed_at_ns_ = realtime_ns();
      say("interface " + interface_ + " was removed at " + utc(removed_at_ns_));
    }
  } else if (monotonic_ns() - removed_since_ns_ >= options_.removed_wait_s * ns_per_second) {
    return fail(removed());
  }
  if (watch_.state() == LinkState::working)
    reopen();
  return {source_ ? Status::idle : Status::away, 0};
}

/// Where it fails the next read tries again, and says why when that fails as well: the interface may just have gone.
void WatchedSource::reopen() {
  try {
    source_ = open_();
  } catch (const std::exception& error) {
    if (std::exchange(refused_, error.what()) == error.what() && !std::exchange(refusal_said_, true))
      say("interface " + interface_ + " is there again, but cannot be opened: " + error.what());
    return;
  }
  refused_.clear();
  refusal_said_ = false;
  const std::uint64_t now_ns = realtime_ns();
  const std::uint64_t away_ms = (now_ns - std::min(now_ns, away_since_ns_)) / 1'000'000;
  say("interface " + interface_ + " is back at " + utc(now_ns) + ", after " + std::to_string(away_ms) + " ms");
}

std::string WatchedSource::removed() const {
  if (source_ || why_ != LinkState::removed || watch_.state() != LinkState::removed)
    return {};
  return "interface " + interface_ + " was removed at " + utc(removed_at_ns_) + " and has not come back";
}

void WatchedSource::say(const std::string& what) const {
  if (options_.say)
    options_.say(what);
}

} // namespace orbweaver
