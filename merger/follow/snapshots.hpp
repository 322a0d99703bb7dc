// SPDX-License-Identifier: GPL-3.0-or-later
// The whole state of a measurement, in memory that outlives its merger: jobs under way, connections and flows that
// wait, clocks, counts, and how far output and rings belong to it. No ring is given back further than the last
// snapshot. Who follows a merger that died begins with it, cuts the output to what it was then, and reads the rings
// from there on.
//
// Two by turns, each in its own part of the memory, which is as large as a state can be, and takes what was written.
// The one that counts is valid; it is counted when it is whole. Owned by the merger's thread.
#pragma once

#include "merger/follow/state_octets.hpp"
#include "merger/follow/work_notes.hpp"
#include "merger/rotation.hpp"
#include "merger/sinks/output.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

namespace orbweaver {

struct MeasurementOptions;

/// What has to be known before a measurement is there: the output begins with it.
struct SnapshotHead {
  OutputMark output;
  // Where it is one file after another:
  FileSeriesMark series;
  RotationMark rotation;
  Completion completion;
};
static_assert(std::is_trivially_copyable_v<SnapshotHead>);

class Snapshots {
public:
  /// Changes with anything that a measurement writes down of itself.
  static constexpr std::uint64_t layout = 1;

  /// In that memory, which may hold those of a predecessor, which died by that signal (-1: there was none). Throws
  /// Error.
  Snapshots(int fd, int died_by);

  struct Left {
    SnapshotHead head;
    std::span<const std::byte> state;
  };
  /// What a predecessor left, or nullptr.
  [[nodiscard]] const Left* left() const noexcept { return left_ ? &*left_ : nullptr; }

  /// A follower keeps at most what the first one did, whatever memory is there now: else its results might be others.
  void keep_limits(MeasurementOptions& options);

  /// Makes room for states of so many octets, where there is none yet. Throws Error.
  void reserve(std::uint64_t octets);

  /// Where the next one goes; the one before it is good until store().
  [[nodiscard]] StateWriter next() noexcept;
  /// Makes what was written the valid one. False where it did not fit: then there is none any more.
  bool store(const StateWriter& written, const SnapshotHead& head) noexcept;

  /// Where, behind all this, the lines for a pipe may lie: PipeSpool. Only what is used takes memory.
  [[nodiscard]] static constexpr std::uint64_t spool_at() noexcept { return std::uint64_t{1} << 40; }

  [[nodiscard]] WorkNotes& notes() noexcept { return memory_->notes; }

private:
  struct Slot {
    SnapshotHead head;
    std::uint64_t octets;
    std::uint64_t most; ///< that it had in memory since it was given back last
  };
  struct Limits {
    std::uint64_t max_jobs, max_job_octets, max_flows, max_tail_octets;
  };
  struct Memory {
    std::uint64_t layout;
    std::uint64_t slot_octets; ///< of each; a multiple of huge_page_octets; 0: there are none yet
    std::uint64_t count;       ///< of snapshots; the last one's slot is its lowest bit
    std::uint64_t lost;        ///< 1: a state did not fit
    std::array<Slot, 2> slots;
    Limits limits; ///< all 0: none yet
    WorkNotes notes;
  };

  void map_slots();
  [[nodiscard]] std::byte* slot(std::uint64_t number) const noexcept { return slots_ + number % 2 * slot_octets_; }

  int fd_;
  Memory* memory_;
  std::byte* slots_ = nullptr;
  std::uint64_t slot_octets_ = 0;
  std::optional<Left> left_;
};

} // namespace orbweaver
