// SPDX-License-Identifier: GPL-3.0-or-later
// Lines on their way into a pipe, in memory that outlives who writes them (kept_memory.hpp). The kernel moves them from
// there into the pipe, and in the same call says how far it is: by the position of the open file, which whoever follows
// has too. A process cannot die between the two, so that it is known to the octet what came out of the pipe. Owned by
// the merger's thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace orbweaver {

class PipeSpool {
public:
  /// In that file from that place on, a multiple of huge_page_octets, behind what else is in it. Whoever has the file
  /// leaves its position alone.
  PipeSpool(int fd, std::uint64_t begin) noexcept;

  /// Whether that is a pipe, and nothing bounds how far the memory may grow: places in it are never used again.
  [[nodiscard]] static bool takes(int output) noexcept;

  /// Goes on where a predecessor's lines ended when they were bound to what it had read; what it added behind is
  /// written again.
  void resume(std::uint64_t end) noexcept { end_ = end; }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }

  /// Adds lines. Nothing of them is moved before somebody says so, and nobody may who could not make them again. 0, or
  /// errno.
  int add(std::string_view lines) noexcept;

  /// Moves one piece of what there is into the pipe. 0, or errno.
  int move(int output) noexcept;
  /// Up to where all is moved.
  [[nodiscard]] std::uint64_t moved() const noexcept;

private:
  int fd_;
  std::uint64_t end_;
  std::uint64_t given_back_; ///< memory up to there
};

} // namespace orbweaver
