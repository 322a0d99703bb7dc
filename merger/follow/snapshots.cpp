// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/follow/snapshots.hpp"

#include "common/process/files/kept_memory.hpp"
#include "merger/measure/measurement.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <sys/mman.h>

namespace orbweaver {

namespace {

/// Where the slots begin.
constexpr std::uint64_t slots_at = huge_page_octets;

/// A slot gives memory back where it has so much more than it needs.
constexpr std::uint64_t spare_octets = std::uint64_t{16} << 20;
constexpr std::uint64_t page_octets = 4096;

/// What cannot be of a head: truth values that are neither, causes that there are not.
void check(const SnapshotHead& head) {
  const auto is_at_most = [](const auto& value, std::uint8_t most) {
    static_assert(sizeof value == 1);
    std::uint8_t octet = 0;
    std::memcpy(&octet, &value, 1);
    return octet <= most;
  };
  const auto last_cause = static_cast<std::uint8_t>(FileEnd::end);
  StateReader::check(is_at_most(head.output.at_work, 1) && is_at_most(head.rotation.state.has_begun, 1) &&
                         is_at_most(head.rotation.state.is_over, 1) && is_at_most(head.completion.under_way, 1) &&
                         is_at_most(head.completion.has_next, 1) && is_at_most(head.rotation.state.cause, last_cause) &&
                         is_at_most(head.completion.span.cause, last_cause),
                     "how far its output was cannot be");
}

} // namespace

Snapshots::Snapshots(int fd, int died_by) : fd_(fd) {
  static_assert(sizeof(Memory) <= slots_at);
  if (kept_octets(fd) < slots_at)
    size_kept_memory(fd, slots_at);
  memory_ = reinterpret_cast<Memory*>(map_kept_memory(fd, 0, sizeof(Memory)));
  if (memory_->layout == 0 && memory_->count == 0) // nobody was here, or died before it had begun
    memory_->layout = layout;
  StateReader::check(memory_->layout == layout, "it is of another version of orbweaver-merger");
  memory_->notes.predecessor_died(died_by);
  slot_octets_ = memory_->slot_octets;
  if (slot_octets_ != 0)
    map_slots();
  StateReader::check(memory_->lost == 0, "it was larger than the memory for it");
  const auto count = memory_->count;
  if (count == 0)
    return;
  const auto& last = memory_->slots[count % 2];
  const std::uint64_t octets = last.octets;
  StateReader::check(octets <= slot_octets_, "it is larger than the memory for it");
  auto& left = left_.emplace(Left{{}, {slot(count), octets}});
  std::memcpy(&left.head, &last.head, sizeof left.head);
  check(left.head);
}

void Snapshots::keep_limits(MeasurementOptions& options) {
  const Limits kept = memory_->limits;
  if (kept.max_flows == 0) {
    memory_->limits = {options.limits.max_jobs, options.limits.max_job_octets, options.join.max_flows,
                       options.join.max_tail_octets};
    return;
  }
  StateReader::check(std::has_single_bit(kept.max_flows) && kept.max_flows <= 1U << 28 && kept.max_jobs <= UINT32_MAX,
                     "its limits are none");
  options.limits.max_jobs = static_cast<std::uint32_t>(kept.max_jobs);
  options.limits.max_job_octets = kept.max_job_octets;
  options.join.max_flows = static_cast<std::uint32_t>(kept.max_flows);
  options.join.max_tail_octets = kept.max_tail_octets;
}

void Snapshots::reserve(std::uint64_t octets) {
  if (slots_)
    return;
  slot_octets_ = (octets + huge_page_octets - 1) / huge_page_octets * huge_page_octets;
  const auto all = slots_at + 2 * slot_octets_;
  if (all > spool_at())
    throw Error("a state of up to " + std::to_string(octets >> 20) +
                " MiB cannot be kept; --restart never goes without");
  if (kept_octets(fd_) < all)
    size_kept_memory(fd_, all);
  memory_->slot_octets = slot_octets_;
  map_slots();
}

void Snapshots::map_slots() {
  const auto there = kept_octets(fd_);
  StateReader::check(slot_octets_ % huge_page_octets == 0 && there >= slots_at &&
                         slot_octets_ <= (there - slots_at) / 2,
                     "the memory for it is smaller than it says");
  slots_ = map_kept_memory(fd_, slots_at, 2 * slot_octets_);
}

StateWriter Snapshots::next() noexcept {
  return StateWriter({slot(memory_->count + 1), slot_octets_});
}

bool Snapshots::store(const StateWriter& written, const SnapshotHead& head) noexcept {
  if (!written.fits()) {
    memory_->lost = 1;
    return false;
  }
  auto& last = memory_->slots[(memory_->count + 1) % 2];
  last.head = head;
  last.octets = written.size();
  in_order();
  ++memory_->count;
  in_order();
  // A state that was large once must not take memory for ever.
  last.most = std::max(last.most, last.octets);
  if (last.most / 4 > last.octets + spare_octets) {
    const auto used = (last.octets + page_octets - 1) / page_octets * page_octets;
    madvise(slot(memory_->count) + used, std::min(last.most + page_octets, slot_octets_) - used, MADV_REMOVE);
    last.most = last.octets;
  }
  return true;
}

} // namespace orbweaver
