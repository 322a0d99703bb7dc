// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/kept_jobs.hpp"

#include "common/process/files/kept_memory.hpp"

#include <algorithm>
#include <limits>

namespace orbweaver {

namespace {

constexpr std::uint64_t nowhere = std::numeric_limits<std::uint64_t>::max();

// The memory: the state, two halves of the tape, tables of targets.
constexpr std::uint64_t state_octets = 4096;
constexpr std::uint64_t tape_at = state_octets;
constexpr std::uint64_t half_room = LineReader::half_octets + 4096;
static_assert(LineReader::slack_octets <= 4096);
constexpr std::uint64_t targets_at = huge_page_octets;
static_assert(tape_at + 2 * half_room <= targets_at);

} // namespace

KeptJobs::KeptJobs(int fd) : fd_(fd) {
  static_assert(sizeof(Memory) <= state_octets);
  if (kept_octets(fd) < targets_at)
    size_kept_memory(fd, targets_at);
  memory_ = reinterpret_cast<Memory*>(map_kept_memory(fd, 0, state_octets));
  tape_ = map_kept_memory(fd, tape_at, 2 * half_room);
}

JobReaderMemory KeptJobs::input() const noexcept {
  auto* const halves = reinterpret_cast<char*>(tape_);
  return {{&memory_->tape, {std::span(halves, half_room), std::span(halves + half_room, half_room)}},
          {&memory_->targets, fd_, targets_at}};
}

SpiderProgress KeptJobs::left(std::uint64_t position) const noexcept {
  const auto& current = memory_->slots[memory_->current % 2];
  const auto& prepared = memory_->slots[(memory_->current + 1) % 2];
  const bool is_there = prepared.position != nowhere && prepared.position > current.position;
  return is_there && prepared.position <= position ? prepared.progress : current.progress;
}

void KeptJobs::prepare(const SpiderProgress& progress, std::uint64_t position) noexcept {
  auto& slot = memory_->slots[(memory_->current + 1) % 2];
  slot.position = nowhere;
  in_order();
  slot.progress = progress;
  in_order();
  slot.position = position;
  in_order();
}

void KeptJobs::done() noexcept {
  in_order();
  memory_->current = (memory_->current + 1) % 2;
  in_order();
}

void KeptJobs::begin_call(std::uint64_t job_id, std::uint64_t line, std::string_view name) noexcept {
  auto& call = memory_->call;
  call.line = line;
  call.name = {};
  std::copy_n(name.begin(), std::min(name.size(), call.name.size() - 1), call.name.begin());
  in_order();
  call.job_id = job_id;
  in_order();
}

PluginCall KeptJobs::call() const noexcept {
  auto call = memory_->call;
  call.name.back() = '\0';
  return call;
}

} // namespace orbweaver
