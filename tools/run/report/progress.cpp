// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/report/progress.hpp"

#include "common/stream/ring/wait.hpp"
#include "tools/run/supervise/pipeline.hpp"

#include <algorithm>
#include <cstdio>
#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr std::uint64_t interval_ns = 200'000'000;

std::size_t terminal_columns() noexcept {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string time_text(double seconds) {
  const auto whole = static_cast<unsigned long>(seconds + 0.5);
  if (whole < 60)
    return fmt::format("{} s", whole);
  if (whole < 3600)
    return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

} // namespace

std::string with_commas(std::uint64_t number) {
  auto text = std::to_string(number);
  for (std::size_t place = text.size(); place > 3; place -= 3)
    text.insert(place - 3, 1, ',');
  return text;
}

std::string packet_rate(double packets_per_s) {
  if (packets_per_s >= 999'500)
    return fmt::format("{:.2f} Mpkt/s", packets_per_s / 1e6);
  if (packets_per_s >= 9'995)
    return fmt::format("{:.1f} kpkt/s", packets_per_s / 1e3);
  return fmt::format("{:.0f} pkt/s", packets_per_s);
}

Done done_so_far(const Snapshot& snapshot) noexcept {
  if (snapshot.has(StageKind::spider))
    return {snapshot.sum(StageKind::spider, SpiderCounter::jobs_finished),
            snapshot.sum(StageKind::spider, SpiderCounter::position_octets)};
  return {snapshot.sum(StageKind::capture, CaptureCounter::packets_read),
          snapshot.sum(StageKind::capture, CaptureCounter::position_octets)};
}

std::string progress_line(const Snapshot& snapshot, double items_per_s, double octets_per_s) {
  const bool measures = snapshot.has(StageKind::spider);
  const auto totals = totals_of(snapshot);
  const auto done = done_so_far(snapshot);
  auto line = measures ? with_commas(done.items) + " jobs, " + fmt::format("{:.0f} jobs/s, ", items_per_s) +
                             with_commas(snapshot.sum(StageKind::spider, SpiderCounter::connections_open)) +
                             " connections open"
                       : with_commas(totals.packets) + " packets, " + packet_rate(items_per_s) + ", " +
                             with_commas(totals.flows) + " flows";
  line += ", " + with_commas(totals.dropped) + " dropped";
  const auto size = measures ? snapshot.sum(StageKind::spider, SpiderCounter::size_octets)
                             : snapshot.sum(StageKind::capture, CaptureCounter::size_octets);
  if (size == 0)
    return line;
  const auto position = std::min(size, done.octets);
  line += fmt::format(", {:.0f} %", 100.0 * static_cast<double>(position) / static_cast<double>(size));
  if (octets_per_s > 0 && position < size)
    line += ", " + time_text(static_cast<double>(size - position) / octets_per_s) + " left";
  return line;
}

Progress::Progress(bool to_stdout) noexcept
    : enabled_(isatty(STDERR_FILENO) && !(to_stdout && isatty(STDOUT_FILENO))) {}

void Progress::update(const Pipeline& pipeline) {
  const auto now_ns = monotonic_ns();
  if (!enabled_ || now_ns < next_ns_)
    return;
  next_ns_ = now_ns + interval_ns;
  const auto snapshot = pipeline.snapshot();
  const auto done = done_so_far(snapshot);
  if (last_ns_ != 0) {
    const double seconds = static_cast<double>(now_ns - last_ns_) / 1e9;
    // Half of the new rate and half of the old one: steady enough to read, quick enough to follow.
    const auto blend = [&](double& rate, std::uint64_t now, std::uint64_t before) {
      const double fresh = static_cast<double>(now - before) / seconds;
      rate = rate == 0 ? fresh : (rate + fresh) / 2;
    };
    blend(items_per_s_, done.items, last_.items);
    blend(octets_per_s_, done.octets, last_.octets);
  }
  last_ns_ = now_ns;
  last_ = done;
  if (done.items == 0)
    return;
  // The cursor rests at the line's start, so that a stage's own message replaces the line instead of following it.
  const auto line = progress_line(snapshot, items_per_s_, octets_per_s_).substr(0, terminal_columns() - 1);
  std::fprintf(stderr, "%s\033[K\r", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() noexcept {
  if (!shown_)
    return;
  std::fputs("\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

} // namespace orbweaver
