// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/report/progress.hpp"
#include "tools/stats/stats_formats.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <spdlog/fmt/fmt.h>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace orbweaver {

namespace {

/// The most telling counter of a stage, with its rate, then what else matters.
struct Row {
  std::size_t main;
  std::string_view unit;
  std::vector<std::size_t> others;
};

Row row_of(const Snapshot& now, StageKind kind) {
  namespace C = CaptureCounter;
  namespace O = ObserverCounter;
  namespace S = SpiderCounter;
  namespace M = MergerCounter;
  switch (kind) {
  case StageKind::capture:
    return {C::packets_read,
            "packets",
            {C::dropped_ring, C::dropped_source, C::non_ip, C::short_packets, C::filtered, C::duplicates}};
  case StageKind::observer:
    return {O::packets_received, "packets", {O::flows_open, O::flows_opened, O::flows_emitted, O::packets_lost}};
  case StageKind::spider:
    return {S::jobs_finished,
            "jobs",
            {S::jobs_open, S::connections_open, S::connections_ok, S::connections_failed, S::connections_timeout}};
  case StageKind::merger:
    if (now.has(StageKind::spider))
      return {M::jobs_written,
              "jobs",
              {M::jobs_waiting, M::connections_joined, M::missed_never_seen, M::missed_ring_drop, M::flows_unclaimed}};
    return {M::flows_received, "flows", {M::flows_written, M::flows_dropped, M::octets_written}};
  }
  return {0, "", {}};
}

double rate(const Snapshot& now, const Snapshot* before, std::size_t stage, std::size_t counter) {
  const auto value = now.stages[stage].counter(counter);
  if (!before || before->stages.size() <= stage)
    return now.age_s > 0 ? static_cast<double>(value) / now.age_s : 0;
  const double seconds = static_cast<double>(now.taken_ns - before->taken_ns) / 1e9;
  return seconds > 0 ? static_cast<double>(value - before->stages[stage].counter(counter)) / seconds : 0;
}

/// "0.3 ms", "12 ms", "1.02 s"
std::string time_text(std::uint64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  return ms < 10     ? fmt::format("{:.1f} ms", ms)
         : ms < 1000 ? fmt::format("{:.0f} ms", ms)
                     : fmt::format("{:.2f} s", ms / 1000);
}

/// Local time.
std::string clock_text(std::uint64_t time_ns) {
  const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
  std::tm local{};
  std::array<char, 32> text{};
  const auto length =
      localtime_r(&seconds, &local) ? std::strftime(text.data(), text.size(), "%m-%d %H:%M:%S", &local) : 0;
  return {text.data(), length};
}

/// Items behind the beginning of a line, which are not broken; what does not fit goes on in lines of its own.
std::string line_of(std::string line, const std::vector<std::string>& items, std::size_t columns) {
  constexpr std::size_t worth_it = 40; // columns: in fewer, not even the first items stand behind the beginning
  bool fits = line.size() + worth_it <= columns;
  std::string text;
  for (const auto& item : items) {
    if (columns > 0 && !(fits && line.size() + 1 + item.size() <= columns)) {
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line = "   ";
      fits = true;
    }
    line += " " + item;
  }
  return text + line + "\n";
}

std::uint64_t stall_ns(const StageSnapshot& stage) {
  const auto infos = counters_of(stage.kind);
  const auto info = std::ranges::find(infos, "stall_max_ns", &CounterInfo::name);
  return info != infos.end() ? stage.counter(info->place) : 0;
}

std::string stage_line(const Snapshot& now, const Snapshot* before, std::size_t place, std::size_t columns) {
  const auto& stage = now.stages[place];
  const auto row = row_of(now, stage.kind);
  auto line = fmt::format("{:<9}{:>3} {:>7}  {:<8} {:>15} {:<7} {:>12}/s {:>8} ", to_string(stage.kind), stage.index,
                          stage.pid, to_string(stage.state), with_commas(stage.counter(row.main)), row.unit,
                          with_commas(static_cast<std::uint64_t>(rate(now, before, place, row.main))),
                          time_text(stall_ns(stage)));
  const auto infos = counters_of(stage.kind);
  std::vector<std::string> others;
  for (const auto counter : row.others)
    others.push_back(fmt::format("{} {}", infos[counter].name, with_commas(stage.counter(counter))));
  return line_of(std::move(line), others, columns);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string message_line(const StageSnapshot& stage, const Message& message, std::size_t columns) {
  return line_of(fmt::format("{:<9}{:>3} {:<7} {:>13}  {:<14}  {:<14} ", to_string(stage.kind), stage.index,
                             to_string(message.level), with_commas(message.count), clock_text(message.first_ns),
                             clock_text(message.last_ns)),
                 words_of(message.text.empty() ? "(messages of further kinds)" : message.text), columns);
}

std::string messages(const Snapshot& now, std::size_t columns) {
  std::string text;
  for (const auto& stage : now.stages)
    for (const auto& message : stage.messages)
      text += message_line(stage, message, columns);
  if (text.empty())
    return text;
  return fmt::format("\n{:<12} {:<7} {:>13}  {:<14}  {:<14}  {}\n", "STAGE", "LEVEL", "TIMES", "FIRST", "LAST",
                     "MESSAGE") +
         text;
}

std::string ring_line(const RingSnapshot& ring) {
  return fmt::format("{:<30} {:>9} KiB {:>5.1f} % {:>15} {:>11}\n", ring.name, with_commas(ring.capacity_octets >> 10),
                     100.0 * static_cast<double>(ring.fill_octets) / static_cast<double>(ring.capacity_octets),
                     with_commas(ring.records), with_commas(ring.dropped));
}

} // namespace

std::string stats_table(const Snapshot& now, const Snapshot* before, std::size_t columns) {
  auto text = fmt::format("session {}, {:.1f} s old\n\n", now.session, now.age_s);
  text += fmt::format("{:<12} {:>7}  {:<8} {:>23} {:>14} {:>8}\n", "STAGE", "PID", "STATE", "DONE", "RATE", "STALL");
  for (std::size_t i = 0; i < now.stages.size(); ++i)
    text += stage_line(now, before, i, columns);
  text += messages(now, columns);
  if (now.rings.empty())
    return text;
  text += fmt::format("\n{:<30} {:>13} {:>7} {:>15} {:>11}\n", "RING", "CAPACITY", "FILL", "RECORDS", "DROPPED");
  for (const auto& ring : now.rings)
    text += ring_line(ring);
  return text;
}

} // namespace orbweaver
