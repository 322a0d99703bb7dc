// SPDX-License-Identifier: GPL-3.0-or-later
// What was read of the jobs' input and is still needed: in memory that outlives the spider where it is supervised, so
// that who follows goes on with the line that comes next, of a pipe too, which gives its octets but once. Two halves:
// what is needed of a full one is copied to the other one, which then takes its place in one step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace orbweaver {

/// Which octets of the input are in the halves. Plain values.
struct TapeState {
  struct Half {
    std::uint64_t from;    ///< place in the input of its first octet
    std::uint64_t octets;  ///< that are there
    std::uint64_t is_rest; ///< it begins within a line that is too long
  };
  std::uint64_t has_begun;
  std::uint64_t begin;   ///< place in a file where the first reader found it
  std::uint64_t at_work; ///< the half
  std::array<Half, 2> halves;
};

/// The state, and room for the halves, all zero at first. Whoever has it made sees to it that it outlives its user.
struct TapeMemory {
  TapeState* state = nullptr; ///< nullptr: there is none, and nothing is kept
  std::array<std::span<char>, 2> halves;
};

} // namespace orbweaver
