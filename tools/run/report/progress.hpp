// SPDX-License-Identifier: GPL-3.0-or-later
// The progress line on a terminal: packets, packets per second, flows, drops; of a measurement jobs, jobs per second,
// connections open, drops; for a file also percent and time left. Nothing at all where standard error is not a
// terminal, or where the results themselves go to one.
#pragma once

#include "tools/stats/snapshot.hpp"

#include <cstdint>
#include <string>

namespace orbweaver {

class Pipeline;

/// What a run has done so far: packets read, or for a measurement jobs finished; and octets of its input file.
struct Done {
  std::uint64_t items = 0;
  std::uint64_t octets = 0;
};

[[nodiscard]] Done done_so_far(const Snapshot& snapshot) noexcept;

/// The line for a snapshot. `items_per_s` (packets or jobs) and `octets_per_s` (of the input file) are those of late.
[[nodiscard]] std::string progress_line(const Snapshot& snapshot, double items_per_s, double octets_per_s);

/// A count with a comma every three digits: "12,345,678".
[[nodiscard]] std::string with_commas(std::uint64_t number);

/// "950 pkt/s", "12.3 kpkt/s", "1.23 Mpkt/s".
[[nodiscard]] std::string packet_rate(double packets_per_s);

class Progress {
public:
  /// `to_stdout`: the results go to standard output.
  explicit Progress(bool to_stdout) noexcept;

  /// Rewrites the line, at most five times a second.
  void update(const Pipeline& pipeline);

  /// Takes the line away, so that something else can be printed.
  void clear() noexcept;

private:
  bool enabled_;
  bool shown_ = false;
  std::uint64_t next_ns_ = 0;
  std::uint64_t last_ns_ = 0;
  Done last_;
  double items_per_s_ = 0;
  double octets_per_s_ = 0;
};

} // namespace orbweaver
