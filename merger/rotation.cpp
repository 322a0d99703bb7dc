// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rotation.hpp"

#include "common/json/builder.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace orbweaver {

std::string_view to_string(FileEnd end) noexcept {
  constexpr std::array<std::string_view, 4> texts{"time", "size", "signal", "end"};
  return texts[static_cast<std::size_t>(end)];
}

Rotation::Rotation(FileBound every, std::size_t streams, FileSeries& series, std::atomic<bool>& asked,
                   std::function<bool()> wait_on)
    : every_(every), series_(series), asked_(asked), wait_on_(std::move(wait_on)), streams_(streams) {}

/// The file at work ends where no stream has been yet.
void Rotation::end_before(std::uint64_t second, FileEnd cause) noexcept {
  if (second >= mark_.state.boundary_s)
    return;
  mark_.state.boundary_s = second;
  mark_.state.cause = cause;
}

bool Rotation::wants_next(std::uint64_t octets) noexcept {
  const bool is_full = every_.octets != 0 && octets >= every_.octets;
  if (!mark_.state.has_begun || (!is_full && !asked_.load(std::memory_order_relaxed)))
    return false;
  const auto before = mark_.state.boundary_s;
  // The clock of the stream that is furthest reads S: its second S - 1 is under way, and ends at S.
  end_before(std::ranges::max(streams_, {}, &StreamInFile::clock_s).clock_s, is_full ? FileEnd::size : FileEnd::signal);
  asked_.store(false, std::memory_order_relaxed);
  return mark_.state.boundary_s < before;
}

void Rotation::begin(std::uint64_t second) noexcept {
  mark_.state.begin_s = second;
  // A clock near the end of what 64 bits hold is no capture's: what follows stays in one file.
  const bool has_end = every_.seconds != 0 && second < never - every_.seconds;
  mark_.state.boundary_s = has_end ? (second / every_.seconds + 1) * every_.seconds : never;
  mark_.state.cause = FileEnd::time;
}

std::optional<FileSpan> Rotation::advance(std::uint64_t second) noexcept {
  const auto under_way = second == 0 ? 0 : second - 1;
  if (!std::exchange(mark_.state.has_begun, true)) {
    begin(under_way);
    return std::nullopt;
  }
  // A clock that leaps over several boundaries leaves one file before the last of them.
  auto end = mark_.state.boundary_s;
  if (every_.seconds != 0)
    end = std::max(end, under_way / every_.seconds * every_.seconds);
  const FileSpan span{mark_.state.begin_s, end, mark_.state.cause};
  begin(end);
  return span;
}

std::optional<FileSpan> Rotation::last(bool has_rows) const noexcept {
  if (mark_.state.is_over)
    return std::nullopt;
  if (!mark_.state.has_begun) {
    // Flows without a clock, as no capture makes them: the host's has to do.
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    return has_rows ? std::optional(FileSpan{now, now, FileEnd::end}) : std::nullopt;
  }
  return FileSpan{mark_.state.begin_s,
                  std::max(mark_.state.begin_s, std::ranges::max(streams_, {}, &StreamInFile::clock_s).clock_s),
                  FileEnd::end};
}

bool Rotation::list(const FileSpan& span, std::span<const CompleteFile> files, const Sums& sums) {
  std::string line;
  std::uint64_t flows = 0, events = 0, octets = 0;
  for (const auto& [clock_s, share] : streams_) {
    flows += share.flows;
    events += share.events;
  }
  for (const auto& file : files)
    octets += file.octets;
  {
    json::Object object(line);
    {
      json::Array list = object.array("files");
      for (const auto& file : files)
        list.object().add("file", file.name).add("rows", file.rows).add("octets", file.octets);
    }
    object.add("begin_s", span.begin_s).add("end_s", span.end_s);
    constexpr const char* format = "%Y-%m-%dT%H:%M:%SZ"; // 2026-11-21T16:30:00Z
    object.add("begin", utc_text(span.begin_s, format)).add("end", utc_text(span.end_s, format));
    object.add("cause", to_string(span.cause));
    if (sums.jobs)
      object.add("jobs", *sums.jobs - mark_.jobs);
    object.add("flows", flows).add("events", events);
    object.add("packets", sums.has_packets ? std::optional(mark_.packets) : std::nullopt).add("octets", octets);
    std::optional<std::string> digest;
    if (sums.digest)
      digest = Digest{sums.digest->low - mark_.digest.low, sums.digest->high - mark_.digest.high}.text();
    object.add("digest", digest);
    json::Array streams = object.array("observers");
    for (const auto& [clock_s, share] : streams_)
      streams.object()
          .add("flows", share.flows)
          .add("events", share.events)
          .add("losses", share.losses)
          .add("lost_packets", share.lost_packets);
  }
  if (!series_.list(line + "\n", files, wait_on_))
    return false;
  // Only now: who follows somebody that dies before makes the same line.
  for (auto& stream : streams_)
    stream.share = {};
  mark_.packets = 0;
  mark_.jobs = sums.jobs.value_or(0);
  mark_.digest = sums.digest.value_or(Digest{});
  mark_.files_complete += files.size();
  return true;
}

} // namespace orbweaver
