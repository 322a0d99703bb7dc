// SPDX-License-Identifier: GPL-3.0-or-later
// How far a merger of a supervised session is, in memory that outlives it: what it has written belongs to what it has
// read of its rings, and no ring is given back further than that. Who follows it cuts the files to what they were then,
// reads the rings from there on, and writes no flow twice and leaves none out. Files that get their names are noted
// before, with all that is told of them: who follows does what was not done yet, and finds that the rest is. A record
// that mergers died of twice is stepped over. Owned by the merger's thread.
#pragma once

#include "common/process/files/kept_memory.hpp"
#include "common/stream/description.hpp"
#include "merger/follow/work_notes.hpp"
#include "merger/rotation.hpp"
#include "merger/rows/digest.hpp"
#include "merger/sinks/output.hpp"
#include "merger/stream_loop.hpp"

#include <array>
#include <cstdint>
#include <type_traits>

namespace orbweaver {

struct Checkpoint {
  static constexpr std::size_t max_streams = 64, max_files = 64 + 1;

  std::array<StreamLoop::Place, max_streams> streams;
  std::array<std::uint64_t, max_streams> taken; ///< records of each stream
  std::array<OutputMark, max_files> files;
  std::uint64_t file_count;
  std::array<std::uint64_t, 2> rows; ///< received: flows, events
  Digest digest;
  // Where it is one file after another:
  RotationMark rotation;
  std::array<StreamInFile, max_streams> rotated;
  FileSeriesMark series;
  std::uint64_t octets_before; ///< written before the files at work
  Completion completion;
};
static_assert(std::is_trivially_copyable_v<Checkpoint>);

class Checkpoints {
public:
  /// In that memory, which may hold those of a predecessor, which died by that signal (-1: there was none). Throws
  /// Error.
  Checkpoints(int fd, int died_by);

  /// That of a predecessor, or nullptr.
  [[nodiscard]] const Checkpoint* left() const noexcept {
    return memory_->count == 0 ? nullptr : &memory_->checkpoints[memory_->count % 2];
  }

  /// Where, behind all this, the lines for a pipe may lie: PipeSpool.
  [[nodiscard]] static constexpr std::uint64_t spool_at() noexcept {
    return (sizeof(Memory) + huge_page_octets - 1) / huge_page_octets * huge_page_octets;
  }

  /// To be filled; the one before it is good until store().
  [[nodiscard]] Checkpoint& next() noexcept { return memory_->checkpoints[(memory_->count + 1) % 2]; }
  void store() noexcept {
    in_order();
    ++memory_->count;
    in_order();
  }

  [[nodiscard]] WorkNotes& notes() noexcept { return memory_->notes; }

private:
  struct Memory {
    std::uint64_t count; ///< of checkpoints; the last one's place is its lowest bit
    std::array<Checkpoint, 2> checkpoints;
    WorkNotes notes;
  };

  Memory* memory_;
};

} // namespace orbweaver
