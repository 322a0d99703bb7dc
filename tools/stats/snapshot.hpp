// SPDX-License-Identifier: GPL-3.0-or-later
// The counters of a session at one moment, copied out of shared memory: what the ledger, the summary, the progress line
// and `orbweaver stats` all read, so that none of them touches the session itself.
#pragma once

#include "common/process/counters.hpp"
#include "common/process/session.hpp"
#include "common/stream/ring/ring.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace orbweaver {

struct StageSnapshot {
  StageKind kind{};
  std::uint32_t index = 0; ///< among stages of its kind
  StageState state = StageState::absent;
  pid_t pid = 0;
  std::vector<std::uint64_t> counters; ///< max_counters of them
  std::vector<Message> messages{};     ///< its warnings and errors
  std::uint64_t restarts = 0;          ///< how often another one was started in its place; among its counters too

  [[nodiscard]] std::uint64_t counter(std::size_t place) const noexcept {
    return place < counters.size() ? counters[place] : 0;
  }
};

struct RingSnapshot {
  std::string name; ///< as in `ring:NAME`
  std::uint64_t capacity_octets = 0;
  std::uint64_t fill_octets = 0;
  std::uint64_t records = 0; ///< written to it, ticks and the like included
  std::uint64_t dropped = 0; ///< packets lost because it was full
};

struct Snapshot {
  std::string session;
  double age_s = 0;           ///< since the session was made
  std::uint64_t taken_ns = 0; ///< CLOCK_MONOTONIC
  std::vector<StageSnapshot> stages;
  std::vector<RingSnapshot> rings;

  [[nodiscard]] bool has(StageKind kind) const noexcept;

  /// How many places of a counter of observers are in use: as many as there are observers, or where capture runs
  /// alone, as many as it gave or lost packets to.
  [[nodiscard]] std::size_t observers() const noexcept;

  /// The sum of one counter over all stages of a kind.
  [[nodiscard]] std::uint64_t sum(StageKind kind, std::size_t place) const noexcept;
};

/// Copies what the stages and rings say now. Each number is exact; together they may be of slightly different moments
/// while the stages run.
[[nodiscard]] Snapshot take_snapshot(const Session& session, std::span<const Ring> rings);

/// The numbers of the closing line, in the words of the Python original.
struct Totals {
  std::uint64_t packets = 0;  ///< read from the source
  std::uint64_t dropped = 0;  ///< lost before they were read, or on a full ring
  std::uint64_t filtered = 0; ///< that the filter did not let pass
  std::uint64_t short_packets = 0;
  std::uint64_t non_ip = 0;
  std::uint64_t flows = 0;   ///< opened
  std::uint64_t ignored = 0; ///< flows that a chain vetoed
};

[[nodiscard]] Totals totals_of(const Snapshot& snapshot) noexcept;

/// "processed 10 packets (0 dropped, 0 short, 1 non-ip) into 3 flows (0 ignored)"; with a filter that kept some from
/// passing "(0 dropped, 0 short, 1 non-ip, 5 filtered)".
[[nodiscard]] std::string closing_line(const Totals& totals);

/// The numbers of a measurement's second closing line.
struct JobTotals {
  std::uint64_t taken = 0;
  std::uint64_t unfinished = 0; ///< of those, in the output but not finished by the spider
  std::uint64_t not_routed = 0; ///< of those, not measured for want of a route by the interface
  std::uint64_t bad_lines = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t connections = 0; ///< made: the sum of the five that follow
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
  std::uint64_t timeout = 0;
  std::uint64_t skipped = 0;
  std::uint64_t discarded = 0;
  std::uint64_t observed = 0; ///< connections whose flow was seen; the others are missed by one of four causes
  std::uint64_t never_seen = 0;
  std::uint64_t ring_drop = 0;
  std::uint64_t expired = 0;
  std::uint64_t no_port = 0;
  std::uint64_t not_sent = 0;

  [[nodiscard]] std::uint64_t missed() const noexcept { return never_seen + ring_drop + expired + no_port + not_sent; }
};

[[nodiscard]] JobTotals job_totals_of(const Snapshot& snapshot) noexcept;

/// "measured 250 jobs (0 unfinished; 2 bad lines, 3 duplicates) with 500 connections (480 ok, 15 failed, 5 timed out, 0
/// skipped, 0 discarded), missed 4 flows (3 never seen, 1 ring drop, 0 expired, 0 no port)"
[[nodiscard]] std::string closing_line(const JobTotals& totals);

/// The merger's digest as 32 hexadecimal digits; empty where it did not come to its end in order: then it is of a part.
[[nodiscard]] std::string digest_of(const Snapshot& snapshot);

} // namespace orbweaver
